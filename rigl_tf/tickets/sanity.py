"""Sanity checks: what should spoil a ticket if it is a good one."""

import dataclasses

import numpy as np

from rigl_tf.tickets import choose
from rigl_tf.tickets import ticket as tickets
from rigl_tf.tickets.rules import fan_in
from rigl_tf.tickets.weights import make_signed_constant


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

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture that was made anew.
        seed: Integer, not used: the weights are those of the network.

    Returns:
        `Ticket`.
    """
    del seed
    sparse = _fresh(ticket, network)
    if ticket.signed_constant:
        make_signed_constant(sparse)
    return dataclasses.replace(ticket, weights=tickets.get_weights(sparse))


def kaiming(ticket, network, seed=0):
    """Other weights, normal with the standard deviation sqrt(2 / fan_in).

    Args:
        ticket: `Ticket`.
        network: `keras.Model` of the same architecture that was made anew,
            for biases and normalization.
        seed: Integer.

    Returns:
        `Ticket`.

    Reference:
        [He et al., 2015](https://arxiv.org/abs/1502.01852), section 2.2.
    """
    sparse = _fresh(ticket, network)
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

    For Gem-Miner, `GemMiner(inverted=True)` inverts the whole search.

    Args:
        ticket: `Ticket` with scores.
        network: Not used.
        seed: Integer, for equal scores.

    Returns:
        `Ticket`.

    Raises:
        ValueError: If the ticket has no scores.
    """
    del network
    if ticket.scores is None:
        raise ValueError(
            "The ticket has no scores that could be inverted: its connections "
            "were chosen at random. Leave out the check 'invert'."
        )
    counts = [int(mask.sum()) for mask in ticket.masks.values()]
    masks = choose.by_layer(
        {name: -ticket.scores[name] for name in ticket.masks}, counts, seed
    )
    return dataclasses.replace(ticket, masks=masks)


def _fresh(ticket, network):
    """A sparse model with the network's own weights and dense masks."""
    dense = {name: np.ones_like(mask) for name, mask in ticket.masks.items()}
    ticket = dataclasses.replace(ticket, masks=dense, weights=None)
    return ticket.sparsify(network)
