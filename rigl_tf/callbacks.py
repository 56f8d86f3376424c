"""A callback that saves a run between its epochs."""

import json
import os
import pathlib
import shutil
import time

import keras
import numpy as np


class Backup(keras.callbacks.Callback):
    """Saves the model between epochs, so that a stopped run can go on.

    Args:
        directory: Directory for the backup. A file in it is either whole or
            not there.
        monitor: `SparsityMonitor` that comes before this in the list of
            callbacks, if there is one. What it has seen is saved, too.
        least_seconds: Float, time between two backups.

    Attributes:
        epochs: Integer, epochs done; like the others, from the beginning of
            the run and not from when it went on.
        history: Dictionary from metric to its value after each epoch; the
            density of a kernel is the metric `density/` and its name.
        seconds: Float, time that the epochs have taken.
    """

    def __init__(self, directory, monitor=None, least_seconds=30.0):
        super().__init__()
        self.monitor = monitor
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
        if self.monitor is not None:
            with np.load(self.directory / saved["monitor"]) as state:
                self.monitor.restore([state[name] for name in state])
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
        logs = dict(logs or {})
        if self.monitor is not None:
            for name, density in self.monitor.densities.items():
                logs[f"density/{name}"] = density
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._last < self.least_seconds:
            return
        name = f"backup-{self.epochs:04d}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write(f"{name}.keras", self.model.save)
        if self.monitor is not None:
            state = self.monitor.state()
            self._write(f"{name}.npz", lambda p: np.savez_compressed(p, *state))
        saved = {
            "model": f"{name}.keras",
            "monitor": f"{name}.npz",
            "epochs": self.epochs,
            "seeds": [np.array(state).tolist() for state in _seeds(self.model)],
            "history": self.history,
            "seconds": self.seconds,
        }
        self._write("backup.json", lambda p: p.write_text(json.dumps(saved)))
        for old in self.directory.glob("backup-*"):
            if old.stem != name:
                old.unlink()
        self._last = time.monotonic()

    def _write(self, name, write):
        """Writes a file under another name first: all of it or nothing."""
        partial = self.directory / f"partial-{name}"
        write(partial)
        os.replace(partial, self.directory / name)


def _seeds(model):
    """The random states of dropout and the like, which Keras does not save."""
    return [v for v in model.variables if v.name == "seed_generator_state"]
