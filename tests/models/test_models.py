"""Tests of the architectures."""

import keras
import numpy as np
import pytest

from rigl_tf import models

BUILDERS = {
    "mlp": lambda: models.mlp((8, 8, 1), 10),
    "lenet5": lambda: models.lenet5(),
    "wide_resnet": lambda: models.wide_resnet((8, 8, 1), 10, depth=10, width=1),
    "resnet": lambda: models.resnet((8, 8, 1), 10, depth=8, channels=4),
    "resnet18": lambda: models.resnet18((8, 8, 1), 10, channels=4),
    "resnet50": lambda: models.resnet50((32, 32, 1), 10, channels=4),
    "vgg16": lambda: models.vgg16((8, 8, 1), 10, blocks=2, hidden=(9,)),
    "mobilenet_v1": lambda: models.mobilenet_v1((32, 32, 3), 10, width=0.25),
    "mobilenet_v2": lambda: models.mobilenet_v2((16, 16, 3), 10, width=0.25),
    "projected": lambda: models.mobilenet_v2(
        (16, 16, 3), 10, width=0.25, projections=True
    ),
}


@pytest.fixture(scope="module")
def wrn():
    return models.wide_resnet((32, 32, 3), 10)


def num_trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def kernel_shapes(model):
    return {
        layer.name: tuple(layer.kernel.shape)
        for layer in model.layers
        if hasattr(layer, "kernel")
    }


def wrn_kernel_shapes():
    """WRN-22-2 as in the reproduction of RigL, kernels as in Keras."""
    shapes = {"conv1": (3, 3, 3, 16)}
    for group, before, channels in (1, 16, 32), (2, 32, 64), (3, 64, 128):
        shapes[f"block{group}_0_shortcut"] = (1, 1, before, channels)
        shapes[f"block{group}_0_conv1"] = (3, 3, before, channels)
        shapes[f"block{group}_0_conv2"] = (3, 3, channels, channels)
        for index in 1, 2:
            for conv in "conv1", "conv2":
                name = f"block{group}_{index}_{conv}"
                shapes[name] = (3, 3, channels, channels)
    return shapes | {"logits": (128, 10)}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", BUILDERS)
def test_models_are_plain_and_return_logits(name):
    model = BUILDERS[name]()
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:]))

    logits = model(x).numpy()

    assert type(model) is type(keras.Model(model.inputs, model.outputs))
    assert logits.shape == (3, 10)
    # A softmax would be positive and sum to 1.
    assert logits.min() < 0 < logits.max()
    assert model.layers[-1].name == "logits"


# Keras 3.15 saves variables in a way that NumPy 2 advises against.
@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("name", BUILDERS)
def test_models_come_back_from_a_file(name, tmp_path):
    model = BUILDERS[name]()
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:]))
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(model(x), loaded(x))
    assert kernel_shapes(loaded) == kernel_shapes(model)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", BUILDERS)
def test_the_global_seed_decides_the_initial_weights(name):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return np.concatenate(
            [np.ravel(v) for v in BUILDERS[name]().trainable_variables]
        )

    np.testing.assert_array_equal(weights(1), weights(1))
    assert np.any(weights(1) != weights(2))


def test_mlp_is_lenet_300_100_by_default():
    model = models.mlp((28, 28, 1), 10)

    assert num_trainable(model) == model.count_params() == 266_610
    assert kernel_shapes(model) == {
        "dense1": (784, 300),
        "dense2": (300, 100),
        "logits": (100, 10),
    }


def test_mlp_has_the_hidden_layers_it_is_given():
    deep = models.mlp((64,), 5, hidden=(7, 6, 8))
    linear = models.mlp((64,), 5, hidden=())

    assert list(kernel_shapes(deep).values()) == [
        (64, 7),
        (7, 6),
        (6, 8),
        (8, 5),
    ]
    assert kernel_shapes(linear) == {"logits": (64, 5)}


def test_mlp_computes_relu_layers():
    model = models.mlp((2,), 2, hidden=(2,))
    eye = np.eye(2)
    model.set_weights([eye, np.zeros(2), eye, np.array([0.0, 1.0])])

    # ReLU keeps 3 and zeroes -4; the last bias adds 1 to the second logit.
    np.testing.assert_array_equal(model(np.array([[3.0, -4.0]])), [[3, 1]])


def test_lenet5_has_the_kernels_of_the_original_repository():
    model = models.lenet5()

    shapes = kernel_shapes(model)

    assert shapes == {
        "conv1": (5, 5, 1, 6),
        "conv2": (5, 5, 6, 16),
        "dense1": (256, 120),
        "dense2": (120, 84),
        "logits": (84, 10),
    }
    num_connections = sum(np.prod(shape) for shape in shapes.values())
    assert num_connections == 44_190
    assert num_trainable(model) == num_connections + 236 == 44_426


def test_lenet5_shrinks_images_as_valid_padding_does():
    model = models.lenet5()

    outputs = {layer.name: layer.output.shape[1:] for layer in model.layers}

    assert outputs["conv1"] == (24, 24, 6)
    assert outputs["pool1"] == (12, 12, 6)
    assert outputs["conv2"] == (8, 8, 16)
    assert outputs["pool2"] == (4, 4, 16)


def test_lenet5_accepts_16_pixels_and_no_fewer():
    assert models.lenet5((16, 16, 3), 4).output_shape == (None, 4)

    with pytest.raises(ValueError, match="at least 16x16.*\\(16, 15, 1\\)"):
        models.lenet5((16, 15, 1))


def test_wrn_22_2_has_the_parameters_of_the_reproduction(wrn):
    connections = sum(np.prod(s) for s in kernel_shapes(wrn).values())

    assert num_trainable(wrn) == 1_079_642
    assert connections == 1_076_912


def test_wrn_22_2_has_the_kernels_of_the_reproduction(wrn):
    shapes = kernel_shapes(wrn)

    assert len(shapes) == 23
    assert shapes == wrn_kernel_shapes()


def test_wrn_22_2_has_biases_in_the_last_layer_only(wrn):
    biased = [
        layer.name for layer in wrn.layers if getattr(layer, "use_bias", False)
    ]

    assert biased == ["logits"]


def test_wrn_22_2_halves_the_image_twice(wrn):
    sizes = [
        wrn.get_layer(f"block{group}_{index}_add").output.shape[1:]
        for group in (1, 2, 3)
        for index in (0, 2)
    ]

    assert sizes == [
        (32, 32, 32),
        (32, 32, 32),
        (16, 16, 64),
        (16, 16, 64),
        (8, 8, 128),
        (8, 8, 128),
    ]


def test_wrn_normalises_as_the_reference_does(wrn):
    norms = [
        layer
        for layer in wrn.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]

    assert len(norms) == 19  # two in each of nine blocks, one at the end
    assert {(n.momentum, n.epsilon) for n in norms} == {(0.9, 1e-5)}


@pytest.mark.parametrize("group", [1, 2, 3])
def test_wrn_gives_the_activated_input_to_both_branches(wrn, group):
    activated = wrn.get_layer(f"block{group}_0_relu1").output
    shortcut = wrn.get_layer(f"block{group}_0_shortcut")
    pad = "_pad" if group > 1 else ""  # strided ones are padded first

    assert shortcut.input is activated
    assert wrn.get_layer(f"block{group}_0_conv1{pad}").input is activated


@pytest.mark.parametrize("group", [1, 2, 3])
def test_wrn_adds_the_input_itself_where_channels_stay(wrn, group):
    for index in 1, 2:
        before = wrn.get_layer(f"block{group}_{index - 1}_add").output

        added = wrn.get_layer(f"block{group}_{index}_add").input

        assert any(tensor is before for tensor in added)


def test_wrn_without_a_change_of_channels_has_no_shortcut_there():
    names = kernel_shapes(models.wide_resnet((32, 32, 3), 10, width=1))

    assert "block1_0_shortcut" not in names
    assert "block2_0_shortcut" in names


@pytest.mark.parametrize("group", [2, 3])
def test_wrn_pads_strided_convolutions_on_all_sides(wrn, group):
    pad = wrn.get_layer(f"block{group}_0_conv1_pad")
    conv = wrn.get_layer(f"block{group}_0_conv1")
    x = np.random.default_rng(0).normal(size=(1, 8, 8, conv.kernel.shape[2]))
    kernel = np.zeros(conv.kernel.shape)
    kernel[1, 1, 0, 0] = 1  # the centre: copies channel 0
    strided = keras.layers.Conv2D(
        kernel.shape[-1],
        conv.kernel_size,
        strides=conv.strides,
        padding=conv.padding,
        use_bias=False,
    )
    strided.build((1, 10, 10, kernel.shape[2]))
    strided.kernel.assign(kernel)

    y = strided(pad(x))

    # Centred on even pixels; `padding="same"` would give x[1::2, 1::2].
    np.testing.assert_allclose(y[..., 0], x[:, ::2, ::2, 0], atol=1e-6)


def test_wrn_kernels_are_he_normal_by_fan_out(wrn):
    for name in "block1_0_conv1", "block3_0_conv1", "block3_1_conv2":
        kernel = wrn.get_layer(name).kernel.numpy()
        expected = np.sqrt(2 / (3 * 3 * kernel.shape[-1]))

        assert kernel.std() == pytest.approx(expected, rel=0.05)
        # Not truncated at two standard deviations.
        assert np.abs(kernel).max() > 3 * expected


def test_wrn_logits_start_uniform_within_the_reference_bounds(wrn):
    kernel = wrn.get_layer("logits").kernel.numpy()

    bound = 1 / np.sqrt(128)

    assert 0.95 * bound < np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)


def test_wrn_layers_of_one_shape_start_different(wrn):
    first = wrn.get_layer("block3_1_conv1").kernel.numpy()
    second = wrn.get_layer("block3_2_conv1").kernel.numpy()

    assert np.mean(first == second) < 0.01


def test_wrn_drops_activations_between_its_convolutions(wrn):
    for block in "block1_0", "block2_1", "block3_2":
        dropout = wrn.get_layer(f"{block}_dropout")

        assert dropout.rate == 0.3
        assert dropout.input is wrn.get_layer(f"{block}_relu2").output
        assert wrn.get_layer(f"{block}_conv2").input is dropout.output


def test_wrn_without_dropout_has_no_such_layers():
    model = models.wide_resnet((8, 8, 1), 10, depth=10, dropout=0)

    kinds = {type(layer) for layer in model.layers}

    assert keras.layers.Dropout not in kinds


@pytest.mark.parametrize(("depth", "num_kernels"), [(10, 11), (16, 17)])
def test_wrn_depth_counts_blocks(depth, num_kernels):
    model = models.wide_resnet((8, 8, 1), 10, depth=depth)

    # The stem, three shortcuts, the logits and depth - 4 in the blocks.
    assert len(kernel_shapes(model)) == num_kernels


@pytest.mark.parametrize("depth", [-2, 0, 4, 9, 20, 23])
def test_wrn_refuses_a_depth_that_is_not_6n_plus_4(depth):
    with pytest.raises(ValueError, match=f"`depth` must be.*depth={depth}"):
        models.wide_resnet((32, 32, 3), 10, depth=depth)


@pytest.mark.parametrize("dropout", [-0.1, 1, 1.5, float("nan")])
def test_wrn_refuses_a_dropout_that_is_no_fraction(dropout):
    with pytest.raises(ValueError, match="`dropout`.*\\[0, 1\\).*dropout="):
        models.wide_resnet((32, 32, 3), 10, dropout=dropout)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: models.mlp(64, 10),
            "`input_shape` must be a tuple.*\\(64,\\)",
        ),
        (lambda: models.mlp((0,), 10), "`input_shape`.*at least 1.*\\(0,\\)"),
        (lambda: models.mlp((None, 2), 10), "`input_shape`.*integers"),
        (lambda: models.mlp((8,), 0), "`num_classes`.*at least 1.*=0"),
        (lambda: models.mlp((8,), 2, hidden=5), "`hidden` must be a tuple"),
        (lambda: models.mlp((8,), 2, hidden=(5, 0)), "`hidden`.*at least 1"),
        (lambda: models.lenet5((28, 28)), "`input_shape` must have 3 entries"),
        (lambda: models.lenet5(num_classes=2.0), "`num_classes`.*=2.0"),
        (lambda: models.wide_resnet((32, 3), 10), "`input_shape` must have 3"),
        (lambda: models.wide_resnet((8, 8, 3), -1), "`num_classes`.*=-1"),
        (
            lambda: models.wide_resnet((8, 8, 3), 2, depth="22"),
            "`depth` must be an integer.*='22'",
        ),
        (lambda: models.wide_resnet((8, 8, 3), 2, width=0), "`width`.*=0"),
    ],
)
def test_bad_arguments_are_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()
