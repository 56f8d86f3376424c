"""What may change between two fits, or within one, and still counts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf.sparsity import schedules
from rigl_tf.utils.tensors import as_array

X = np.random.default_rng(0).normal(size=(64, 8))
Y = np.random.default_rng(1).normal(size=(64, 4))


def network():
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", name="a"),
            keras.layers.Dense(4, name="b"),
        ]
    )


def compiled(algorithm="static", optimizer="adam", **arguments):
    arguments = {"sparsity": 0.5, **arguments}
    model = rigl_tf.sparsify(network(), algorithm, **arguments)
    model.compile(optimizer, "mse")
    return model


def fit(model, **arguments):
    return model.fit(X, Y, batch_size=16, verbose=0, **arguments).history


def inverted(model):
    return {k.name: ~as_array(k.mask) for k in model.kernels}


class InvertMasks(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.model.set_masks(inverted(self.model))


def by_set_masks(model):
    model.set_masks(inverted(model))
    fit(model)


def by_a_callback(model):
    fit(model, callbacks=[InvertMasks()])


def by_set_weights(model):
    weights = model.get_weights()
    by_set_masks(model)
    model.set_weights(weights)
    fit(model)


def by_early_stopping(model):
    stop = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=3, restore_best_weights=True
    )
    fit(model, epochs=5, callbacks=[stop])
    model.fit(X[:32], Y[:32], batch_size=16, verbose=0)  # before an update


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(
    "change", [by_set_masks, by_a_callback, by_set_weights, by_early_stopping]
)
def test_inactive_weights_stay_zero_however_masks_change(change, optimizer):
    if optimizer == "sgd":
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    # The best epoch ends with step 12; masks change at step 14.
    schedule = schedules.UpdateSchedule(7, end_step=28)
    algorithm = "rigl" if change is by_early_stopping else "static"
    model = compiled(algorithm, optimizer, schedule=schedule)
    fit(model, epochs=2)  # eight steps; slots are no longer zero

    change(model)

    for kernel in model.kernels:
        weights, mask = as_array(kernel.variable), as_array(kernel.mask)
        assert mask.any() and not weights[~mask].any()


@pytest.mark.parametrize(
    "masks",
    [
        {"typo": np.ones((8, 16), bool)},
        {"a": np.eye(8, 16, dtype=bool), "b": np.ones(3, bool)},
    ],
)
def test_wrong_masks_change_nothing(masks):
    model = network()
    before = model.get_weights()

    with pytest.raises(ValueError, match="typo|must have shape"):
        rigl_tf.sparsify(model, "static", sparsity=0.5, masks=masks)

    assert [type(layer) for layer in model.layers] == 2 * [keras.layers.Dense]
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    sparse = rigl_tf.sparsify(model, "static", sparsity=0.5)
    before = sparse.get_weights()
    with pytest.raises(ValueError, match="typo|must have shape"):
        sparse.set_masks(masks)
    for one, other in zip(sparse.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_schedule_counts_in_the_next_fit():
    model = compiled("set", schedule=schedules.UpdateSchedule(2, end_step=4))
    fit(model)
    before = int(model.num_updates)

    model.schedule = schedules.UpdateSchedule(1, end_step=100)
    fit(model)

    assert int(model.num_updates) == before + 4


def test_an_epoch_of_accumulated_gradients_has_a_loss():
    model = compiled(
        optimizer=keras.optimizers.SGD(0.01, gradient_accumulation_steps=8)
    )

    losses = fit(model, epochs=3)["loss"]

    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    "algorithm", ["granet", "mest", "ac_dc", "gradual_pruning"]
)
def test_a_function_may_decide_when_any_algorithm_prunes(algorithm):
    def schedule(step):
        return step % 3 == 0, tf.constant(0.5)

    model = compiled(algorithm, sparsity=schedule, schedule=None)

    fit(model, epochs=2, callbacks=[rigl_tf.SparsityMonitor()])

    assert int(model.num_updates) == 3  # at steps 0, 3 and 6
    assert rigl_tf.summary(model).sparsity == pytest.approx(0.5, abs=0.05)


class WithoutInitializer(keras.layers.Layer):
    sparse_kernels = ("w",)

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 12), name="w")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.w)


def ones(shape, dtype=None):
    return keras.ops.ones(shape, dtype)


def test_weights_grow_as_their_layer_makes_them():
    grow = rigl_tf.grow_init.GrowInit("initial")
    own = keras.Sequential([keras.Input((8,)), WithoutInitializer(name="own")])
    plain = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, kernel_initializer=ones)]
    )

    with pytest.raises(ValueError, match="layer of 'own' does not say how"):
        rigl_tf.sparsify(own, "set", sparsity=0.5, grow_init=grow)
    model = rigl_tf.sparsify(
        plain, "set", sparsity=0.5, grow_init=grow, schedule=2
    )
    model.compile("adam", "mse")
    fit(model, epochs=4)
    assert int(model.num_updates) > 0


@pytest.mark.parametrize(
    "structure", [None, rigl_tf.structures.Blocks(4, 4)], ids=str
)
def test_a_clone_without_zeros_has_random_units_and_weights(structure):
    model = compiled(
        "set",
        storage="active",
        structure=structure,
        distribution="uniform_all",
        schedule=2,
    )

    clone = keras.models.clone_model(model)

    for one, other in zip(clone.kernels, model.kernels, strict=True):
        assert one.count() == other.count()
        assert as_array(one.mask).any(axis=1).all() or structure
        weights = as_array(one.weights())
        assert np.std(weights[as_array(one.mask)]) > 0.1
        assert not weights[~as_array(one.mask)].any()
    clone.compile("adam", "mse")
    fit(clone)


def test_fit_takes_its_arguments_in_the_order_of_keras():
    model = compiled()
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *a: seen.append(a)
    )

    model.fit(X, Y, 16, 1, 0, [note])

    assert len(seen) == 1


def test_one_kernel_may_be_named_by_a_string():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))

    wrapper = rigl_tf.Sparse(layer, kernels="kernel")

    assert len(wrapper.masks) == 1
