"""FLOPs estimates for sparse models that are not built."""

import dataclasses
import math

import keras

from rigl_tf.algorithms import Static
from rigl_tf.analysis import flops
from rigl_tf.analysis.flops import ModelCost
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.layer_sparsities import call_distribution
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.typing import Distribution
from rigl_tf.typing import Names
from rigl_tf.utils.validation import check_number


def prunable_cost(network: keras.Model, include: Names = ()) -> ModelCost:
    """Returns the `ModelCost` of a network with masks on all kernels.

    Args:
        network: A built `keras.Model` without masks. Its masks are removed
            again.
        include: Names of layers that are masked only on request, as for
            `sparsify`.
    """
    cost = flops.inference(
        sparsify(network, Static(), sparsity=0.0, include=include)
    )
    densify(network)
    return cost


def inference_flops(
    cost: ModelCost,
    distribution: str | Distribution,
    sparsity: float,
    exclude: Names = (),
) -> float:
    """Estimates the FLOPs of a forward pass with a distribution.

    The first layer of the network is the layer that is called first.

    Args:
        cost: `ModelCost` from `prunable_cost`.
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


def scheduled_densities(sparsity, schedule, num_epochs, steps_per_epoch):
    """Returns the density after every epoch by a sparsity schedule.

    Args:
        sparsity: A sparsity schedule of `rigl_tf.schedules`.
        schedule: `UpdateSchedule`.
        num_epochs: Integer.
        steps_per_epoch: Integer.

    Returns:
        List of `num_epochs` floats.

    Example:

    >>> from rigl_tf import schedules
    >>> every_step = schedules.UpdateSchedule(1, end_step=5)
    >>> pruning = schedules.PolynomialSparsity(0.8)
    >>> densities = scheduled_densities(pruning, every_step, 3, 2)
    >>> [round(density, 3) for density in densities]
    [0.3, 0.2, 0.2]
    """
    num_steps = num_epochs * steps_per_epoch
    updates = dataclasses.replace(
        schedule,
        interval=schedule.interval or steps_per_epoch,
        end_step=schedule.end_step or int(schedule.end_fraction * num_steps),
    )
    sparsity = schedules.resolve_steps(sparsity, updates)
    return [
        1 - float(sparsity(epoch * steps_per_epoch))
        for epoch in range(1, num_epochs + 1)
    ]


def equal_sparsity(
    cost: ModelCost,
    distribution: str | Distribution,
    other: str | Distribution,
    sparsity: float,
) -> float:
    """Returns the sparsity at which two distributions have equal FLOPs.

    With equal parameters, Erdos-Renyi-Kernel has more FLOPs than uniform
    sparsity. A comparison at equal FLOPs therefore gives Erdos-Renyi-Kernel
    fewer parameters (Sundar & Dwaraknath, 2021, section 6.1).

    Args:
        cost: `ModelCost` from `prunable_cost`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        other: The distribution to compare with, in the same form.
        sparsity: Float in [0, 1), the sparsity of `other`.

    Returns:
        Float in [0, 1), the sparsity of `distribution`.

    Raises:
        ValueError: If the distribution has more FLOPs at any sparsity.
    """
    check_number("sparsity", sparsity, "[0, 1)")
    wanted = inference_flops(cost, other, sparsity)
    low, high = 0.0, math.nextafter(1.0, 0.0)
    if inference_flops(cost, distribution, 1 - 1e-9) > wanted:
        raise ValueError(
            f"{distribution} has more than {wanted:,.0f} FLOPs at any "
            f"sparsity. Received: sparsity={sparsity}, other={other!r}. Lower "
            "`sparsity`."
        )
    for _ in range(50):
        middle = (low + high) / 2
        if inference_flops(cost, distribution, middle) > wanted:
            low = middle
        else:
            high = middle
    return high
