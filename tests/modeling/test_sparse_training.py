"""A plain model that is trained in place is plain, and sparse."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf.sparsity import schedules
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
    summary = rigl_tf.summary(model)
    zeros = sum(np.sum(old == 0) for old in epochs[0])
    assert abs(summary.sparsity - zeros / sum(o.size for o in epochs[0])) < 0.02


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
