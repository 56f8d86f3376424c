"""Sanity checks: what should spoil a ticket if it is a good one."""

import dataclasses
import random

import keras
import numpy as np

from rigl_tf.tickets import ticket as tickets
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search.score_rules import fan_in
from rigl_tf.tickets.search.signed_constant import make_signed_constant
from rigl_tf.utils import tensors


def shuffle(ticket, network=None, seed=0):
    """The same number of connections in each kernel, at random.

    Args:
        ticket: `Ticket`.
        network: Not used.
        seed: Integer.

    Returns:
        `Ticket`.

    Reference:
        [Frankle et al., 2021](https://arxiv.org/abs/2009.08576), section 5.
    """
    del network
    rng = np.random.default_rng(seed % 2**64)
    masks = {
        name: rng.permutation(mask.ravel()).reshape(mask.shape)
        for name, mask in ticket.masks.items()
    }
    return dataclasses.replace(ticket, masks=masks, scores=None)


def reinitialize(ticket, network, seed=0):
    """Other weights, of the distribution in which the ticket was found.

    All weights are drawn again by the initializers of their layers, also
    those of a network that comes with pretrained weights.

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture. One of a class of its
            own cannot be copied and must have been made anew.
        seed: Integer.

    Returns:
        `Ticket`.

    Raises:
        ValueError: If initializers draw the same weights again.
    """
    sparse = _drawn(ticket, network, seed)
    if ticket.signed_constant:
        make_signed_constant(sparse)
    return dataclasses.replace(ticket, weights=tickets.get_weights(sparse))


def kaiming(ticket, network, seed=0):
    """Other weights, normal with the standard deviation sqrt(2 / fan_in).

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture. Biases and
            normalization begin as its layers say.
        seed: Integer.

    Returns:
        `Ticket`.

    Reference:
        [He et al., 2015](https://arxiv.org/abs/1502.01852), section 2.2.
    """
    sparse = _drawn(ticket, network, seed)
    rng = np.random.default_rng(seed % 2**64)
    for kernel in sparse.kernels:
        deviation = (2 / fan_in(kernel)) ** 0.5
        kernel.variable.assign(
            deviation * rng.standard_normal(kernel.variable.shape)
        )
    return dataclasses.replace(
        ticket, weights=tickets.get_weights(sparse), signed_constant=False
    )


def invert(ticket, network=None, seed=0):
    """The lowest scores in the place of the highest, as many in each kernel.

    This is for finders that score all connections. Gem-Miner inverts its
    search: see `GemMiner.spoil`.

    Args:
        ticket: `Ticket` with scores.
        network: Not used.
        seed: Integer, for equal scores.

    Returns:
        `Ticket`.

    Raises:
        ValueError: If the ticket has no scores, or none for connections that
            were pruned on the way.
    """
    del network
    if ticket.scores is None:
        raise ValueError(
            "The ticket has no scores that could be inverted: its connections "
            "were chosen at random. Leave out the check 'invert'."
        )
    if any(np.isneginf(score).any() for score in ticket.scores.values()):
        raise ValueError(
            "The ticket has no scores for connections that were pruned on the "
            "way: the lowest of them cannot be told. Leave out the check "
            "'invert', or search with inverted scores as "
            "`GemMiner(inverted=True)` does."
        )
    counts = [int(mask.sum()) for mask in ticket.masks.values()]
    masks = mask_selection.by_layer(
        {name: -ticket.scores[name] for name in ticket.masks}, counts, seed
    )
    return dataclasses.replace(ticket, masks=masks)


CHECKS = {
    "shuffle": shuffle,
    "reinitialize": reinitialize,
    "kaiming": kaiming,
    "invert": invert,
}


def _drawn(ticket, network, seed):
    """A sparse model with dense masks whose weights are drawn by a seed."""
    dense = {name: np.ones_like(mask) for name, mask in ticket.masks.items()}
    ticket = dataclasses.replace(ticket, masks=dense, weights=None)
    if not hasattr(network, "outputs"):  # a subclassed model
        return ticket.sparsify(network)
    drawn = ticket.sparsify(_clone(network, seed))
    given = ticket.sparsify(network)
    for old, new in zip(given.kernels, drawn.kernels, strict=True):
        values = tensors.as_array(new.variable)
        if np.ptp(values) and np.array_equal(values, old.variable):
            raise ValueError(
                f"The weights of {new.name} cannot be drawn again: its "
                "initializer has a seed. Leave the seed out, or the checks "
                "'reinitialize' and 'kaiming'."
            )
    return drawn


def _clone(network, seed):
    """A copy of a network whose weights are drawn again, by a seed."""
    state = random.getstate()
    # Initializers take their seeds from here. It must not be the seed that the
    # network itself was drawn with.
    random.seed(f"another {seed}")
    # What it is compiled with need not be something that can be cloned.
    compiled, network.compiled = network.compiled, False
    try:
        return keras.models.clone_model(network)
    finally:
        network.compiled = compiled
        random.setstate(state)
