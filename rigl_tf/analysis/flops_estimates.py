"""Estimates of what masks cost, before there are any."""

import dataclasses
import math

from rigl_tf.algorithms import Static
from rigl_tf.analysis import flops
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.layer_sparsities import call_distribution
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.utils.validation import check_number


def maskable(network, include=()):
    """Returns the `ModelCost` of a network, with all that can be sparse.

    Args:
        network: A built `keras.Model` without masks.
        include: What is masked only if it is named, as for `sparsify`.
    """
    cost = flops.inference(
        sparsify(network, Static(), sparsity=0.0, include=include)
    )
    densify(network)
    return cost


def inference_flops(cost, distribution, sparsity, exclude=()):
    """Returns the FLOPs of a forward pass at the sparsities of a distribution.

    The first layer of the network is the one that is called first.

    Args:
        cost: `ModelCost` of `maskable`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        sparsity: Float in [0, 1).
        exclude: Names of kernels to keep dense.

    Returns:
        Float, for one example, in the convention `"macs2"`.
    """
    kernels = [k for k in cost.kernels if k.sparse and k.name not in exclude]
    sparsities = call_distribution(
        distributions.get(distribution),
        [kernel.shape for kernel in kernels],
        sparsity,
        [kernel.name for kernel in kernels],
        distributions.first_layer([kernel.name for kernel in cost.kernels]),
    )
    return cost.flops(dense=True) - sum(
        kernel.flops(dense=True) * sparsity
        for kernel, sparsity in zip(kernels, sparsities, strict=True)
    )


def pruned_densities(density, schedule, num_epochs, steps_per_epoch):
    """Returns the density after every epoch of gradual pruning.

    Args:
        density: Float in (0, 1], after the last update.
        schedule: `UpdateSchedule`.
        num_epochs: Integer.
        steps_per_epoch: Integer.

    Returns:
        List of `num_epochs` floats.

    Example:

    >>> from rigl_tf.schedules import UpdateSchedule
    >>> every_step = UpdateSchedule(1, end_step=5)
    >>> densities = pruned_densities(0.2, every_step, 3, 2)
    >>> [round(density, 3) for density in densities]
    [0.3, 0.2, 0.2]

    Reference:
        [Zhu & Gupta, 2017](https://arxiv.org/abs/1710.01878), equation 1.
    """
    num_steps = num_epochs * steps_per_epoch
    updates = dataclasses.replace(
        schedule,
        interval=schedule.interval or steps_per_epoch,
        end_step=schedule.end_step or int(schedule.end_fraction * num_steps),
    )
    sparsity = schedules.resolve_steps(
        schedules.PolynomialSparsity(1 - density), updates
    )
    return [
        1 - float(sparsity(epoch * steps_per_epoch))
        for epoch in range(1, num_epochs + 1)
    ]


def equal_sparsity(cost, distribution, other, sparsity):
    """The sparsity at which a distribution costs what another one does.

    At equal parameters, Erdos-Renyi-Kernel costs more FLOPs than uniform
    sparsity, so that a comparison at equal FLOPs gives it fewer parameters
    (Sundar & Dwaraknath, 2021, section 6.1).

    Args:
        cost: `ModelCost` of `maskable`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        other: The one to compare with, likewise.
        sparsity: Float in [0, 1), of the other.

    Returns:
        Float in [0, 1).

    Raises:
        ValueError: If the distribution costs more at any sparsity.
    """
    check_number("sparsity", sparsity, "[0, 1)")
    wanted = inference_flops(cost, other, sparsity)
    low, high = 0.0, math.nextafter(1.0, 0.0)
    if inference_flops(cost, distribution, 1 - 1e-9) > wanted:
        raise ValueError(
            f"{distribution} costs more than {wanted:,.0f} FLOPs at any "
            f"sparsity. Received: sparsity={sparsity}, other={other!r}."
        )
    for _ in range(50):
        middle = (low + high) / 2
        if inference_flops(cost, distribution, middle) > wanted:
            low = middle
        else:
            high = middle
    return high
