"""A plain model that is trained in place is plain, and sparse."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures
from tests.modeling import doors

LONG = schedules.UpdateSchedule(2, end_step=100)


def training(algorithm="rigl", **kwargs):
    return rigl_tf.SparseTraining(**(doors.options(algorithm) | kwargs))


def fit(model, *callbacks, epochs=1):
    return model.fit(
        doors.dataset(),
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )


def without_the_library(code, *arguments):
    """Runs code in a process that cannot import this library."""
    block = "import sys\nsys.modules['rigl_tf'] = None\n"
    result = subprocess.run(
        [sys.executable, "-c", block + textwrap.dedent(code), *arguments],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_files_load_without_the_library(tmp_path):
    model = doors.compiled(doors.network())
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.keras")
    )
    in_between = {}
    copy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: in_between.update(
            {epoch + 1: [np.array(k.variable) for k in doors.kernels(model)]}
        )
    )
    fit(model, training(schedule=LONG), checkpoint, copy, epochs=2)
    model.save(tmp_path / "trained.keras")

    code = """
        import keras

        for path in sys.argv[1:]:
            model = keras.saving.load_model(path)
            kernels = [model.get_layer(n).kernel for n in ("first", "last")]
            zeros = [int((k.numpy() == 0).sum()) for k in kernels]
            slots = model.optimizer.variables[2:]
            print(
                type(model.optimizer).__name__,
                int(model.optimizer.iterations),
                *zeros,
                len(slots),
                all(v.numpy().any() for v in slots),
            )
            model.predict(keras.ops.zeros((1, 16)), verbose=0)
    """
    paths = [tmp_path / f"{name}.keras" for name in ("1", "2", "trained")]
    said = without_the_library(code, *map(str, paths))

    def line(iterations, kernels):
        zeros = [str(np.sum(kernel == 0)) for kernel in kernels]
        return ["SGD", str(iterations), *zeros, "6", "True"]

    final = [np.array(kernel.variable) for kernel in doors.kernels(model)]
    expected = line(5, in_between[1]) + 2 * line(10, final)
    assert said == expected
    masks = doors.masks(model)
    for kernel, mask in zip(final, masks, strict=True):
        assert not kernel[~mask].any()
    wanted = 0.6 * sum(mask.size for mask in masks)
    zeros = sum(np.sum(~mask) for mask in masks)
    assert abs(zeros - wanted) < 1


def test_another_fit_goes_on():
    once = doors.compiled(doors.network())
    twice = doors.compiled(doors.network())
    first, second = training(schedule=LONG), training(schedule=LONG)

    fit(once, first, epochs=2)
    fit(twice, second)
    before = doors.masks(twice)
    fit(twice, second)

    assert int(first.sparse_step.step) == int(second.sparse_step.step) == 10
    doors.assert_same(twice, once)
    changed = [
        np.any(old != new)
        for old, new in zip(before, doors.masks(twice), strict=True)
    ]
    assert any(changed)


def test_a_loaded_model_goes_on_from_its_zeros(tmp_path):
    model = doors.compiled(doors.network())
    fit(model, training("static"))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    before = [k != 0 for k in (model.get_layer("first").kernel.numpy(),)]

    fit(loaded, training("static", masks="magnitude"))

    np.testing.assert_array_equal(doors.masks(loaded)[0], before[0])


def test_the_model_is_what_it_was():
    model = doors.compiled(doors.network(doors.HandWrittenTrainStep))
    optimizer, layers = model.optimizer, list(model.layers)

    fit(model, training())

    assert type(model) is doors.HandWrittenTrainStep
    assert model.optimizer is optimizer
    assert model.layers == layers


@pytest.mark.few(1)
@pytest.mark.parametrize("is_last", [False, True])
def test_weights_of_another_epoch_bring_their_zeros(is_last):
    model = doors.compiled(doors.network())
    epochs = {}
    copy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.update(
            {epoch: [np.array(k.variable) for k in doors.kernels(model)]}
        )
    )
    # The loss falls, so that the first epoch has the largest.
    largest = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=9, restore_best_weights=True
    )

    both = [largest, training(schedule=LONG)]

    fit(model, *(reversed(both) if is_last else both), copy, epochs=4)

    assert any(
        np.any((old != 0) != (new != 0))
        for old, new in zip(epochs[0], epochs[3], strict=True)
    )
    for kernel, old in zip(doors.kernels(model), epochs[0], strict=True):
        np.testing.assert_array_equal(kernel.variable, old)
        assert not old[~np.array(kernel.mask)].any()
    counts = [int(kernel.count()) for kernel in doors.kernels(model)]
    assert counts == both[1].sparse_step.budgets


@pytest.mark.parametrize(
    "structure", [structures.Blocks(4, 3), structures.NM(2, 4)], ids=str
)
def test_masks_of_restored_weights_keep_their_structure(structure):
    model = doors.compiled(doors.network())
    callback = training(
        sparsity=0.5, distribution="uniform_all", structure=structure
    )
    fit(model, callback)
    # As after an update: connections that have just grown are zero.
    weights = model.get_weights()
    restore = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: model.set_weights(
            [
                np.roll(w, 4, axis=0) * (np.arange(len(w)) != 5)[:, None]
                if w.ndim == 2
                else w
                for w in weights
            ]
        )
    )

    fit(model, callback, restore)

    for kernel, budget in zip(
        doors.kernels(model), callback.sparse_step.budgets, strict=True
    ):
        units = structure.pool(tf.cast(kernel.mask, tf.float32), kernel.layout)
        assert set(np.unique(units)) <= {0, 1}
        assert np.count_nonzero(units) == budget
        assert structure.is_valid(units > 0, kernel.layout)
        assert not np.array(kernel.variable)[~np.array(kernel.mask)].any()


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("algorithm", ["rigl", "gradual_pruning"])
def test_a_backup_is_restored_before_or_after(algorithm, is_first, tmp_path):
    def run(epochs, stop=None):
        model = doors.compiled(doors.network())
        masks = training(algorithm, schedule=2)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        both = [backup, masks] if is_first else [masks, backup]
        seen = {}
        look = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.update(
                {epoch: [np.array(v) for v in model.trainable_variables]}
            ),
            on_epoch_end=lambda epoch, logs: stop and stop(epoch),
        )
        try:
            fit(model, *both, look, epochs=epochs)
        except KeyboardInterrupt:
            pass
        return model, masks.sparse_step, seen

    def stop(epoch):
        if epoch == 1:
            raise KeyboardInterrupt

    first, _, before = run(4, stop)
    second, state, after = run(4)

    epoch = min(after)
    assert epoch in (1, 2)
    for old, new in zip(
        before.get(epoch) or [np.array(v) for v in first.trainable_variables],
        after[epoch],
        strict=True,
    ):
        np.testing.assert_array_equal(old, new)
    assert int(state.step) == 20
    assert state.schedule.end_step == 15
    for kernel in doors.kernels(second):
        assert not np.array(kernel.variable)[~np.array(kernel.mask)].any()


def test_what_a_fit_cannot_have_is_named():
    model = doors.compiled(doors.network())
    with pytest.warns(UserWarning, match="`History` comes before"):
        fit(model, keras.callbacks.History(), training())
    model = doors.compiled(doors.network())
    with pytest.raises(ValueError, match="has two `SparseTraining` callbacks"):
        fit(
            model,
            training(sparsity={"first": 0.9}),
            training("static", masks={"last": np.ones((12, 3), bool)}),
        )
    model.compile(optimizer=None, loss="mse")
    with pytest.raises(ValueError, match="has no optimizer, whose steps"):
        fit(model, training())


def test_weights_from_outside_become_zero_under_masks_in_the_next_fit():
    model = doors.compiled(doors.network())
    again = training("static")
    fit(model, again)

    model.set_weights([values + 1 for values in model.get_weights()])

    with pytest.warns(
        UserWarning, match="Inactive weights of first, last were set"
    ):
        rigl_tf.summary(model)
    fit(model, again)
    for kernel in doors.kernels(model):
        assert not np.array(kernel.variable)[~np.array(kernel.mask)].any()


def test_moving_averages_that_a_skipped_batch_has_spoilt_are_named():
    model = doors.compiled(doors.network())
    x, y = doors.batches(1)
    x[0, 0, 0] = np.nan

    with pytest.warns(UserWarning, match="norm/moving_variance became NaN"):
        model.fit(x[0], y[0], verbose=0, callbacks=[training("static")])


def test_it_needs_no_second_mask():
    model = doors.sparse("rigl")

    with pytest.raises(TypeError, match="is a `SparseModel`"):
        fit(model, training())


def test_an_option_that_it_does_not_have_is_named():
    with pytest.raises(TypeError, match="no option stroage. Options: dist"):
        rigl_tf.SparseTraining("rigl", sparsity=0.5, stroage="active")
