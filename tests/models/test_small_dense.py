"""Small-Dense: the reference's widths, parameters and FLOPs."""

import keras
import pytest

from rigl_tf import models
from rigl_tf.analysis import flops
from rigl_tf.models import small_dense


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("sparsity", "rounding", "parameters", "ratio"),
    [
        (0.9, "floor", 106_395, 0.0983),
        (0.8, "floor", 213_136, 0.1943),
        (0.9, "ceil", None, 0.1108),
    ],
)
def test_wide_resnet_has_the_parameters_and_flops_of_the_reference(
    sparsity, rounding, parameters, ratio
):
    dense = models.wide_resnet((32, 32, 3), 10)

    small = small_dense(dense, sparsity, rounding)

    trainable = sum(
        v.value.shape.num_elements() for v in small.trainable_variables
    )
    assert parameters in (None, trainable)
    assert flops.inference(small).flops() / flops.inference(
        dense
    ).flops() == pytest.approx(ratio, abs=5e-5)


@pytest.mark.slow
def test_resnet_50_has_the_parameters_and_flops_of_the_reference():
    dense = models.resnet50((32, 32, 3), 100, stem="cifar")

    small = small_dense(dense, 0.9, "floor", {"*_conv3": 4, "*_shortcut": 4})

    trainable = sum(
        v.value.shape.num_elements() for v in small.trainable_variables
    )
    assert trainable == 2_387_971
    # The reference counts another 644 for the biases of the logits.
    assert flops.inference(small).flops() == 254_932_868 - 644


@pytest.mark.parametrize("multiples", [{"stem": 4}, {"dense*": 4, "x": 2}])
def test_a_multiple_of_no_layer_is_refused(multiples):
    with pytest.raises(ValueError, match="`multiples` matches no layer"):
        small_dense(models.mlp((4,), 2), 0.5, "floor", multiples)


def test_widths_stay_multiples_in_the_largest_network_too():
    dense = models.mlp((64,), 10)

    small = small_dense(dense, 0.9, multiples={"dense1": 8})

    widths = [layer.units for layer in small.layers if hasattr(layer, "units")]
    assert widths[0] % 8 == 0
    assert widths[0] == pytest.approx(3 * widths[1], abs=11)


@pytest.mark.few(2)
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.98])
def test_the_largest_network_is_found_that_has_no_more_parameters(sparsity):
    dense = models.mlp((64,), 10)

    small = small_dense(dense, sparsity)

    # 50,200 weights and 410 biases; the hidden layers stay three to one.
    most = (1 - sparsity) * 50_200 + 410
    one, two, _ = (x.units for x in small.layers if hasattr(x, "units"))
    assert small.count_params() <= most
    assert one == pytest.approx(3 * two, abs=3)
    wider = models.mlp((64,), 10, hidden=(one + 3, two + 1))
    assert wider.count_params() > most


def test_the_widths_are_scaled_and_the_outputs_are_not():
    small = small_dense(models.mlp((64,), 10), 0.9, "nearest")

    widths = [layer.units for layer in small.layers if hasattr(layer, "units")]
    assert widths == [95, 32, 10]  # 94.87 and 31.6


def test_what_cannot_be_scaled_says_why():
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4)], name="block"
    )
    nested = keras.Sequential([keras.Input((4,)), inner])
    behind = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4), keras.layers.Softmax()]
    )

    with pytest.raises(TypeError, match="with block"):
        small_dense(nested, 0.5)
    with pytest.raises(ValueError, match="ends in softmax"):
        small_dense(behind, 0.5)
    with pytest.raises(ValueError, match="rounding='up'"):
        small_dense(models.mlp((4,), 2), 0.5, "up")
    with pytest.raises(ValueError, match="'dense1' would have 0.95 units"):
        small_dense(models.mlp((4,), 2, hidden=(3,)), 0.9, "floor")
    with pytest.raises(ValueError, match="_20. cannot be built with 0.7"):
        small_dense(models.resnet((16, 16, 3), 2), 0.5, "ceil")
    with pytest.raises(ValueError, match="has 9 parameters, more than the 8"):
        small_dense(models.mlp((4,), 2, hidden=(4,)), 0.9)
