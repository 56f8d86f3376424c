"""Callbacks: what only watches or saves; masks change in the train step."""

import json
import os
import pathlib
import shutil
import time

import keras
import numpy as np
import tensorflow as tf

from rigl_tf import flops
from rigl_tf import layers
from rigl_tf import masks


class SparsityMonitor(keras.callbacks.Callback):
    """Adds what happens to the masks to the logs of every epoch.

    The progress bar, `History` and a `TensorBoard` callback that comes later
    in the list show them:

    - `sparsity`: fraction of zeros over all masked kernels.
    - `drop_fraction`: fraction of active connections that an update at this
      step would replace.
    - `changed`: connections grown in the epoch that were inactive before.
    - `skipped`: steps in the epoch without effect, for gradients that were
      not finite.
    - `flops`: FLOPs of one forward pass relative to the dense model, left out
      if the model does not know its input shape.

    Args:
        log_dir: Directory for TensorBoard: the density of every kernel, and
            its mask as a picture. Nothing is written if `None`.

    Raises:
        ValueError: While training, if the model is not sparse or a kernel has
            lost its last connection.
    """

    def __init__(self, log_dir=None):
        super().__init__()
        self.log_dir = log_dir
        self._writer = None
        self._cost = None

    def on_train_begin(self, logs=None):
        del logs
        if not hasattr(self.model, "num_changed"):
            raise ValueError(
                f"`SparsityMonitor` watches sparse models, and "
                f"{self.model.name!r} is not one. Pass it through "
                "`rigl_tf.sparsify` or leave the callback out."
            )
        try:
            self._cost = flops.inference(self.model)
        except ValueError:  # the input shape is not known
            self._cost = None
        if self.log_dir:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))

    def on_epoch_begin(self, epoch, logs=None):
        del epoch, logs
        self._changed = layers.as_int(self.model.num_changed)
        self._skipped = layers.as_int(self.model.num_skipped)

    def on_epoch_end(self, epoch, logs=None):
        model = self.model
        kernels = model.kernels
        active = [int(masks.count(kernel.mask)) for kernel in kernels]
        for kernel, count in zip(kernels, active, strict=True):
            if count == 0:
                raise ValueError(
                    f"Kernel {kernel.name!r} has lost its last connection, so "
                    "nothing can pass it or grow in it again. Lower the "
                    "sparsity, or exclude the layer."
                )
        size = sum(kernel.size for kernel in kernels)
        if logs is not None:
            logs["sparsity"] = 1 - sum(active) / size
            logs["drop_fraction"] = model.current_drop_fraction()
            logs["changed"] = layers.as_int(model.num_changed) - self._changed
            logs["skipped"] = layers.as_int(model.num_skipped) - self._skipped
            if self._cost is not None:
                logs["flops"] = self._cost.recount(model).ratio()
        if self._writer is not None:
            with self._writer.as_default(step=epoch):
                for kernel, count in zip(kernels, active, strict=True):
                    density = count / kernel.size
                    tf.summary.scalar(f"density/{kernel.name}", density)
                    tf.summary.image(f"mask/{kernel.name}", _picture(kernel))
            self._writer.flush()

    def on_train_end(self, logs=None):
        del logs
        if self._writer is not None:
            self._writer.close()


class Backup(keras.callbacks.Callback):
    """Saves the model between epochs, so that a stopped run can go on.

    Args:
        directory: Directory for the backup. A file in it is either whole or
            not there.
        least_seconds: Float, time between two backups.

    Attributes:
        epochs: Integer, epochs done; like the others, from the beginning of
            the run and not from when it went on.
        history: Dictionary from metric to its value after each epoch.
        seconds: Float, time that the epochs have taken.
    """

    def __init__(self, directory, least_seconds=30.0):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.least_seconds = least_seconds
        self.epochs = 0
        self.history = {}
        self.seconds = 0.0

    def load(self):
        """Goes back to the last backup: its model, or `None` if none is."""
        try:
            saved = json.loads((self.directory / "backup.json").read_text())
        except FileNotFoundError:
            return None
        model = keras.saving.load_model(self.directory / saved["model"])
        for state, value in zip(_seeds(model), saved["seeds"], strict=True):
            state.assign(value)
        self.epochs = saved["epochs"]
        self.history = saved["history"]
        self.seconds = saved["seconds"]
        return model

    def remove(self):
        """Removes the backup of a run that is finished."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def on_train_begin(self, logs=None):
        del logs
        self._last = time.monotonic()
        self._start = self._last - self.seconds

    def on_epoch_end(self, epoch, logs=None):
        self.epochs = epoch + 1
        self.seconds = time.monotonic() - self._start
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._last < self.least_seconds:
            return
        name = f"backup-{self.epochs:04d}.keras"
        self.directory.mkdir(parents=True, exist_ok=True)
        partial = self.directory / f"partial-{name}"
        self.model.save(partial)
        os.replace(partial, self.directory / name)
        saved = {
            "model": name,
            "epochs": self.epochs,
            "seeds": [np.array(state).tolist() for state in _seeds(self.model)],
            "history": self.history,
            "seconds": self.seconds,
        }
        partial = self.directory / "backup.json.partial"
        partial.write_text(json.dumps(saved))
        os.replace(partial, self.directory / "backup.json")
        for old in self.directory.glob("backup-*.keras"):
            if old.name != name:
                old.unlink()
        self._last = time.monotonic()


def _seeds(model):
    """The random states of dropout and the like, which Keras does not save."""
    return [v for v in model.variables if v.name == "seed_generator_state"]


def _picture(kernel):
    """A mask as one grey image: inputs downwards, outputs across."""
    picture = kernel.layout.matrix(kernel.mask).numpy()
    return picture[None, :, :, None].astype(np.uint8) * 255
