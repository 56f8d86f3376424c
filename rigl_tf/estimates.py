"""What masks will cost, before there are any."""

import math

from rigl_tf import distributions
from rigl_tf import flops
from rigl_tf.algorithms import Static
from rigl_tf.checks import check_number
from rigl_tf.modeling.convert import densify
from rigl_tf.modeling.convert import sparsify


def maskable(network):
    """The `ModelCost` of a network, which says what of it can be sparse.

    Args:
        network: A built `keras.Model` without masks.
    """
    cost = flops.inference(sparsify(network, Static(), sparsity=0.0))
    densify(network)
    return cost


def inference_flops(cost, distribution, sparsity, exclude=()):
    """FLOPs of a forward pass when a distribution has shared the sparsity.

    Args:
        cost: `ModelCost` of `maskable`.
        distribution: Function of `rigl_tf.distributions`, or its name.
        sparsity: Float in [0, 1).
        exclude: Names of kernels to keep dense.

    Returns:
        Float, for one example, in the convention `"macs2"`.
    """
    kernels = [k for k in cost.kernels if k.sparse and k.name not in exclude]
    sparsities = distributions.get(distribution)(
        [kernel.shape for kernel in kernels],
        sparsity,
        names=[kernel.name for kernel in kernels],
    )
    return cost.flops(dense=True) - sum(
        kernel.flops(dense=True) * sparsity
        for kernel, sparsity in zip(kernels, sparsities, strict=True)
    )


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
