"""What a `Checkpoint` refuses, and what it warns of."""

import warnings
from collections.abc import Mapping
from collections.abc import Sequence

import keras
import tensorflow as tf

from rigl_tf.callbacks import checkpoint_files
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


def check_arguments(every, seconds, keep, callbacks, identity, changed):
    """Raises an error unless the arguments of a `Checkpoint` are valid."""
    check_count("every", every, optional=True)
    check_count("keep", keep)
    check_number("seconds", seconds, "[0, inf)")
    _check_list("changed", changed, str, "names of facts")
    _check_list("callbacks", callbacks, keras.callbacks.Callback, "callbacks")
    if not isinstance(identity, Mapping | None):
        raise TypeError(
            f"`identity` must be a dictionary. Received: identity={identity!r}."
        )


def _check_list(name, values, kind, of):
    """Raises a TypeError unless a value is a list of instances of a class."""
    is_list = isinstance(values, Sequence) and not isinstance(values, str)
    if not is_list or not all(isinstance(v, kind) for v in values):
        raise TypeError(
            f"`{name}` must be a list of {of}. Received: {name}={values!r}."
        )


def check_can_restore(model, dataset):
    """Raises an error unless a checkpoint can be restored into a model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: model={model!r}."
        )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            f"{model.name!r} has no optimizer yet. Call `model.compile` "
            "before `checkpoint.restore(model)`."
        )
    if not isinstance(dataset, tf.data.Dataset | None):
        raise TypeError(
            "`dataset` must be a `tf.data.Dataset` or `None`. "
            f"Received: dataset={type(dataset).__name__}."
        )


def check_steps(steps, done, steps_per_execution):
    """Raises a ValueError unless an epoch can resume and end exactly.

    Args:
        steps: Integer, `steps_per_epoch` of `fit`, or `None`.
        done: Integer, batches of the epoch that were done before.
        steps_per_execution: Integer, of the model.
    """
    if done and (steps is None or steps <= done):
        raise ValueError(
            f"To resume after {done} batches of an epoch, pass a "
            "larger `steps_per_epoch` and an endless dataset. "
            f"Received: steps_per_epoch={steps}."
        )
    if steps and steps % steps_per_execution:
        raise ValueError(
            "With a `Checkpoint`, `steps_per_execution` must divide the "
            f"steps of an epoch, {steps}. Received: {steps_per_execution}."
        )


def check_is_new(directory):
    """Raises a ValueError if a directory holds checkpoints."""
    if checkpoint_files.paths(directory):
        raise ValueError(
            f"{directory} holds checkpoints of an earlier run. Call "
            "`checkpoint.restore(model, dataset)` before `fit` to resume it, "
            "or choose another directory."
        )


def warn_of_old_data(done, was_asked):
    """Warns if the data seem to start at the first batch of the epoch."""
    if done and not was_asked:
        warnings.warn(
            f"{done} batches of the epoch are done, but "
            "`checkpoint.batch` was not read. The data must resume at "
            "that batch.",
            stacklevel=3,
        )


def warn_if_done(epoch, epochs, stopped):
    """Warns if nothing is left to train.

    Args:
        epoch: Integer, completed epochs.
        epochs: Integer, of `fit`.
        stopped: Boolean, whether a callback had ended training.
    """
    if not stopped and epoch < epochs:
        return
    if stopped:
        why = (
            "and then a callback ended training. Set "
            "`checkpoint.stopped = False` to train further."
        )
    else:
        why = (
            f"and `epochs={epochs}` counts from the start of the run. Pass a "
            "larger number to train further."
        )
    warnings.warn(
        f"Nothing is left to train: {epoch} epochs are done, {why}",
        stacklevel=3,
    )


def warn_not_saved(epoch, batch, error):
    """Warns that the disk has refused a checkpoint."""
    warnings.warn(
        f"Epoch {epoch}, batch {batch} could not be saved: {error}. Training "
        "continues; if it is stopped now, it resumes from an earlier "
        "checkpoint.",
        stacklevel=3,
    )
