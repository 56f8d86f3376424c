"""What a sparse model answers, saves, and lets others do to it."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity import schedules

SOON = schedules.UpdateSchedule(2, end_step=100)


def mlp(**kwargs):
    return keras.Sequential(
        [
            keras.Input((16,)),
            kl.Dense(24, activation="relu", name="features"),
            kl.Dense(3, activation="softmax", name="classes"),
        ],
        **kwargs,
    )


def sparse(network=None, algorithm="rigl", sparsity=0.8, **kwargs):
    kwargs.setdefault("schedule", SOON)
    return rigl_tf.sparsify(
        network or mlp(), algorithm, sparsity=sparsity, **kwargs
    )


def masks(model):
    return [np.array(kernel.mask) for kernel in model.kernels]


def examples(num=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(num, 16)), rng.integers(0, 3, num)


def assert_hard_zeros(model):
    for kernel in model.kernels:
        weights = np.array(kernel.variable)
        assert np.all(weights[~np.array(kernel.mask)] == 0)


class Noisy(keras.Model):
    """A class with training code of its own."""

    calls = 0

    def train_step(self, data):
        Noisy.calls += 1
        x, y = data
        return super().train_step((x + 0.1, y))


class Penalized(keras.Model):
    """A class with a loss and a metric of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.penalty = keras.metrics.Mean(name="penalty")

    def compute_loss(self, *args, **kwargs):
        self.penalty.update_state(1.0)
        return super().compute_loss(*args, **kwargs) + 7.0

    def predict_step(self, data):
        return 2 * super().predict_step(data)


def functional(kind):
    x = keras.Input((16,))
    y = kl.Dense(3, activation="softmax")(kl.Dense(24)(x))
    return kind(x, y)


def test_a_train_step_of_the_users_own_is_called_and_masks_move():
    model = sparse(functional(Noisy))
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    before, Noisy.calls = masks(model), 0

    model.fit(*examples(), batch_size=8, epochs=2, verbose=0)

    assert Noisy.calls == int(model.step) == 10
    assert any(
        np.any(a != b) for a, b in zip(before, masks(model), strict=True)
    )
    assert_hard_zeros(model)
    counts = [int(kernel.count()) for kernel in model.kernels]
    assert counts == model.budgets


def test_a_loss_a_metric_and_predictions_of_the_users_own_are_used():
    network = functional(Penalized)
    expected = 2 * network(examples()[0]).numpy()
    model = sparse(network, "static", sparsity=0)
    model.compile("sgd", "sparse_categorical_crossentropy")

    np.testing.assert_allclose(
        model.predict(examples()[0], verbose=0), expected, rtol=1e-5
    )
    logs = model.fit(*examples(), verbose=0).history

    assert logs["loss"][0] > 7
    assert logs["penalty"] == [1.0]


def test_losses_metrics_and_logs_go_by_the_names_of_outputs():
    x = keras.Input((16,))
    hidden = kl.Dense(8)(x)
    outputs = [
        kl.Dense(3, name="kind")(hidden),
        kl.Dense(1, name="age")(hidden),
    ]
    network = keras.Model(x, outputs)
    how = {
        "loss": {
            "kind": keras.losses.SparseCategoricalCrossentropy(True),
            "age": "mse",
        },
        "metrics": {"kind": ["accuracy"]},
    }
    y = {"kind": examples()[1], "age": np.ones((40, 1))}
    network.compile("sgd", **how)
    plain = network.fit(examples()[0], y, verbose=0).history

    model = sparse(network, "static")
    model.compile("sgd", **how)
    logs = model.fit(examples()[0], y, verbose=0).history

    assert sorted(logs) == sorted(plain)


def test_it_answers_for_the_structure_of_its_network(capsys):
    network = mlp()
    model = sparse(network)

    inner = keras.Model(
        model.inputs[0], [model.get_layer("features").output, model.outputs[0]]
    )

    assert inner(np.ones((2, 16)))[0].shape == (2, 24)
    assert model.output_names == ["classes"]
    assert model.input_shape == (None, 16)
    model.summary()
    assert "features" in capsys.readouterr().out
    # Masks are not parameters.
    assert network.count_params() == 16 * 24 + 24 + 24 * 3 + 3


def test_a_clone_has_masks_with_as_many_connections():
    model = sparse()

    clone = keras.models.clone_model(model)

    assert [int(k.count()) for k in clone.kernels] == model.budgets
    assert_hard_zeros(clone)
    clone.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    clone.fit(*examples(), batch_size=8, verbose=0)
    assert [int(k.count()) for k in clone.kernels] == model.budgets


def test_weights_from_outside_leave_hard_zeros_and_their_own_counts():
    model, other = sparse(), sparse(sparsity=0.5, seed=3)
    mean = [
        a if a.dtype != np.float32 else (a + b) / 2
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    ]

    model.set_weights(mean)
    assert_hard_zeros(model)

    model.set_weights(other.get_weights())
    assert_hard_zeros(model)
    assert model.budgets == [int(k.count()) for k in other.kernels]


def test_hdf5_is_refused_with_the_format_to_use(tmp_path):
    with pytest.raises(ValueError, match="model.keras"):
        sparse().save(tmp_path / "model.h5")


def test_lora_and_quantization_are_refused_until_it_is_plain():
    model = sparse()
    layer = model.network.layers[0].layer

    with pytest.raises(ValueError, match="LoRA.*densify"):
        layer.enable_lora(2)
    with pytest.raises(ValueError, match="densify"):
        layer.quantize("int8")

    first, last = rigl_tf.densify(model).layers
    first.enable_lora(2)
    assert first.lora_enabled
    with pytest.raises(
        ValueError, match="got LoRA after.*Train the plain model"
    ):
        model.evaluate(*examples(), verbose=0)


def test_a_model_that_was_quantized_is_sparse_no_more():
    model = sparse()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    last = rigl_tf.densify(model).layers[-1]
    last.quantize("int8")

    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="was quantized or got LoRA"):
            use(*examples(), verbose=0)
    with pytest.raises(ValueError, match="was quantized or got LoRA"):
        rigl_tf.densify(model)


def test_a_sparse_model_goes_on_after_it_was_made_plain(tmp_path):
    model = sparse()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    plain = rigl_tf.densify(model)

    model.fit(*examples(), batch_size=8, verbose=0)

    assert_hard_zeros(model)
    assert [int(k.count()) for k in model.kernels] == model.budgets
    assert not rigl_tf.sparse_layers(plain)
    x = examples()[0]
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), plain.predict(x, verbose=0)
    )
    model.save(tmp_path / "sparse.keras")
    loaded = keras.saving.load_model(tmp_path / "sparse.keras")
    for one, other in zip(masks(model), masks(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), loaded.predict(x, verbose=0)
    )


def test_no_wrapper_is_left_in_a_model_around_a_sparse_one(tmp_path):
    backbone = sparse()
    whole = keras.Sequential(
        [
            keras.Input((16,)),
            kl.Reshape((2, 8)),
            kl.TimeDistributed(rigl_tf.Sparse(kl.Dense(8))),
            kl.Reshape((1, 16)),
            kl.TimeDistributed(backbone),
            kl.Dense(2),
        ]
    )
    expected = whole(examples()[0]).numpy()

    plain = rigl_tf.densify(whole)

    kinds = {type(layer) for layer in plain._flatten_layers()}
    assert plain is whole
    assert not kinds & {rigl_tf.Sparse, rigl_tf.SparseModel}
    np.testing.assert_array_equal(plain(examples()[0]), expected)
    plain.save(tmp_path / "plain.keras")
    loaded = keras.saving.load_model(tmp_path / "plain.keras")
    np.testing.assert_array_equal(loaded(examples()[0]), expected)


def test_a_trained_part_keeps_its_masks_and_weights_under_a_new_head(
    tmp_path,
):
    trained = sparse()
    before = masks(trained)
    features = trained.get_layer("features").output
    head = kl.Dense(5, name="head")(features)

    with pytest.warns(UserWarning, match="features had masks already"):
        model = sparse(keras.Model(trained.inputs, head))

    assert [kernel.name for kernel in model.kernels] == ["features", "head"]
    np.testing.assert_array_equal(model.kernels[0].mask, before[0])
    assert model.budgets[0] == np.count_nonzero(before[0])
    assert int(model.kernels[1].count()) == model.budgets[1] < 24 * 5
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(masks(model), masks(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(trained.kernels[0].mask, before[0])


def test_what_is_frozen_can_be_unfrozen():
    inner = keras.Input((16,))
    base = keras.Model(inner, kl.Dense(8)(kl.Dense(16)(inner)), name="base")
    base.trainable = False
    outer = keras.Input((16,))
    network = keras.Model(outer, kl.Dense(2, name="head")(base(outer)))
    model = sparse(network)
    assert [kernel.name for kernel in model.kernels] == ["head"]

    model.get_layer("base").trainable = True

    assert len(model.trainable_variables) == 6


def test_a_subclassed_model_is_masked_inside_and_stays_the_users_own(tmp_path):
    @keras.saving.register_keras_serializable("tests_sparse_model")
    class Net(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.blocks = [kl.Dense(16, name="fc") for _ in range(2)]
            self.head = kl.Dense(3, activation="softmax", name="head")

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    net = Net()
    net(np.zeros((1, 16), "float32"))
    model = sparse(net)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)

    model.fit(*examples(), batch_size=8, verbose=0)
    model.save(tmp_path / "sparse.keras")
    loaded = keras.saving.load_model(tmp_path / "sparse.keras")

    # Keras allows two layers of one name.
    assert [k.name for k in model.kernels] == ["fc", "fc_1", "head"]
    for one, other in zip(masks(model), masks(loaded), strict=True):
        np.testing.assert_array_equal(one, other)
    assert rigl_tf.densify(model) is net
    assert net.blocks[0].kernel.constraint is None


def test_the_masks_of_a_shared_model_are_found_through_either():
    network = mlp()
    first = sparse(network)

    with pytest.warns(UserWarning, match="had masks already and keep them"):
        second = sparse(network, seed=5)

    for a, b in zip(first.kernels, second.kernels, strict=True):
        assert a.mask is b.mask
    assert len(sparse_wrapper.sparse_kernels(network)) == 2


def test_an_algorithm_that_replaces_every_step_is_refused():
    with pytest.raises(ValueError, match="at least 2.*interval=1"):
        sparse(schedule=1)
    assert sparse(algorithm=algorithms.SET, schedule=1).schedule.interval == 1
