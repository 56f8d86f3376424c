"""What new connections start with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import kernels
from rigl_tf.modeling.grow_init import GrowInit


@pytest.fixture
def kernel():
    model = keras.Sequential(
        [
            keras.Input((100,)),
            keras.layers.Dense(100, kernel_initializer="random_uniform"),
        ]
    )
    sparse = rigl_tf.sparsify(model, rigl_tf.algorithms.Static(), sparsity=0.5)
    (kernel,) = sparse.kernels
    kernel.variable.assign(np.where(kernel.mask, 3.0, 0.0))
    kernel.variable.assign(kernel.variable * np.array([-1.0, 1.0] * 50))
    return kernel


def test_zeros_need_no_tensor(kernel):
    assert GrowInit()(kernel, (100, 100), None, (0, 0)) is None


def test_initial_draws_what_the_initializer_gives(kernel):
    values = GrowInit("initial", scale=2.0)(
        kernel, (100, 100), None, (0, 0)
    ).numpy()

    # Keras's RandomUniform is between -0.05 and 0.05.
    assert np.abs(values).max() <= 0.1
    assert values.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)


def test_random_is_as_large_as_the_active_weights(kernel):
    values = GrowInit("random", scale=0.5)(
        kernel, (100, 100), None, (0, 0)
    ).numpy()

    assert values.std() == pytest.approx(1.5, rel=0.05)
    assert values.mean() == pytest.approx(0.0, abs=0.05)


def test_random_deviates_as_the_active_weights_do_from_their_mean(kernel):
    weights = 4.0 + np.sign(kernel.variable)  # 3 and 5
    kernel.variable.assign(np.where(kernel.mask, weights, 0.0))

    values = GrowInit("random")(kernel, (100, 100), None, (0, 0)).numpy()

    assert values.std() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("kind", ["initial", "random"])
def test_new_weights_follow_the_seed_of_the_kernel_and_the_step(kind, kernel):
    def draw(seed):
        inputs = kernels.UpdateInputs(
            seed=tf.constant([5, seed], tf.int64), grow_init=GrowInit(kind)
        )
        return kernel.new_weights(inputs, (100,), None).numpy()

    np.testing.assert_array_equal(draw(0), draw(0))
    assert np.mean(draw(0) == draw(1)) < 0.1


def test_gradient_is_scaled(kernel):
    gradient = np.ones((100, 100), "float32")

    values = GrowInit("gradient", scale=-0.1)(
        kernel, (100, 100), lambda: gradient, (0, 0)
    )

    np.testing.assert_allclose(values, -0.1 * gradient)


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["initial", "random", "gradient"])
def test_only_new_connections_start_with_it(kind, data):
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((16,)), keras.layers.Dense(2)]),
        rigl_tf.algorithms.RigL(),
        sparsity=0.5,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=3),
        grow_init=GrowInit(kind),
    )
    (kernel,) = model.kernels
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before, weight = np.array(kernel.mask), np.array(kernel.variable)
    model.fit(*data, batch_size=32, epochs=2, verbose=0)

    after, now = np.array(kernel.mask), np.array(kernel.variable)
    new = after & ~before
    assert new.any()
    assert np.all(now[new] != 0)
    np.testing.assert_array_equal(now[after & before], weight[after & before])
    np.testing.assert_array_equal(now[~after], 0)


def test_the_gradient_needs_an_algorithm_that_sees_it():
    with pytest.raises(ValueError, match="SET.*gradient"):
        rigl_tf.sparsify(
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]),
            rigl_tf.algorithms.SET(),
            sparsity=0.5,
            grow_init=GrowInit("gradient"),
        )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"kind": "ones"}, "kind='ones'"), ({"scale": np.inf}, "scale=inf")],
)
def test_bad_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GrowInit(**kwargs)
