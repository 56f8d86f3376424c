"""Saves and restores the state of Keras callbacks."""

import warnings

from keras import callbacks as kc

from rigl_tf.callbacks.sparse_training import SparseTraining
from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor

_REMEMBERED = {
    kc.EarlyStopping: ("best", "best_epoch", "stopped_epoch", "wait"),
    kc.ReduceLROnPlateau: ("best", "cooldown_counter", "wait"),
    kc.ModelCheckpoint: ("best",),
}
_NOTHING_TO_REMEMBER = (
    kc.LearningRateScheduler,
    kc.TensorBoard,
    kc.TerminateOnNaN,
    SparseTraining,  # its state is among the arrays, like the next one's
    SparsityMonitor,
)


def read(callbacks):
    """Reads the state of callbacks.

    Args:
        callbacks: List of `keras.callbacks.Callback`.

    Returns:
        Dictionary from the position and class of a callback to a dictionary
        from its attributes to their values, numbers or `None`.
    """
    return {
        name: {key: _plain(getattr(callback, key)) for key in keys}
        for name, callback, keys in _remembering(callbacks)
    }


def put_back(callbacks, values):
    """Restores the state that `read` has returned; warns of missing state."""
    remembering = set()
    for name, callback, keys in _remembering(callbacks):
        if name in values:
            remembering.add(id(callback))
            for key in values[name].keys() & set(keys):
                setattr(callback, key, values[name][key])
    anew = [
        type(callback).__name__
        for callback in callbacks
        if id(callback) not in remembering
        and not isinstance(callback, _NOTHING_TO_REMEMBER)
    ]
    if anew:
        warnings.warn(
            f"Training resumes without the state of {', '.join(anew)}, which "
            "checkpoints do not hold.",
            stacklevel=3,
        )


def _remembering(callbacks):
    for place, callback in enumerate(callbacks):
        if getattr(callback, "restore_best_weights", False):
            continue  # checkpoints do not hold the best weights
        for kind, keys in _REMEMBERED.items():
            if isinstance(callback, kind):
                yield f"{place} {type(callback).__name__}", callback, keys


def _plain(value):
    return value if value is None or type(value) is int else float(value)
