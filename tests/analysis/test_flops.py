"""Tests of the counting of parameters and FLOPs."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import models
from rigl_tf.analysis import flops
from rigl_tf.sparsity import distributions


def sequential(input_shape, *layers, dtype="float32"):
    return keras.Sequential([keras.Input(input_shape, dtype=dtype), *layers])


def with_sparsity(cost, sparsity):
    """The cost of one kernel at a sparsity that is not rounded."""
    (kernel,) = cost.kernels
    return dataclasses.replace(kernel, active=kernel.size * (1 - sparsity))


@pytest.fixture(scope="module")
def wrn():
    return models.wide_resnet((32, 32, 3), 10)


@pytest.fixture(scope="module")
def wrn_cost(wrn):
    return flops.inference(wrn)


@pytest.fixture(scope="module")
def resnet_cost():
    """ResNet-50 for 100 classes of 32 x 32 pixels, by hand."""
    kernels = [((3, 3, 3, 64), 32)]  # shape, and side of the output
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width, side = 64 << stage, 32 >> stage
        for block in range(blocks):
            before = 2 * side if stage and not block else side
            kernels.append(((1, 1, channels, width), before))
            kernels.append(((3, 3, width, width), side))
            kernels.append(((1, 1, width, 4 * width), side))
            if not block:
                kernels.append(((1, 1, channels, 4 * width), side))
            channels = 4 * width
    kernels.append(((2048, 100), 1))
    return flops.ModelCost(
        kernels=tuple(
            flops.KernelCost(
                name=str(i),
                shape=shape,
                active=math.prod(shape),
                uses=side**2,
                same_uses=side**2,
                outputs=shape[-1],
                sparse=True,
            )
            for i, (shape, side) in enumerate(kernels)
        ),
        attention=0,
        other_parameters=53_120 + 100,
    )


# Each expectation is 2 x the kernel's connections x the uses of each.
WORKED_EXAMPLES = {
    "dense": ((5,), kl.Dense(3), 2 * 5 * 3),
    "dense on 4 positions": ((4, 5), kl.Dense(3), 2 * 5 * 3 * 4),
    "conv2d, valid": ((8, 8, 2), kl.Conv2D(4, 3), 2 * 9 * 2 * 4 * 6 * 6),
    "conv2d, same": (
        (8, 8, 2),
        kl.Conv2D(4, 3, padding="same"),
        2 * 9 * 2 * 4 * 8 * 8,
    ),
    "conv2d, strides": (
        (8, 8, 2),
        kl.Conv2D(4, 3, strides=2),
        2 * 9 * 2 * 4 * 3 * 3,
    ),
    # A kernel of 3 spreads over 5.
    "conv2d, dilation": (
        (8, 8, 2),
        kl.Conv2D(4, 3, dilation_rate=2),
        2 * 9 * 2 * 4 * 4 * 4,
    ),
    # Each of 6 filters sees 4 / 2 channels.
    "conv2d, groups": (
        (8, 8, 4),
        kl.Conv2D(6, 3, groups=2, padding="same", strides=2),
        2 * 9 * 2 * 6 * 4 * 4,
    ),
    # Each input pixel is multiplied by the whole kernel.
    "transposed": (
        (4, 4, 2),
        kl.Conv2DTranspose(3, 3, strides=2),
        2 * 9 * 2 * 3 * 4 * 4,
    ),
    "depthwise": (
        (8, 8, 2),
        kl.DepthwiseConv2D(3, depth_multiplier=2),
        2 * 9 * 2 * 2 * 6 * 6,
    ),
    "separable": (
        (8, 8, 2),
        kl.SeparableConv2D(5, 3),
        2 * (9 * 2 + 2 * 5) * 6 * 6,
    ),
    "channels first": (
        (2, 8, 7),
        kl.Conv2D(5, 3, data_format="channels_first"),
        2 * 9 * 2 * 5 * 6 * 5,
    ),
    "conv1d": ((10, 2), kl.Conv1D(5, 3), 2 * 3 * 2 * 5 * 8),
    "conv1d, causal": (
        (10, 2),
        kl.Conv1D(5, 3, padding="causal"),
        2 * 3 * 2 * 5 * 10,
    ),
    "conv3d": (
        (4, 4, 4, 2),
        kl.Conv3D(3, 2),
        2 * 8 * 2 * 3 * 3**3,
    ),
    "einsum": (
        (4, 5),
        kl.EinsumDense("abc,cd->abd", output_shape=(None, 3)),
        2 * 5 * 3 * 4,
    ),
    # A matrix for each of 4 heads, used once.
    "einsum, batched kernel": (
        (4, 5),
        kl.EinsumDense("bhd,hdo->bho", output_shape=(4, 3)),
        2 * 4 * 5 * 3,
    ),
    "simple rnn": ((6, 3), kl.SimpleRNN(4), 2 * (3 * 4 + 4 * 4) * 6),
    "lstm": ((6, 3), kl.LSTM(4), 2 * 4 * (3 * 4 + 4 * 4) * 6),
    "gru": ((6, 3), kl.GRU(4), 2 * 3 * (3 * 4 + 4 * 4) * 6),
    "two cells": (
        (6, 3),
        kl.RNN([kl.SimpleRNNCell(4), kl.SimpleRNNCell(2)]),
        2 * (3 * 4 + 4 * 4 + 4 * 2 + 2 * 2) * 6,
    ),
    "bidirectional": (
        (6, 3),
        kl.Bidirectional(kl.SimpleRNN(4)),
        2 * 2 * (3 * 4 + 4 * 4) * 6,
    ),
    "time distributed": (
        (6, 3),
        kl.TimeDistributed(kl.Dense(4)),
        2 * 3 * 4 * 6,
    ),
    "nothing to multiply": ((8, 8, 2), kl.MaxPooling2D(), 0),
}


@pytest.mark.parametrize("name", WORKED_EXAMPLES)
def test_a_layer_costs_what_the_worked_example_says(name):
    input_shape, layer, expected = WORKED_EXAMPLES[name]
    model = sequential(input_shape, layer)

    cost = flops.inference(model)

    assert cost.flops() == cost.flops(dense=True) == expected
    assert cost.parameters() == model.count_params()


@pytest.mark.parametrize(
    "call",
    [
        lambda layer, q, v, m: layer(q, v, attention_mask=m),
        lambda layer, q, v, m: layer(query=q, value=v, attention_mask=m),
    ],
    ids=["by position", "by name"],
)
def test_attention_costs_projections_and_products(call):
    query, value = keras.Input((5, 8)), keras.Input((7, 8))
    mask = keras.Input((5, 7), dtype="bool")
    layer = kl.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=4)
    model = keras.Model([query, value, mask], call(layer, query, value, mask))

    cost = flops.inference(model)

    # 5 queries meet 7 keys in 2 heads, in 3 dimensions; then 4 for values.
    assert cost.attention == 2 * 2 * 5 * 7 * (3 + 4)
    # Query and output at 5 positions, key and value at 7.
    projections = 8 * 6 * 5 + 8 * 6 * 7 + 8 * 8 * 7 + 8 * 8 * 5
    assert cost.flops() == cost.attention + 2 * projections


def test_grouped_attention_counts_its_query_heads():
    query, value = keras.Input((5, 8)), keras.Input((7, 8))
    layer = kl.GroupQueryAttention(3, num_query_heads=4, num_key_value_heads=2)
    model = keras.Model([query, value], layer(query, value))

    cost = flops.inference(model)

    assert cost.attention == 2 * 4 * 5 * 7 * (3 + 3)


def test_a_shared_layer_costs_twice_and_holds_its_parameters_once():
    inputs = keras.Input((5,))
    shared = kl.Dense(5)
    model = keras.Model(inputs, shared(shared(inputs)))

    cost = flops.inference(model)

    assert cost.flops() == 2 * (2 * 5 * 5)
    assert cost.parameters() == 5 * 5 + 5


def test_a_nested_model_counts_like_its_layers():
    inner = sequential((5,), kl.Dense(4, name="a"), kl.Dense(5, name="b"))
    inputs = keras.Input((5,))
    model = keras.Model(inputs, kl.Dense(3, name="c")(inner(inputs)))

    cost = flops.inference(model)

    assert cost.flops() == 2 * (5 * 4 + 4 * 5 + 5 * 3)
    assert [kernel.name for kernel in cost.kernels] == [
        f"{inner.name}/a/kernel",
        f"{inner.name}/b/kernel",
        "c/kernel",
    ]


def test_frozen_layers_keep_their_parameters():
    model = sequential((5,), kl.Dense(4), kl.BatchNormalization(), kl.Dense(3))
    before = flops.inference(model)
    model.layers[0].trainable = False

    after = flops.inference(model)

    # Weights and biases, and the scale and the shift of the normalization.
    assert after == before
    assert after.parameters() == (5 * 4 + 4) + 2 * 4 + (4 * 3 + 3)


def test_a_sparse_embedding_has_fewer_parameters_and_no_flops():
    model = sequential((6,), kl.Embedding(10, 4), dtype="int32")
    sparse = rigl_tf.sparsify(
        model, algorithms.RigL(), sparsity=0.75, include="embedding*"
    )

    cost = flops.inference(sparse)

    assert (cost.parameters(), cost.parameters(dense=True)) == (10, 40)
    assert cost.flops() == cost.flops("micronet") == 0


def test_a_sparse_model_costs_its_active_connections():
    model = sequential((10,), kl.Dense(20, name="a"), kl.Dense(10, name="b"))
    sparse = rigl_tf.sparsify(
        model,
        algorithms.RigL(),
        sparsity=0.9,
        distribution=distributions.uniform,
    )

    cost = flops.inference(sparse)

    # The first layer stays dense, the second keeps a tenth of 200.
    assert cost.flops() == 2 * (200 + 20)
    assert cost.flops(dense=True) == 2 * (200 + 200)
    assert cost.ratio() == 0.55
    assert cost.parameters() == 200 + 20 + 20 + 10
    assert [kernel.sparsity for kernel in cost.kernels] == [0, 0.9]


def test_recount_follows_the_masks():
    model = sequential((4,), kl.Dense(5))
    sparse = rigl_tf.sparsify(model, algorithms.RigL(), sparsity=0.5)
    cost = flops.inference(sparse)
    mask = np.zeros((4, 5), bool)
    mask[0, :3] = True
    rigl_tf.sparse_layers(sparse)[0].set_masks([mask])

    recounted = cost.recount(sparse)

    assert (cost.flops(), recounted.flops()) == (2 * 10, 2 * 3)
    assert recounted == flops.inference(sparse)


@pytest.mark.parametrize(
    ("input_shape", "layer", "sparsity", "mult", "add"),
    [
        (
            (56, 56, 64),
            kl.Conv2D(128, 3, padding="same"),
            0,
            231_612_416,
            231_211_008,
        ),
        (
            (56, 56, 64),
            kl.Conv2D(128, 3, padding="same", strides=2),
            0.9,
            5_880_627.2,
            5_780_275.2,
        ),
        ((784,), kl.Dense(300), 0.98, 5_004, 4_704),
        (
            (112, 112, 32),
            kl.DepthwiseConv2D(3, padding="same"),
            0,
            4_014_080,
            3_612_672,
        ),
    ],
)
def test_micronet_counts_like_the_original_authors(
    input_shape, layer, sparsity, mult, add
):
    cost = flops.inference(sequential(input_shape, layer))

    counted = with_sparsity(cost, sparsity).flops("micronet")

    assert counted == pytest.approx(mult + add, rel=1e-12)


def test_micronet_takes_valid_padding_for_same_padding():
    same, valid = (
        flops.inference(sequential((9, 9, 2), kl.Conv2D(4, 3, padding=padding)))
        for padding in ("same", "valid")
    )

    assert same.flops("micronet") == valid.flops("micronet")
    assert same.flops() > valid.flops()


def test_wrn_22_2_costs_what_the_reproduction_says(wrn_cost):
    assert wrn_cost.flops() == 315_460_096
    assert wrn_cost.parameters() == 1_079_642


def test_resnet_50_costs_what_the_reproduction_says(resnet_cost):
    assert resnet_cost.flops() == 2_596_028_416
    assert resnet_cost.parameters() == 23_705_252


@pytest.mark.parametrize(
    ("network", "distribution", "sparsity", "expected", "rigl", "snfs"),
    [
        (
            "resnet",
            distributions.erdos_renyi_kernel,
            0.95,
            0.1136,
            0.1165,
            0.4091,
        ),
        (
            "resnet",
            distributions.erdos_renyi_kernel,
            0.9,
            0.2247,
            0.2273,
            0.4832,
        ),
        ("resnet", distributions.erdos_renyi, 0.9, 0.2216, 0.2241, None),
        ("resnet", distributions.erdos_renyi, 0.8, 0.4152, 0.4171, None),
        ("resnet", distributions.uniform, 0.9, 0.1012, 0.1042, 0.4008),
        ("resnet", distributions.uniform, 0.8, 0.2011, 0.2037, 0.4674),
        ("wrn", distributions.erdos_renyi_kernel, 0.95, 0.0881, 0.0911, 0.3921),
        ("wrn", distributions.erdos_renyi_kernel, 0.9, 0.1735, 0.1763, 0.4490),
        ("wrn", distributions.erdos_renyi_kernel, 0.8, 0.3521, 0.3542, 0.5680),
        ("wrn", distributions.erdos_renyi, 0.9, 0.1759, 0.1786, None),
        ("wrn", distributions.erdos_renyi, 0.8, 0.3496, 0.3518, None),
        ("wrn", distributions.uniform, 0.95, 0.0527, 0.0558, 0.3684),
        ("wrn", distributions.uniform, 0.9, 0.1025, 0.1055, 0.4017),
        ("wrn", distributions.uniform, 0.8, 0.2022, 0.2049, 0.4682),
        ("wrn", distributions.uniform, 0.5, 0.5014, 0.5030, 0.6676),
    ],
)
def test_sparse_networks_cost_the_ratios_of_the_reproduction(
    request, network, distribution, sparsity, expected, rigl, snfs
):
    """FLOPs of inference, and of training with RigL and (at first) SNFS."""
    cost = request.getfixturevalue(f"{network}_cost")
    shapes = [kernel.shape for kernel in cost.kernels]
    budgets = distributions.budgets(shapes, distribution(shapes, sparsity))
    sparse = dataclasses.replace(
        cost,
        kernels=tuple(
            dataclasses.replace(kernel, active=budget)
            for kernel, budget in zip(cost.kernels, budgets, strict=True)
        ),
    )

    assert sparse.ratio() == pytest.approx(expected, abs=1e-4)
    trained = {
        name: flops.training(name, sparse.ratio(), 1.0) / 3
        for name in ("rigl", "snfs")
    }
    assert trained["rigl"] == pytest.approx(rigl, abs=1e-4)
    assert snfs is None or trained["snfs"] == pytest.approx(snfs, abs=1e-4)


@pytest.mark.slow
def test_sharing_by_gradient_costs_wrn_22_2_half_of_the_dense_flops(wrn):
    """As in table 5 of the reproduction, from a fifth; on random data."""
    sparse = rigl_tf.sparsify(
        wrn,
        algorithms.RigLSG(),
        sparsity=0.8,
        distribution=distributions.uniform,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=100),
        drop_fraction=rigl_tf.schedules.Constant(0.3),
    )
    sparse.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32 * 9, 32, 32, 3)).astype("float32")

    before = flops.inference(sparse)
    sparse.fit(x, rng.integers(0, 10, len(x)), verbose=0)

    assert before.ratio() == pytest.approx(0.2022, abs=1e-4)
    assert before.recount(sparse).ratio() == pytest.approx(0.5, abs=0.03)


def test_sparsified_wrn_22_2_trains_at_the_ratio_of_the_reproduction(wrn):
    plain = rigl_tf.densify(wrn)
    sparse = rigl_tf.sparsify(plain, algorithms.RigL(), sparsity=0.9)

    cost = flops.inference(sparse)
    training = flops.training("rigl", cost.flops(), cost.flops(dense=True))

    assert cost.ratio() == pytest.approx(0.1735, abs=1e-4)
    assert training / (3 * 315_460_096) == pytest.approx(0.1763, abs=1e-4)


@pytest.fixture(scope="module")
def imagenet_cost():
    return flops.inference(models.resnet50((224, 224, 3), 1000))


def test_resnet_50_costs_what_the_original_authors_counted(imagenet_cost):
    assert imagenet_cost.flops("micronet") == 8_202_340_776
    assert imagenet_cost.flops() == 8_178_368_512


@pytest.mark.parametrize(
    ("distribution", "sparsity", "expected", "times", "training"),
    [
        (distributions.erdos_renyi_kernel, 0.8, 3_406_320_053.3, 5, 2.0861),
        (distributions.uniform, 0.8, 1_848_468_000, 5, 1.1396),
        (distributions.erdos_renyi_kernel, 0.9, 1_994_388_310.2, 5, 1.2282),
        (distributions.uniform, 0.9, 1_054_234_000, 5, 0.6570),
        (distributions.erdos_renyi_kernel, 0.95, 1_008_950_624.5, 5, 0.6295),
        # With a dense first layer.
        (distributions.erdos_renyi_kernel, 0.99, 449_350_816.7, 100, 5.7903),
    ],
)
def test_sparse_resnet_50_costs_what_the_original_authors_counted(
    imagenet_cost, distribution, sparsity, expected, times, training
):
    """FLOPs of inference, and of `times` the training relative to dense."""
    kernels = imagenet_cost.kernels
    sparsities = distribution(
        [kernel.shape for kernel in kernels],
        sparsity,
        dense=["layer_0"] if sparsity == 0.99 else (),
    )
    sparse = dataclasses.replace(
        imagenet_cost,
        kernels=tuple(
            dataclasses.replace(kernel, active=kernel.size * (1 - s))
            for kernel, s in zip(kernels, sparsities, strict=True)
        ),
    )

    assert sparse.flops("micronet") == pytest.approx(expected, rel=1e-6)
    trained = flops.training("rigl", sparse.ratio("micronet"), 1.0) / 3
    assert times * trained == pytest.approx(training, abs=1e-4)


def test_micronet_takes_zero_padding_inside_of_a_network_for_its_own():
    """The picture is 11 x 11 with its zeros, as the authors count."""
    model = sequential(
        (9, 9, 2),
        kl.ZeroPadding2D(1),
        kl.Conv2D(4, 3, strides=2),
        kl.ZeroPadding2D(1),
        kl.Conv2D(4, 3, strides=2),
    )

    first, second = flops.inference(model).kernels

    assert (first.uses, first.same_uses) == (5**2, 6**2)
    assert (second.uses, second.same_uses) == (3**2, 3**2)


def test_training_follows_the_formulas_of_the_appendix():
    assert flops.training("dense", 2, 10) == 3 * 10
    assert flops.training("set", 2, 10) == 3 * 2
    assert flops.training(algorithms.Static(), 2, 10) == 3 * 2
    # Four steps of 3 f_s and an update of 2 f_s + f_d, over five steps.
    assert flops.training("rigl", 2, 10, interval=4) == (4 * 6 + 14) / 5
    # A dense gradient at every step: 2 f_s + f_d.
    assert flops.training("snfs", 2, 10) == 14
    # Pruning uses gradients of active connections only.
    assert flops.training("movement_pruning", 2, 10) == 6


def test_training_refuses_an_unknown_method():
    with pytest.raises(ValueError, match="one of .*rigl,.*'rigel'"):
        flops.training("rigel", 1, 2)


def test_an_unknown_convention_is_refused():
    cost = flops.inference(sequential((5,), kl.Dense(3)))

    with pytest.raises(ValueError, match="macs2.*micronet.*convention='macs'"):
        cost.flops("macs")


def test_an_open_input_shape_must_be_filled_in():
    model = sequential((None, None, 2), kl.Conv2D(4, 3))

    with pytest.raises(
        ValueError, match="full input shape.*Pass `input_shape`"
    ):
        flops.inference(model)

    cost = flops.inference(model, input_shape=(8, 8, 2))
    assert cost.flops() == 2 * 9 * 2 * 4 * 6 * 6


def test_an_open_shape_inside_a_network_is_named():
    def without_zeros(x):
        return tf.boolean_mask(x, tf.reduce_any(x != 0, axis=(0, 2)), axis=1)

    model = sequential(
        (6, 2),
        kl.Lambda(without_zeros, output_shape=(None, 2)),
        kl.Dense(3, name="logits"),
    )

    with pytest.raises(ValueError, match="full shapes. Received: 'logits'"):
        flops.inference(model)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = kl.Dense(3)

    def call(self, x):
        return self.dense(x)


def test_a_subclassed_model_needs_an_input_shape():
    model = Subclassed()
    model(np.zeros((1, 5)))

    with pytest.raises(ValueError, match="without an input shape"):
        flops.inference(model)

    assert flops.inference(model, input_shape=(5,)).flops() == 2 * 5 * 3


def test_a_layer_may_be_called_with_a_variable():
    """As a layer of HGQ2 calls its quantizer with its kernel."""

    class Quantized(keras.layers.Dense):
        def build(self, input_shape):
            self.quantizer = keras.layers.Activation("tanh")
            super().build(input_shape)

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.quantizer(self._kernel))

    model = keras.Sequential([keras.Input((5,)), Quantized(3, use_bias=False)])

    assert flops.inference(model).flops() == 2 * 5 * 3


def test_a_model_that_is_built_by_counting_is_counted_once():
    assert flops.inference(Subclassed(), input_shape=(5,)).flops() == 30


def test_counting_leaves_the_model_as_it_was():
    model = sequential(
        (6, 6, 1),
        kl.Conv2D(2, 3),
        kl.BatchNormalization(),
        kl.Dropout(0.5),
        kl.Flatten(),
        kl.Dense(3),
    )
    sparse = rigl_tf.sparsify(model, algorithms.RigL(), sparsity=0.5)
    before = [np.array(v) for v in sparse.variables]
    attributes = [set(vars(layer)) for layer in sparse._flatten_layers()]

    flops.inference(sparse)

    for old, new in zip(before, sparse.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert attributes == [set(vars(la)) for la in sparse._flatten_layers()]


def test_counting_that_fails_leaves_the_model_as_it_was():
    model = sequential((None, 6, 1), kl.Conv2D(2, 3), kl.Flatten())

    with pytest.raises(ValueError):
        flops.inference(model, input_shape=(2, 6, 1))  # too small

    assert all("call" not in vars(la) for la in model._flatten_layers())


def test_sizes_of_kernels_add_up(wrn_cost):
    sizes = [math.prod(kernel.shape) for kernel in wrn_cost.kernels]

    assert [kernel.size for kernel in wrn_cost.kernels] == sizes
    assert sum(sizes) == 1_076_912
    assert wrn_cost.other_parameters == 2_720 + 10


@pytest.mark.parametrize(
    ("change", "parameters"),
    [
        (lambda layer: layer.quantize("int8"), 8 * 3 + 3 + 8),
        (lambda layer: layer.enable_lora(2), None),
    ],
)
def test_what_keras_has_changed_is_warned_of(change, parameters):
    model = sequential((8,), kl.Dense(8, name="a"), kl.Dense(3, name="b"))
    change(model.layers[0])

    with pytest.warns(UserWarning, match="of .*a.* are not counted"):
        cost = flops.inference(model)

    assert cost.flops() == 2 * 8 * 3
    assert parameters is None or cost.parameters() == parameters


class Custom(kl.Layer):
    sparse_kernels = ("w",)

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 10), name="w")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.w)


def test_a_sparse_kernel_of_an_unknown_layer_is_warned_of():
    model = sequential((8,), Custom(name="own"), kl.Dense(3))
    sparse = rigl_tf.sparsify(model, "static", sparsity=0.5, include="own")

    with pytest.warns(UserWarning, match="own/w.* not counted"):
        cost = flops.inference(sparse)

    assert cost.parameters(dense=True) == 8 * 10 + 10 * 3 + 3


def test_a_folded_batch_counts():
    frames = keras.Input((5, 8, 8, 3))
    images = keras.layers.Lambda(lambda x: keras.ops.reshape(x, (-1, 8, 8, 3)))(
        frames
    )
    model = keras.Model(frames, kl.Conv2D(4, 3)(images))

    assert flops.inference(model).flops() == 2 * 5 * (6 * 6) * 27 * 4


def test_attention_without_kernels_counts_its_products():
    query, value = keras.Input((5, 8)), keras.Input((7, 8))
    model = keras.Model([query, value], kl.Attention()([query, value]))

    assert flops.inference(model).flops() == 2 * 5 * 7 * (8 + 8)


def test_the_network_of_a_user_is_a_part_of_its_model():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.network = keras.Sequential([kl.Dense(8), kl.Dense(8)])
            self.head = kl.Dense(4)

        def call(self, inputs):
            return self.head(self.network(inputs))

    model = Two()
    model(np.ones((1, 8)))

    assert flops.inference(model, (8,)).flops() == 2 * (64 + 64 + 32)
    rigl_tf.sparsify(model, "static", sparsity=0.5)
    assert rigl_tf.densify(model) is model


def test_a_kernel_that_cannot_be_counted_is_warned_of():
    model = keras.Sequential(
        [keras.Input((3, 8, 8, 2)), keras.layers.ConvLSTM2D(4, 3, name="lstm")]
    )

    with pytest.warns(UserWarning, match="lstm.*/kernel, .*recurrent_kernel"):
        cost = flops.inference(model)

    assert cost.flops() == 0
    assert cost.parameters() == model.count_params()
