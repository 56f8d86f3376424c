"""A callback that saves everything, so that training can go on bit for bit."""

import dataclasses
import pathlib
import sys
import time
import warnings

import keras
import numpy as np

from rigl_tf import checkpoints
from rigl_tf import locks
from rigl_tf import strategies
from rigl_tf.callbacks import memories
from rigl_tf.callbacks.signals import Signals
from rigl_tf.checks import check_count
from rigl_tf.monitor import SparsityMonitor
from rigl_tf.snapshot import Facts
from rigl_tf.snapshot import Snapshot
from rigl_tf.snapshot import check_same
from rigl_tf.snapshot import identity

STOPPED = 75
"""Exit code of a process that was told to stop and has saved its work."""

_EPOCH_ENDS = "this epoch alone"  # which is true, as Keras has it


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, masks, optimizer, step, random states and metrics.

    ```python
    with rigl_tf.Checkpoint("checkpoints") as checkpoint:
        checkpoint.restore(model, data.train(seed))
        model.fit(
            data.train(seed, checkpoint.epoch, checkpoint.batch),
            epochs=100,
            steps_per_epoch=data.steps_per_epoch,
            shuffle=False,  # the data have an order of their own
            callbacks=[checkpoint],
        )
    ```

    A `fit` that was stopped, even by force in the middle of an epoch or of a
    save, goes on from the last checkpoint and ends with the weights that it
    would have ended with, bit for bit. For that, the data have to go on where
    they were: an endless dataset whose order depends on nothing but a seed
    and where it begins, such as those of `rigl_tf.datasets`. In the list of
    callbacks, this comes last, so that it saves what the others have done.

    A checkpoint of another run is refused by what differs, such as a seed.

    Within the `with` block, no other process may use the directory, and after
    SIGTERM or SIGINT (Ctrl-C) the process saves at the next step and exits
    with code 75; in the last step of an epoch, after its validation. A second
    signal, more than a second later, exits at once if nothing is being saved.
    A full disk is warned of, and training goes on.

    Args:
        directory: Path, for checkpoints alone.
        every: Integer, steps between two checkpoints. By default, as many as
            `seconds` takes.
        seconds: Number, least time between two checkpoints where `every` is
            not given.
        keep: Integer, at least 1, how many of the last checkpoints stay.
        callbacks: List of the callbacks that `fit` gets, too. What the
            `SparsityMonitor`, `EarlyStopping`, `ReduceLROnPlateau` and
            `ModelCheckpoint` among them remember is saved. A warning names
            those that begin anew when training goes on.
        strategy: `tf.distribute.Strategy` of the model, or `None`. Of several
            workers, who all see the directory, the chief writes. Their clocks
            differ, so that without `every` they save at the end of epochs;
            signals are heeded only when they save.
        identity: Dictionary from name to what JSON can hold, or `None`: what
            else a run may go on with only if it is the same, such as the seed
            of the data's order.
        changed: List of strings, the facts that may differ from those of the
            checkpoint, as an error names them: `["learning_rate"]`. Training
            goes on with what they are now. Masks stay.

    Attributes:
        epoch: Integer, epochs done; like the others, from the beginning of
            the run and not from when it went on.
        batch: Integer, batches done of the epoch after those.
        history: Dictionary from metric to its value after each epoch; the
            density of a kernel is the metric `density/` and its name.
        elapsed: Float, seconds that training has taken.
        stopped: Boolean, whether a callback had ended training when the
            checkpoint was written, so that there is nothing to go on with;
            set it to `False` to train on nevertheless.
        changes: List of strings, what was `changed` since the beginning.

    Raises:
        FileExistsError: On entry, if another process uses the directory.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        directory,
        every=None,
        seconds=30.0,
        keep=2,
        callbacks=(),
        strategy=None,
        identity=None,
        changed=(),
    ):
        super().__init__()
        check_count("every", every, optional=True)
        check_count("keep", keep)
        if isinstance(changed, str):
            raise TypeError(
                "`changed` must be a list of names of facts. "
                f"Received: changed={changed!r}."
            )
        self.directory = pathlib.Path(directory)
        self.every = every
        self.seconds = seconds
        self.keep = keep
        self.callbacks = list(callbacks)
        self.identity = dict(identity or {})
        self.changed = list(changed)
        self.changes = []
        self.epoch = self._batch = 0
        self._was_asked = False  # where the rest of an epoch begins
        self.stopped = False
        self.history = {}
        self.elapsed = 0.0
        self._several = strategies.has_several_workers(strategy)
        self._is_chief = strategies.is_chief(strategy)
        self._lock = locks.Lock(directory)
        self._signals = None  # outside of the `with` block
        self._snapshot = None
        monitors = [c for c in callbacks if isinstance(c, SparsityMonitor)]
        self._monitor = monitors[0] if monitors else None
        self._arrays = None  # of a checkpoint, for when its epoch goes on
        self._memories = None  # of its callbacks
        self._skip = 0  # batches of this epoch that were done before
        self._saved = self._position()  # of the last checkpoint
        self._since = 0  # steps since then

    def __enter__(self):
        if self._is_chief:
            self._lock.__enter__()
        self._signals = Signals().__enter__()
        return self

    def __exit__(self, kind, error, traceback):
        self._signals.__exit__()
        self._signals = None
        self._begin_at(None)
        if self._is_chief:
            self._lock.__exit__()
        last = checkpoints.paths(self.directory)[-1:]
        if isinstance(error, Exception) and last:
            error.add_note(f"The last checkpoint is {last[0]}.")

    @property
    def batch(self):
        self._was_asked = True
        return self._batch

    def restore(self, model, dataset=None):
        """Goes back to the last checkpoint that is whole, if there is one.

        Args:
            model: Compiled `keras.Model`, made as the saved one was. Nothing
                in it changes unless everything can.
            dataset: `tf.data.Dataset` like the one to train on; only the
                types and shapes of its batches matter. Without it, an epoch
                that had begun cannot go on.

        Returns:
            Whether there was one.

        Raises:
            ValueError: If there are checkpoints and none of them will do.
        """
        snapshot = Snapshot(model, self._monitor, dataset)
        here = {**identity(model, dataset), **self.identity}
        problems = []
        for path in reversed(checkpoints.paths(self.directory)):
            try:
                values = checkpoints.read_facts(path)
                facts = Facts.of(values)
                changes = check_same(facts.resolved(), here, self.changed)
                specs = snapshot.specs(facts.batch > 0)
                arrays = checkpoints.read_arrays(path, values, specs)
            except (ValueError, OSError) as error:
                problems.append(f"{path} {error}")
                continue
            for problem in problems:
                warnings.warn(f"Passed over: {problem}.", stacklevel=2)
            if any(c.startswith("optimizer learning_rate") for c in changes):
                arrays = snapshot.with_own_learning_rate(arrays)
            self._snapshot = snapshot
            self.identity = {**facts.identity, **here}
            self._go_back(model, facts, arrays)
            self._note(changes)
            return True
        if problems:
            raise ValueError(
                f"No checkpoint can be used: {'; '.join(problems)}. Choose "
                "another directory, or remove them to begin anew."
            )
        self._snapshot = snapshot
        self.identity = here
        return False

    def _go_back(self, model, facts, arrays):
        if facts.plan is not None:
            model.resolved_schedule = facts.planned(model.resolved_schedule)
        self._snapshot.put_back(arrays, facts.batch > 0)
        self._arrays = arrays if facts.batch else None
        self.epoch, self._batch = facts.epoch, facts.batch
        self._skip = facts.batch
        self.history = facts.history
        self.elapsed = facts.elapsed
        self.stopped = facts.stopped
        self._saved = self._position()
        self.changes = facts.changes
        self._memories = facts.callbacks

    def _note(self, changes):
        where = f"after epoch {self.epoch}, batch {self._batch}"
        self.changes += [f"{change} {where}" for change in changes]

    def save(self):
        """Saves training as it is now, or warns that it could not."""
        with self._signals.wait():
            self._save()

    def _save(self):
        self._last = time.monotonic()
        self.elapsed = self._last - self._start
        self._saved = self._position()
        self._since = 0
        arrays = self._snapshot.arrays(self._batch > 0)
        if not self._is_chief:
            for _ in arrays:  # reading takes all workers
                pass
            return
        facts = Facts(
            epoch=self.epoch,
            batch=self._batch,
            elapsed=self.elapsed,
            history=self.history,
            plan=getattr(self.model, "resolved_schedule", None),
            identity=self.identity,
            stopped=self._saved[-1],
            changes=self.changes,
            callbacks=memories.read(self.callbacks),
        )
        try:
            checkpoints.write(
                self.directory / f"epoch-{self.epoch:06d}-{self._batch:09d}",
                self._snapshot.specs(self._batch > 0),
                arrays,
                dataclasses.asdict(facts),
                self.keep,
            )
        except OSError as error:
            warnings.warn(
                f"Epoch {self.epoch}, batch {self._batch} could not be saved: "
                f"{error}. Training goes on; stopped now, it would go on from "
                "an earlier checkpoint.",
                stacklevel=2,
            )

    def finish(self):
        """Saves training as it is now, unless that has been done."""
        if self._saved != self._position():
            self.save()

    def _position(self):
        ended = getattr(self.model, "stop_training", False) is True
        return self.epoch, self._batch, self.stopped or ended

    def on_train_begin(self, logs=None):
        if self._signals is None:
            raise ValueError(
                "Training with a `Checkpoint` goes into a `with` block: "
                "`with rigl_tf.Checkpoint(directory) as checkpoint:`."
            )
        steps = self.params["steps"]
        if self._skip and (steps is None or steps <= self._skip):
            raise ValueError(
                f"To go on after {self._skip} batches of an epoch takes "
                "`steps_per_epoch`, more than those, and a dataset that does "
                f"not end. Received: steps_per_epoch={steps}."
            )
        if steps and steps % self.model.steps_per_execution:
            raise ValueError(
                "With a `Checkpoint`, `steps_per_execution` must divide the "
                f"steps of an epoch, {steps}. "
                f"Received: {self.model.steps_per_execution}."
            )
        if self._snapshot is None:
            if checkpoints.paths(self.directory):
                raise ValueError(
                    f"{self.directory} holds checkpoints of an earlier run. "
                    "Call `checkpoint.restore(model, dataset)` before `fit` to "
                    "go on with it, or choose another directory."
                )
            self._snapshot = Snapshot(self.model, self._monitor)
            self.identity = {**identity(self.model), **self.identity}
        now = {"steps_per_epoch": steps}
        try:
            self._note(check_same(self.identity, now, self.changed))
        except ValueError as error:
            raise ValueError(f"{self.directory} {error}.") from None
        self.identity |= now
        if self._skip and not self._was_asked:
            warnings.warn(
                f"{self._skip} batches of the epoch are done, and nothing has "
                "asked for `checkpoint.batch`, where the data must go on.",
                stacklevel=2,
            )
        epochs = self.params["epochs"]
        if self.stopped or self.epoch >= epochs:
            warnings.warn(
                f"There is nothing to train: {self.epoch} epochs are done, "
                + (
                    "and then a callback ended training. Set "
                    "`checkpoint.stopped = False` to train on."
                    if self.stopped
                    else f"and `epochs={epochs}` counts from the beginning of "
                    "the run. Pass more to train on."
                ),
                stacklevel=2,
            )
        self._begin_at(epochs if self.stopped else self.epoch)
        self._last = time.monotonic()
        self._start = self._last - self.elapsed

    def on_epoch_begin(self, epoch, logs=None):
        del epoch, logs
        if self._memories is not None:
            memories.put_back(self.callbacks, self._memories)
            self._memories = None
        if self._arrays is not None:
            # Also what other callbacks do when an epoch begins, once more.
            self._snapshot.put_back(self._arrays, within_epoch=True)
            self._snapshot.resume_epoch(self._arrays, within_epoch=True)
            self._arrays = None

    def on_train_batch_end(self, batch, logs=None):
        self._batch = self._skip + batch + 1
        self._since += self.model.steps_per_execution
        if self._batch == self.params["steps"]:
            # Saved with what ends the epoch. If some of it was done before,
            # Keras has to be told that it is over.
            if self._skip and not self.model.stop_training:
                self.model.stop_training = _EPOCH_ENDS
        elif not self.model.stop_training and self._is_due(epoch_ends=False):
            self._save_or_exit()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training == _EPOCH_ENDS:
            self.model.stop_training = False
        self._skip = 0
        self.epoch, self._batch = epoch + 1, 0
        logs = dict(logs or {})
        if self._monitor is not None:
            for name, density in self._monitor.densities.items():
                logs[f"density/{name}"] = density
        for name, value in logs.items():
            if np.ndim(value) == 0 and not isinstance(value, str):
                self.history.setdefault(name, []).append(float(value))
        if self._is_due(epoch_ends=True):
            self._save_or_exit()

    def on_train_end(self, logs=None):
        self.elapsed = time.monotonic() - self._start
        self._begin_at(None)
        now = self._position()
        if now[-1] and self._saved[:2] == now[:2]:
            self.save()  # with what others do when they end training

    def _begin_at(self, epoch):
        """Says where the next `fit` begins."""
        if self.model is not None:
            self.model._initial_epoch = epoch or None

    def _is_due(self, epoch_ends):
        if self.every is not None and self._since >= self.every:
            return True
        if self._several:  # all of them or none
            return epoch_ends and self.every is None
        if self._signals.number is not None:
            return True
        late = time.monotonic() - self._last >= self.seconds
        return late and self.every is None

    def _save_or_exit(self):
        self.finish()
        if self._signals.number is not None:
            sys.exit(STOPPED)
