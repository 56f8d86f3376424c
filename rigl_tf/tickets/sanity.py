"""Sanity checks: changes that should make a good ticket worse."""

import dataclasses
import random

import keras
import numpy as np

from rigl_tf.tickets import model_state
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search.score_rules import fan_in
from rigl_tf.tickets.search.signed_constant import make_signed_constant
from rigl_tf.utils import tensors


def shuffle(ticket, network=None, seed=0):
    """Shuffles the mask of each kernel; every count stays the same.

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
    """Draws new weights from the distribution of the search.

    The initializers of the layers draw all weights again, even if the network
    comes with pretrained weights.

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture. A subclassed model
            cannot be cloned, so it must be newly built.
        seed: Integer.

    Returns:
        `Ticket`.

    Raises:
        ValueError: If an initializer draws the same weights again.
    """
    sparse = _redraw(ticket, network, seed)
    if ticket.signed_constant:
        make_signed_constant(sparse)
    return dataclasses.replace(ticket, weights=model_state.get_weights(sparse))


def kaiming(ticket, network, seed=0):
    """Draws new normal weights with standard deviation sqrt(2 / fan_in).

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture. Its layers initialize
            biases and normalization.
        seed: Integer.

    Returns:
        `Ticket`.

    Reference:
        [He et al., 2015](https://arxiv.org/abs/1502.01852), section 2.2.
    """
    sparse = _redraw(ticket, network, seed)
    rng = np.random.default_rng(seed % 2**64)
    for kernel in sparse.kernels:
        deviation = (2 / fan_in(kernel)) ** 0.5
        kernel.variable.assign(
            deviation * rng.standard_normal(kernel.variable.shape)
        )
    return dataclasses.replace(
        ticket, weights=model_state.get_weights(sparse), signed_constant=False
    )


def invert(ticket, network=None, seed=0):
    """Keeps the lowest scores of each kernel instead of the highest.

    The number of connections in each kernel stays the same. The check is for
    finders that score all connections. Gem-Miner inverts its search instead:
    see `GemMiner.apply_check`.

    Args:
        ticket: `Ticket` with scores.
        network: Not used.
        seed: Integer, for the choice between equal scores.

    Returns:
        `Ticket`.

    Raises:
        ValueError: If the ticket has no scores, or no scores for connections
            that were pruned during the search.
    """
    del network
    if ticket.scores is None:
        raise ValueError(
            "The check 'invert' needs a ticket with scores. Received a ticket "
            "whose connections were chosen at random. Leave out this check."
        )
    if any(np.isneginf(score).any() for score in ticket.scores.values()):
        raise ValueError(
            "The check 'invert' needs a score for every connection. Received a "
            "ticket without scores for the connections that were pruned during "
            "the search. Leave out this check, or search with inverted scores, "
            "as `GemMiner(inverted=True)` does."
        )
    counts = [int(mask.sum()) for mask in ticket.masks.values()]
    masks = mask_selection.layerwise_top_k(
        {name: -ticket.scores[name] for name in ticket.masks}, counts, seed
    )
    return dataclasses.replace(ticket, masks=masks)


CHECKS = {
    "shuffle": shuffle,
    "reinitialize": reinitialize,
    "kaiming": kaiming,
    "invert": invert,
}


def _redraw(ticket, network, seed):
    """Returns a sparse model with dense masks and weights from a seed."""
    dense = {name: np.ones_like(mask) for name, mask in ticket.masks.items()}
    ticket = dataclasses.replace(ticket, masks=dense, weights=None)
    if not hasattr(network, "outputs"):  # a subclassed model
        return ticket.sparsify(network)
    drawn = ticket.sparsify(_clone(network, seed))
    with ticket.all_active_in(network) as given:
        for old, new in zip(given.kernels, drawn.kernels, strict=True):
            values = tensors.as_array(new.variable)
            if np.ptp(values) and np.array_equal(values, old.variable):
                raise ValueError(
                    f"The initializer of {new.name} has a fixed seed and draws "
                    "the same weights again. Remove the seed, or leave out "
                    "the checks 'reinitialize' and 'kaiming'."
                )
    return drawn


def _clone(network, seed):
    """Clones a network; the initializers draw its weights from a seed."""
    state = random.getstate()
    # Initializers take their seeds from `random`. This seed must differ from
    # the seed of the network's own weights.
    random.seed(f"another {seed}")
    # The compiled arguments may be objects that Keras cannot clone.
    compiled, network.compiled = network.compiled, False
    try:
        return keras.models.clone_model(network)
    finally:
        network.compiled = compiled
        random.setstate(state)
