"""What a way of training cannot give is said before the first step."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf.sparsity import schedules
from tests.modeling import doors


def student(algorithm="rigl", **kwargs):
    options = doors.options(algorithm) | kwargs
    return rigl_tf.sparsify(doors.network(l2=None), **options)


def distill(student, optimizer, run_eagerly=True):
    distiller = keras.distillation.Distiller(
        doors.network(), student, keras.distillation.LogitsDistillation()
    )
    distiller.compile(optimizer, doors.LOSS, run_eagerly=run_eagerly)
    distiller.fit(doors.dataset(), shuffle=False, verbose=0)
    return distiller


def loop(model, optimizer):
    model.compile(optimizer, doors.LOSS)
    for x, y in doors.dataset():
        doors.step(model, x, y)


def optimizer_of(model, optimizer):
    distill(model, rigl_tf.SparseOptimizer(optimizer, model))


WAYS = {"loop": loop, "optimizer": optimizer_of}
every_way = pytest.mark.parametrize("train", WAYS.values(), ids=WAYS)


def values(model):
    """Weights and masks; an eager forward pass changes moving averages."""
    variables = list(model.trainable_variables)
    variables += [k.mask for k in getattr(model, "kernels", ())]
    return [np.array(variable) for variable in variables]


def refuses(train, model, optimizer, message):
    """Whether it raises an error, and nothing has changed."""
    before = values(model)
    with pytest.raises(ValueError, match=message):
        train(model, optimizer)
    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)


@every_way
def test_gradients_of_what_is_not_stored_are_missed_at_once(train):
    model = student(storage="active")

    message = "only the `fit` and `train_step` of the sparse model compute"
    refuses(train, model, "sgd", message)


@pytest.mark.few(1)
@every_way
def test_algorithms_without_gradients_need_nothing_but_what_is_stored(train):
    model = student("set", storage="active")

    train(model, "sgd")

    assert int(model.num_changed) > 0


@every_way
def test_an_open_end_is_asked_for_at_once(train):
    model = student(schedule=2)

    refuses(
        train,
        model,
        "sgd",
        "`end_step` is 75% of the first `fit`. Pass a number",
    )


@every_way
def test_an_optimizer_without_momentum_is_refused_at_once(train):
    refuses(train, student("rigl_sm"), "sgd", "this SGD has none")


def test_a_callback_refuses_an_optimizer_without_momentum_at_once():
    model = doors.network()
    model.compile("sgd", doors.LOSS, run_eagerly=True)
    before = values(model)
    training = rigl_tf.SparseTraining(
        "rigl_sm", sparsity=0.5, schedule=doors.SCHEDULE
    )

    with pytest.raises(ValueError, match="this SGD has none"):
        model.fit(
            doors.dataset(), shuffle=False, verbose=0, callbacks=[training]
        )

    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", ["rigl", "rigl_sg", "rigl_sm", "ggr"])
def test_updates_that_replace_every_step_are_refused(name):
    with pytest.raises(ValueError, match="an interval of at least 2"):
        student(name, schedule=1)
    model = doors.compiled(doors.network())
    training = rigl_tf.SparseTraining(name, sparsity=0.5, schedule=1)
    with pytest.raises(ValueError, match="an interval of at least 2"):
        model.fit(
            doors.dataset(), shuffle=False, verbose=0, callbacks=[training]
        )


def test_an_epoch_of_one_step_is_refused_as_an_interval():
    model = doors.compiled(student(schedule=schedules.UpdateSchedule(None)))
    x, y = doors.batches()

    with pytest.raises(ValueError, match="an interval of at least 2"):
        model.fit(x[0], y[0], epochs=8, verbose=0)

    assert int(model.step) == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["set", "snfs", "deepr"])
def test_updates_that_follow_the_step_may_come_at_every_step(name):
    model = doors.compiled(student(name, schedule=schedules.UpdateSchedule(1)))
    before = values(model)

    model.fit(doors.dataset(), epochs=2, shuffle=False, verbose=0)

    assert int(model.num_updates) > 3
    changed = [
        np.any(old != new)
        for old, new in zip(before, values(model), strict=True)
    ]
    assert any(changed)


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_an_optimizer_that_does_not_know_the_masks_is_named_once(run_eagerly):
    model = student()
    before = doors.masks(model)

    with pytest.warns(UserWarning) as record:
        distill(model, "adam", run_eagerly)

    messages = [str(each.message) for each in record]
    (message,) = [m for m in messages if "does not update its masks" in m]
    assert message.startswith(f"The optimizer that trains {model.name!r}")
    assert "RigL moves or prunes no connection" in message
    assert "`SparseTraining` to each `fit`" in message
    for old, new in zip(before, doors.masks(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_masks_that_do_not_move_need_no_optimizer_that_knows_them():
    model = student("static")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distill(model, "adam")

    for kernel in model.kernels:
        assert not np.any(np.asarray(kernel.variable)[~np.array(kernel.mask)])


@pytest.mark.few(3)
@pytest.mark.parametrize("name", ["set", "rigl", "rigl_sm", "snfs"])
def test_kernels_that_the_optimizer_does_not_train_stay(name):
    model = student(name)
    optimizer = rigl_tf.SparseOptimizer(doors.optimizer(), model)
    before = doors.masks(model)
    weights = np.array(model.kernels[0].variable)
    variables = model.get_layer("last").trainable_variables

    for x, y in doors.dataset():
        with tf.GradientTape() as tape:
            loss = doors.LOSS(y, model(x, training=True))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    first, last = doors.masks(model)
    np.testing.assert_array_equal(first, before[0])
    np.testing.assert_array_equal(model.kernels[0].variable, weights)
    assert int(model.num_updates) == 2
    assert np.sum(last) == np.sum(before[1])


def test_a_file_has_the_wrapped_optimizer(tmp_path):
    model = keras.Sequential([keras.Input((16,)), student()])
    model.compile(
        rigl_tf.SparseOptimizer(doors.optimizer(), model.layers[0]), doors.LOSS
    )
    model.fit(doors.dataset(), shuffle=False, verbose=0)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert type(loaded.optimizer) is keras.optimizers.SGD
    assert int(loaded.optimizer.iterations) == doors.NUM_STEPS
    pairs = zip(
        model.optimizer.variables, loaded.optimizer.variables, strict=True
    )
    for variable, other in pairs:
        np.testing.assert_array_equal(variable, other)


def fit_within(student, optimizer):
    model = keras.Sequential([keras.Input((16,)), student])
    model.compile(optimizer, doors.LOSS, run_eagerly=True)
    model.fit(doors.dataset(), shuffle=False, verbose=0)
    return model


@pytest.mark.few(1)
@pytest.mark.parametrize("factor", [None, 1024.0])
def test_half_precision_scales_the_loss_once(factor):
    keras.config.set_dtype_policy("mixed_float16")
    model, alone = student(), student()
    optimizer = doors.optimizer()
    optimizer.loss_scale_factor = factor

    outer = fit_within(model, rigl_tf.SparseOptimizer(optimizer, model))
    doors.compiled(alone).fit(doors.dataset(), shuffle=False, verbose=0)

    assert isinstance(outer.optimizer, keras.optimizers.LossScaleOptimizer)
    assert int(model.num_updates) == 2
    doors.assert_same(model, alone, atol=1e-3)


def test_a_loss_is_not_scaled_twice():
    keras.config.set_dtype_policy("mixed_float16")
    model = student()
    scaled = keras.optimizers.LossScaleOptimizer(doors.optimizer())
    optimizer = rigl_tf.SparseOptimizer(scaled, model)

    with pytest.raises(ValueError, match="The loss would be scaled twice"):
        fit_within(model, optimizer)


def test_a_model_without_masks_has_no_use_for_it():
    with pytest.raises(TypeError, match="`model` must be a sparse model"):
        rigl_tf.SparseOptimizer("sgd", doors.network())


def test_adafactor_divides_no_zeros_without_a_sparse_model():
    """No first neuron has a connection: a row and its column are zero."""
    model = doors.network(l2=None)
    model.compile(keras.optimizers.Adafactor(0.01), doors.LOSS)
    model.run_eagerly = True
    mask = np.ones((16, 12), bool)
    mask[0] = mask[:, 0] = False
    training = rigl_tf.SparseTraining(
        "static", sparsity=0.5, masks={"first": mask}
    )

    model.fit(doors.dataset(), shuffle=False, verbose=0, callbacks=[training])

    assert int(training.sparse_step.num_skipped) == 0
    assert all(np.all(np.isfinite(value)) for value in doors.weights(model))


@pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="new in Keras"
)
def test_several_optimizers_are_refused():
    several = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.SGD())
    )

    with pytest.raises(ValueError, match="MultiOptimizer has no learning rate"):
        student().compile(several)
    with pytest.raises(ValueError, match="MultiOptimizer has no learning rate"):
        rigl_tf.SparseOptimizer(several, student())
