"""Which kernels get masks, in layers of any kind."""

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

import rigl_tf
from rigl_tf.modeling import placement


def masked(layer, input_shape=(6,), before=(), **kwargs):
    """The names of the kernels that a model with a layer has masks for."""
    model = keras.Sequential(
        [keras.Input(input_shape), *before, layer, kl.Flatten()]
        + [kl.Dense(4, name="head")]
    )
    kwargs.setdefault("sparsity", 0.5)
    sparse = rigl_tf.sparsify(model, "static", **kwargs)
    return [kernel.name for kernel in sparse.kernels]


class Scale(kl.Layer):
    """A layer with a weight of its own."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 12), name="weight")
        self.scale = self.add_weight(shape=(12,), name="scale")

    def call(self, x):
        return ops.matmul(x, self.w) * self.scale


class Named(Scale):
    sparse_kernels = ("w",)


class ScaleOfLayer(Scale):
    """Has a layer, too."""

    def build(self, input_shape):
        super().build(input_shape)
        self.inner = kl.Dense(12, name="inner")
        self.inner.build((None, 12))

    def call(self, x):
        return self.inner(super().call(x))


class Block(kl.Layer):
    """A Transformer block."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = kl.MultiHeadAttention(2, 3, name="attention")
        self.norm = kl.LayerNormalization(name="norm")
        self.feedforward = [
            kl.Dense(8, "relu", name="up"),
            kl.Dense(6, name="down"),
        ]

    def build(self, shape):
        self.attention.build(shape, shape)
        self.norm.build(shape)
        for layer in self.feedforward:
            layer.build(shape)
            shape = (*shape[:-1], layer.units)

    def call(self, x):
        x = self.norm(x + self.attention(x, x))
        for layer in self.feedforward:
            x = layer(x)
        return x


class Cell(kl.Layer):
    """A recurrent cell of one's own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, name="kernel")
        shape = (self.units, self.units)
        self.recurrent_kernel = self.add_weight(shape=shape, name="recurrent")

    def call(self, x, states):
        new = ops.matmul(x, self.kernel)
        new = ops.tanh(new + ops.matmul(states[0], self.recurrent_kernel))
        return new, [new]


def test_kernels_inside_a_block_of_ones_own_are_masked():
    assert masked(Block(name="block"), (5, 6)) == [
        "block/attention/query",
        "block/attention/key",
        "block/attention/value",
        "block/attention/attention_output",
        "block/up",
        "block/down",
        "head",
    ]


def test_single_kernels_inside_a_block_may_be_left_out():
    without = masked(
        Block(name="block"),
        (5, 6),
        exclude=["block/attention", lambda layer: layer.name == "up"],
    )

    assert without == ["block/down", "head"]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (lambda: kl.LSTM(4, name="r"), (5, 6), ["r/kernel"]),
        (lambda: kl.ConvLSTM1D(4, 3, name="r"), (5, 6, 2), ["r/kernel"]),
        (lambda: kl.RNN(Cell(4), name="r"), (5, 6), ["r/kernel"]),
        (
            lambda: kl.RNN(
                [kl.LSTMCell(4, name="a"), kl.GRUCell(3, name="b")], name="r"
            ),
            (5, 6),
            ["r/a/kernel", "r/b/kernel"],
        ),
    ],
    ids=["LSTM", "ConvLSTM", "own cell", "stack"],
)
def test_recurrent_kernels_are_masked(layer, shape, expected):
    both = [
        name.replace("kernel", kind)
        for name in expected
        for kind in ("kernel", "recurrent_kernel")
    ]

    assert masked(layer(), shape) == [*both, "head"]


def test_weights_of_ones_own_are_masked_where_they_are_named():
    assert masked(Named(name="own")) == ["own", "head"]
    assert masked(Scale(name="own"), include="own") == ["own", "head"]
    assert masked(ScaleOfLayer(name="own"), include="own") == [
        "own",
        "own/inner",
        "head",
    ]
    wrapped = rigl_tf.Sparse(built(Scale(name="own")), kernels=("w",))
    assert masked(wrapped) == ["own"]  # those that are wrapped by hand only
    with pytest.raises(ValueError, match="'own' has no kernel 'v'"):
        rigl_tf.Sparse(built(Scale(name="own")), kernels=("v",))


def built(layer):
    layer.build((None, 6))
    return layer


def test_large_weights_that_stay_dense_are_named_once():
    with pytest.warns(UserWarning, match="stay dense: own/weight") as seen:
        assert masked(Scale(name="own")) == ["head"]

    assert len(seen) == 1
    masked(Scale(name="own"), exclude="own")  # and not if that is wanted


def test_a_class_that_may_change_its_kernel_is_named():
    class Standardized(kl.Conv1D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel - ops.mean(kernel))

    class Same(kl.Conv1D):
        sparse_kernels = ("kernel",)

        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel)

    with pytest.warns(UserWarning, match="classes of own override"):
        masked(Standardized(4, 3, name="own"), (5, 6))
    assert masked(Same(4, 3, name="own"), (5, 6)) == ["own", "head"]


def test_a_name_of_no_weight_is_refused_and_one_name_needs_no_tuple():
    class Typo(Scale):
        sparse_kernels = ("w", "weight")

    class OneName(Scale):
        sparse_kernels = "w"

    with pytest.raises(ValueError, match="'own' names 'weight' in `sparse_k"):
        masked(Typo(name="own"))
    assert masked(OneName(name="own")) == ["own", "head"]


def test_frozen_layers_stay_dense_and_do_not_count():
    frozen = kl.Dense(64, name="frozen", trainable=False)

    assert masked(frozen) == ["head"]
    assert masked(
        kl.Dense(64, name="frozen", trainable=False), include="frozen"
    ) == ["frozen", "head"]


def sparsities(model, **kwargs):
    sparse = rigl_tf.sparsify(
        model, "static", sparsity=0.75, distribution="uniform", **kwargs
    )
    return {
        k.name: round(1 - int(k.count()) / k.size, 2) for k in sparse.kernels
    }


def test_the_first_layer_is_the_networks_and_not_the_first_that_is_masked():
    def text(first):
        return keras.Sequential(
            [
                keras.Input((5,), dtype="int32"),
                kl.Embedding(8, 8, name="table"),
                first,
                kl.Flatten(),
                kl.Dense(4, name="head"),
            ]
        )

    assert sparsities(text(kl.GRU(8, name="gru"))) == {
        "gru/kernel": 0.75,
        "gru/recurrent_kernel": 0.75,
        "head": 0.75,
    }
    assert sparsities(text(kl.Dense(8, name="mid")), exclude="mid") == {
        "head": 0.75
    }
    assert sparsities(text(kl.Flatten()), include="table") == {
        "table": 0.0,
        "head": 0.75,
    }


def test_every_tower_has_a_first_layer_with_all_its_kernels():
    inputs = [keras.Input((4, 8), name=name) for name in "ab"]
    towers = [
        kl.GRU(8, name="gru")(inputs[0]),
        kl.Flatten()(kl.Dense(8, name="dense")(inputs[1])),
    ]
    model = keras.Model(
        inputs, kl.Dense(4, name="head")(kl.Concatenate()(towers))
    )

    assert sorted(placement.first_layers(model)) == ["dense", "gru"]
    assert sparsities(model) == {
        "gru/kernel": 0.0,
        "gru/recurrent_kernel": 0.0,
        "dense": 0.0,
        "head": 0.75,
    }


def test_sparsity_may_differ_by_layer():
    model = keras.Sequential(
        [keras.Input((8,)), kl.Dense(8, name="a"), kl.Dense(8, name="b")]
    )

    sparse = rigl_tf.sparsify(model, "rigl", sparsity={"a": 0.5, "*": 0.75})

    found = {k.name: 1 - int(k.count()) / k.size for k in sparse.kernels}
    assert found == {"a": 0.5, "b": 0.75}


def test_what_is_masked_inside_trains_saves_and_comes_back(tmp_path):
    keras.saving.register_keras_serializable("tests_choice")(Block)
    model = keras.Sequential(
        [keras.Input((5, 6)), Block(name="block"), kl.Dense(2, name="head")]
    )
    sparse = rigl_tf.sparsify(model, "rigl", sparsity=0.5, schedule=2)
    sparse.compile("sgd", "mse", run_eagerly=True)
    x, y = np.ones((8, 5, 6)), np.ones((8, 5, 2))

    sparse.fit(x, y, batch_size=2, epochs=2, verbose=0)
    sparse.save(tmp_path / "sparse.keras")
    loaded = keras.saving.load_model(tmp_path / "sparse.keras")

    np.testing.assert_array_equal(
        sparse.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )
    for one, other in zip(sparse.kernels, loaded.kernels, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.mask, other.mask)
        assert np.all(np.array(one.variable)[~np.array(one.mask)] == 0)
    assert rigl_tf.densify(sparse) is model


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"exclude": ["a"]}, "Received: exclude='a'. Change the wrappers"),
        ({"include": "b"}, "Received: include='b'"),
        ({"exclude": "nonsense"}, "nonsense"),
    ],
)
def test_names_do_not_contradict_wrappers(names, message):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            rigl_tf.Sparse(keras.layers.Dense(8, name="a")),
            keras.layers.Dense(3, name="b"),
        ]
    )

    with pytest.raises(ValueError, match=message):
        rigl_tf.sparsify(model, "static", sparsity=0.5, **names)

    sparse = rigl_tf.sparsify(model, "static", sparsity=0.5, exclude="b")
    assert [kernel.name for kernel in sparse.kernels] == ["a"]
