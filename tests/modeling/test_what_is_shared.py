"""Models that share layers with a sparse one, and weights from outside."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops

import rigl_tf

X = np.random.default_rng(0).normal(size=(8, 16))


def functional():
    x = keras.Input((16,))
    hidden = kl.Dense(12, activation="relu", name="hidden")(x)
    return keras.Model(x, kl.Dense(3, name="last")(hidden))


def sparse(model, algorithm="static", sparsity=0.5, **kwargs):
    return rigl_tf.sparsify(model, algorithm, sparsity=sparsity, **kwargs)


def reloaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("is_plain_again", [False, True])
def test_a_model_made_before_of_the_same_layers_stays_whole(
    is_plain_again, tmp_path
):
    model = functional()
    hidden = model.get_layer("hidden")
    features = keras.Model(model.inputs[0], hidden.output)

    made = sparse(model)
    if is_plain_again:
        rigl_tf.densify(made)

    assert hidden.output is features.outputs[0]
    assert features.layers[-1] is hidden
    for each in (features, model, made):
        loaded = reloaded(each, tmp_path)
        np.testing.assert_array_equal(each(X), loaded(X))


def test_a_backbone_stays_a_model_of_its_own(tmp_path):
    x = keras.Input((16,))
    base = keras.Model(x, kl.Dense(8)(kl.Dense(12)(x)))
    model = keras.Model(base.inputs[0], kl.Dense(3)(base.outputs[0]))

    sparse(model)

    np.testing.assert_array_equal(base(X), reloaded(base, tmp_path)(X))


def under_masks(model):
    return sum(
        np.count_nonzero(np.array(k.variable)[~np.array(k.mask)])
        for k in model.kernels
    )


def test_numbers_that_were_set_under_masks_are_gone_when_it_is_used(tmp_path):
    model = functional()
    dense = model.get_weights()
    made = sparse(model)
    made.compile("sgd", "mse")

    for use in (
        lambda: made.predict(X, verbose=0),
        lambda: made.evaluate(X, np.ones((8, 3)), verbose=0),
        lambda: made.save(tmp_path / "model.keras"),
        lambda: made.save_weights(tmp_path / "model.weights.h5"),
    ):
        model.set_weights(dense)
        assert under_masks(made) > 0
        use()
        assert under_masks(made) == 0
    layer = rigl_tf.sparse_layers(made)[0]
    layer.set_weights(dense[:2])
    assert under_masks(made) == 0


def test_a_model_that_was_trained_before_keeps_zeros_in_its_own_fit():
    model = functional()
    model.compile("sgd", "mse")
    model.fit(X, np.ones((8, 3)), verbose=0)
    made = sparse(model)

    model.fit(X, np.ones((8, 3)), verbose=0)

    assert under_masks(made) == 0


@keras.saving.register_keras_serializable("tests_shared")
class Own(kl.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 12), name="w")
        self.v = self.add_weight(shape=(12, 6), name="v")

    def call(self, x):
        return ops.matmul(ops.matmul(x, self.w), self.v)


def test_weights_that_were_included_by_name_come_back_from_a_file(tmp_path):
    model = keras.Sequential([keras.Input((16,)), Own(name="o"), kl.Dense(3)])
    made = sparse(model, include="o")

    loaded = reloaded(made, tmp_path)

    assert [k.name for k in loaded.kernels][:2] == ["o/w", "o/v"]
    for one, other in zip(made.kernels, loaded.kernels, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


def test_the_arguments_of_compile_are_those_of_the_networks_class():
    class Mine(keras.Model):
        def compile(self, sgd, extra=0):
            super().compile(sgd, "mse")
            self.extra = extra

    x = keras.Input((16,))
    made = sparse(Mine(x, kl.Dense(3)(x)))

    made.compile(sgd="sgd", extra=3)
    made.fit(X, np.ones((8, 3)), verbose=0)

    assert made.network.extra == 3


@pytest.mark.parametrize("name", ["fit", "evaluate", "make_train_function"])
def test_a_class_that_fits_by_itself_is_trained_in_place(name):
    kind = type("Mine", (keras.Model,), {name: lambda self: None})
    x = keras.Input((16,))

    with pytest.raises(TypeError, match=f"overrides `{name}`.*SparseTrain"):
        sparse(kind(x, kl.Dense(3)(x)))


def test_a_layer_is_excluded_and_not_those_of_its_name():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = kl.Dense(12, name="fc"), kl.Dense(12, name="fc")

        def call(self, x):
            return self.b(self.a(x))

    net = Net()
    net(X)

    made = sparse(net, exclude=net.b)

    assert [k.layer for k in made.kernels] == [net.a]


def test_masks_by_name_make_their_own_room():
    mask = np.ones((16, 12), bool)
    mask[3] = False

    made = sparse(
        functional(), sparsity=0.9, masks={"hidden": mask}, storage="active"
    )

    np.testing.assert_array_equal(made.kernels[0].mask, mask)


def test_pruning_goes_on_from_another_pruning():
    first = sparse(functional(), "static")
    again = sparse(first.network, "gradual_pruning", sparsity=0.8, schedule=2)
    again.compile("sgd", "mse", run_eagerly=True)

    again.fit(X, np.ones((8, 3)), batch_size=1, epochs=2, verbose=0)

    assert rigl_tf.summary(again).sparsity == pytest.approx(0.8, abs=0.01)


@pytest.mark.filterwarnings("ignore:shared had masks already")
@pytest.mark.parametrize("is_first", [True, False])
def test_models_that_share_a_layer_are_densified_in_any_order(
    is_first, tmp_path
):
    inputs, shared = keras.Input((16,)), kl.Dense(12, name="shared")
    hidden = shared(inputs)
    models = [
        sparse(keras.Model(inputs, kl.Dense(3, name=name)(hidden)))
        for name in "ab"
    ]

    for model in models if is_first else models[::-1]:
        plain = rigl_tf.densify(model)
        plain.save(tmp_path / "model.keras")

        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded(X), plain(X))
        assert rigl_tf.sparse_layers(plain) == []


class OwnOptimizer(keras.Model):
    """Steps with an optimizer that Keras does not know."""

    def compile(self, own):
        super().compile(optimizer=None)
        self.own = own

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.own.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        return {"loss": loss}


def test_a_network_with_an_optimizer_of_its_own_wraps_it():
    plain = functional()
    network = OwnOptimizer(plain.inputs, plain.outputs)
    schedule = rigl_tf.schedules.UpdateSchedule(2, end_step=8)
    model = sparse(network, "rigl", schedule=schedule)

    with pytest.raises(ValueError, match="an optimizer of its own.*wrap that"):
        model.compile(keras.optimizers.SGD())

    network.compile(rigl_tf.SparseOptimizer("sgd", model))
    network.fit(X, np.ones((8, 3)), batch_size=1, verbose=0)
    assert int(model.num_updates) == 3


def test_a_model_without_weights_cannot_be_trained_sparse_in_place():
    model = keras.Sequential([kl.Dense(3)])
    model.compile("sgd", "mse")
    training = rigl_tf.SparseTraining("static", sparsity=0.5)

    with pytest.raises(ValueError, match="no weights yet|no layer"):
        training.set_model(model)
