"""Tests of costs that are known before there are masks."""

import keras
import pytest

import rigl_tf
from rigl_tf import models
from rigl_tf.analysis import flops_estimates
from tests import networks

WRN_22_2 = models.wide_resnet((32, 32, 3), 10, depth=22, width=2)


@pytest.mark.parametrize("name", ["convolutional", "functional"])
def test_an_estimate_is_what_masks_cost(name):
    network = networks.NETWORKS[name]()
    cost = flops_estimates.prunable_cost(network)
    sparse = rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.Static(),
        sparsity=0.7,
        distribution="uniform_all",
    )

    expected = flops_estimates.inference_flops(cost, "uniform_all", 0.7)
    # Connections are whole.
    assert rigl_tf.flops.inference(sparse).flops() == pytest.approx(
        expected, rel=0.01
    )


@pytest.mark.parametrize(
    ("sparsity", "expected"), [(0.9, 0.9416), (0.8, 0.8832), (0.5, 0.7134)]
)
def test_erdos_renyi_is_sparser_at_equal_flops(sparsity, expected):
    """The densities are from the reproduction's Figure 4."""
    cost = flops_estimates.prunable_cost(WRN_22_2)

    found = flops_estimates.equal_sparsity(
        cost, "erdos_renyi_kernel", "uniform", sparsity
    )

    assert found == pytest.approx(expected, abs=5e-5)
    assert flops_estimates.inference_flops(
        cost, "erdos_renyi_kernel", found
    ) == pytest.approx(
        flops_estimates.inference_flops(cost, "uniform", sparsity), rel=1e-4
    )


def test_a_distribution_that_always_costs_more_is_refused():
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(400),
            keras.layers.Dense(2),
        ]
    )
    cost = flops_estimates.prunable_cost(
        network
    )  # uniform keeps the first layer dense
    with pytest.raises(ValueError, match="has more than.*sparsity=0.99"):
        flops_estimates.equal_sparsity(cost, "uniform", "uniform_all", 0.99)
