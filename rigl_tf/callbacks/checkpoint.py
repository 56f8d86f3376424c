"""A callback that saves the whole state of training, to resume it exactly."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import set_initial_epoch
from rigl_tf.callbacks import checkpoint_checks
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks import checkpoint_search
from rigl_tf.callbacks import memories
from rigl_tf.callbacks import run_identity
from rigl_tf.callbacks.save_clock import SaveClock
from rigl_tf.callbacks.signals import Signals
from rigl_tf.callbacks.sparse_training import SparseTraining
from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor
from rigl_tf.callbacks.training_state import Facts
from rigl_tf.callbacks.training_state import Snapshot
from rigl_tf.distribute import strategies
from rigl_tf.typing import PathLike
from rigl_tf.utils import file_lock

STOPPED = 75
"""Exit code of a process that saved its work because it received a signal."""

_EPOCH_ENDS = "this epoch alone"  # a true value of `stop_training`


class Checkpoint(keras.callbacks.Callback):
    """Saves weights, masks, optimizer, step, random states and metrics.

    ```python
    with rigl_tf.Checkpoint("checkpoints") as checkpoint:
        checkpoint.restore(model, data.train(seed))
        model.fit(
            data.train(seed, checkpoint.epoch, checkpoint.batch),
            epochs=100,
            steps_per_epoch=data.steps_per_epoch,
            shuffle=False,  # the dataset decides the order
            callbacks=[checkpoint],
        )
    ```

    A `fit` that was stopped, even by force in the middle of an epoch or of a
    save, resumes from the last checkpoint. Its final weights are the weights
    of an uninterrupted run, bit for bit, if the data resume at the same batch:
    pass an endless dataset whose order depends only on a seed and on its first
    batch, such as the datasets of `rigl_tf.datasets`. Put this callback last
    in the list, so that it saves the effects of the other callbacks.

    A checkpoint of a different run is refused. The error names the
    difference, such as the seed.

    Inside the `with` block, no other process may use the directory. After
    SIGTERM or SIGINT (Ctrl-C), the process saves at the next step and exits
    with code 75; in the last step of an epoch, it first validates. A second
    signal, more than a second later, ends the process at once unless a save is
    running. If the disk is full, a warning says so and training continues.

    Args:
        directory: Path of a directory that holds nothing but checkpoints.
        every: Integer, steps between two checkpoints. By default, `seconds`
            decides.
        seconds: Number, minimum seconds between two checkpoints if `every` is
            not given; more if the last one took more than 2 % of them. With
            0, every step is followed by a checkpoint.
        keep: Integer, at least 1, number of checkpoints to keep.
        callbacks: List of the callbacks passed to `fit`. The checkpoint saves
            the state of `SparseTraining`, which must be in the list,
            `SparsityMonitor`, `EarlyStopping`, `ReduceLROnPlateau` and
            `ModelCheckpoint`. When training resumes, a warning names the
            other callbacks, whose state is lost.
        strategy: `tf.distribute.Strategy` of the model, or `None`. All workers
            must see the directory; the chief writes. The clocks of workers
            differ: without `every`, they save at the end of each epoch, and
            they react to signals only when they save.
        identity: Dictionary from string to JSON values, or `None`: further
            facts that must be equal when the run resumes, such as the seed of
            the order of the data.
        changed: List of strings, names of facts that may differ from the
            checkpoint, as the error gives them: `["learning_rate"]`. Training
            continues with the new values. Masks do not change.

    Attributes:
        epoch: Integer, completed epochs. Like all attributes, it counts from
            the start of the run, also after the run was resumed.
        batch: Integer, completed batches of the current epoch.
        history: Dictionary from metric to its value after each epoch; the
            density of a kernel is the metric `density/` and its name.
        elapsed: Float, seconds of training so far.
        stopped: Boolean, whether a callback had ended training when the
            checkpoint was written. Set it to `False` to train further.
        changes: List of strings, the differences accepted through `changed`
            since the start of the run.

    Raises:
        FileExistsError: On entry, if another process uses the directory.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        directory: PathLike,
        every: int | None = None,
        seconds: float = 30.0,
        keep: int = 2,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        strategy: tf.distribute.Strategy | None = None,
        identity: Mapping[str, Any] | None = None,
        changed: Sequence[str] = (),
    ) -> None:
        super().__init__()
        checkpoint_checks.check_arguments(
            every, seconds, keep, callbacks, identity, changed
        )
        self.directory = pathlib.Path(directory)
        self.every = every
        self.seconds = seconds
        self.keep = keep
        self.callbacks = list(callbacks)
        self.identity: Any = run_identity.described(dict(identity or {}))
        self.changed = list(changed)
        self.changes = []
        self.epoch = self._batch = 0
        self._was_asked = False  # whether the caller has read `batch`
        self.stopped = False
        self.history = {}
        self.elapsed = 0.0
        self._clock = SaveClock(
            every, seconds, strategies.has_several_workers(strategy)
        )
        self._is_chief = strategies.is_chief(strategy)
        self._lock = file_lock.Lock(directory)
        self._signals = None  # outside of the `with` block
        self._snapshot = None
        self._monitor = self._first(SparsityMonitor)
        self._training = self._first(SparseTraining)
        self._arrays = None  # of the checkpoint whose epoch resumes
        self._memories = None  # state of its callbacks
        self._skip = 0  # batches of this epoch that were done before
        self._saved = self._position()  # of the last checkpoint
        self._start = None  # time of the first step, after `fit` has started

    def _first(self, kind):
        return next((c for c in self.callbacks if isinstance(c, kind)), None)

    def __enter__(self) -> Self:
        if self._is_chief:
            self._lock.__enter__()
        self._signals = Signals().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: Any,
    ) -> None:
        self._entered().__exit__()
        self._signals = None
        self._begin_at(None)
        if self._is_chief:
            self._lock.__exit__()
        last = checkpoint_files.paths(self.directory)[-1:]
        if isinstance(error, Exception) and last:
            error.add_note(f"The last checkpoint is {last[0]}.")

    @property
    def batch(self) -> int:
        self._was_asked = True
        return self._batch

    def restore(
        self, model: keras.Model, dataset: tf.data.Dataset | None = None
    ) -> bool:
        """Restores the last valid checkpoint, if the directory has any.

        Args:
            model: Compiled `keras.Model`, created like the saved model. If the
                checkpoint does not fit, the model does not change.
            dataset: `tf.data.Dataset` with batches of the types and shapes of
                the training data. Needed to resume inside an epoch.

        Returns:
            Boolean, whether a checkpoint was restored.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If the directory has checkpoints and all are invalid,
                or the model is not compiled.
        """
        checkpoint_checks.check_can_restore(model, dataset)
        if self._training is not None:
            self._training.set_model(model)  # makes the masks, as `fit` does
        snapshot = Snapshot(model, self._monitor, dataset)
        here = run_identity.identity(model, dataset) | self.identity
        found = checkpoint_search.last_valid(
            self.directory, snapshot, here, self.changed, dataset is not None
        )
        self._snapshot = snapshot
        if found is None:
            self.identity = here
            return False
        self.identity = found.facts.identity | here
        self._go_back(found.facts, found.arrays)
        self._note(found.changes)
        return True

    def _go_back(self, facts, arrays):
        step = self._restored().sparse_step
        if facts.plan is not None and step is not None:
            step.resolved_schedule = facts.planned(step.resolved_schedule)
        self._restored().put_back(arrays, facts.batch > 0)
        self._arrays = arrays if facts.batch else None
        self.epoch, self._batch = facts.epoch, facts.batch
        self._skip = facts.batch
        self.history = facts.renamed_history(getattr(step, "kernels", []))
        self.elapsed = facts.elapsed
        self.stopped = facts.stopped
        self._saved = self._position()
        self.changes = facts.changes
        self._memories = facts.callbacks

    def _entered(self) -> Signals:
        if self._signals is None:
            raise ValueError(
                "Training with a `Checkpoint` needs a `with` block: "
                "`with rigl_tf.Checkpoint(directory) as checkpoint:`."
            )
        return self._signals

    def _restored(self) -> Snapshot:
        if self._snapshot is None:
            raise ValueError(
                "This `Checkpoint` has no model yet. Call "
                "`checkpoint.restore(model)` first, or `fit` with it."
            )
        return self._snapshot

    def _note(self, changes):
        where = f"after epoch {self.epoch}, batch {self._batch}"
        self.changes += [f"{change} {where}" for change in changes]

    def save(self) -> None:
        """Saves the state of training; warns if the disk refuses.

        Raises:
            ValueError: If no `fit` has started.
        """
        with self._entered().wait(), self._clock.saving():
            self._save()

    def _save(self):
        if self._start is None:
            raise ValueError(
                "No `fit` has started with this `Checkpoint`, so there is "
                "nothing to save. Call `save` during `fit` or after it."
            )
        self.elapsed = time.monotonic() - self._start
        self._saved = self._position()
        arrays = self._restored().arrays(self._batch > 0)
        if not self._is_chief:
            for _ in arrays:  # reading takes all workers
                pass
            return
        facts = Facts(
            epoch=self.epoch,
            batch=self._batch,
            elapsed=self.elapsed,
            history=self.history,
            plan=getattr(
                self._restored().sparse_step, "resolved_schedule", None
            ),
            identity=self.identity,
            stopped=self._saved[-1],
            changes=self.changes,
            callbacks=memories.read(self.callbacks),
        )
        try:
            checkpoint_files.write(
                self.directory / f"epoch-{self.epoch:06d}-{self._batch:09d}",
                self._restored().specs(self._batch > 0),
                arrays,
                dataclasses.asdict(facts),
                self.keep,
            )
        except OSError as error:
            checkpoint_checks.warn_not_saved(self.epoch, self._batch, error)

    def finish(self) -> None:
        """Saves the state of training unless the last save is current."""
        if self._start is not None and self._saved != self._position():
            self.save()

    def _position(self):
        ended = getattr(self.model, "stop_training", False) is True
        return self.epoch, self._batch, self.stopped or ended

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._entered()
        steps = self.params["steps"]
        checkpoint_checks.check_steps(
            steps, self._skip, self.model.steps_per_execution
        )
        if self._snapshot is None:
            checkpoint_checks.check_is_new(self.directory)
            self._snapshot = Snapshot(self.model, self._monitor)
            self.identity = run_identity.identity(self.model) | self.identity
        self._snapshot.check_is_of(self.model)
        now = {"steps_per_epoch": steps}
        try:
            self._note(
                run_identity.check_same(self.identity, now, self.changed)
            )
        except ValueError as error:
            raise ValueError(f"{self.directory} {error}.") from None
        self.identity |= now
        checkpoint_checks.warn_of_old_data(self._skip, self._was_asked)
        epochs = self.params["epochs"]
        checkpoint_checks.warn_if_done(self.epoch, epochs, self.stopped)
        self._begin_at(epochs if self.stopped else self.epoch)
        self._clock.restart()
        self._start = time.monotonic() - self.elapsed

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        del epoch, logs
        if self._memories is not None:
            memories.put_back(self.callbacks, self._memories)
            self._memories = None
        if self._arrays is not None:
            # Undoes the changes of other callbacks at the start of an epoch.
            self._restored().put_back(self._arrays, within_epoch=True)
            self._restored().resume_epoch(self._arrays, within_epoch=True)
            self._arrays = None

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._batch = self._skip + batch + 1
        self._clock.count(self.model.steps_per_execution)
        if self._batch == self.params["steps"]:
            # `on_epoch_end` saves. Keras does not know that some batches
            # were done before, and has to stop here.
            if self._skip and not self.model.stop_training:
                self.model.stop_training = _EPOCH_ENDS
        elif not self.model.stop_training and self._is_due(epoch_ends=False):
            self._save_or_exit()

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self.model.stop_training == _EPOCH_ENDS:
            self.model.stop_training = False
        self._skip = 0
        self.epoch, self._batch = epoch + 1, 0
        logs = dict(logs or {})
        if self._monitor is not None:
            densities = self._monitor.densities.items()
            logs |= {f"density/{name}": density for name, density in densities}
        for name, value in logs.items():
            if np.ndim(value) == 0 and not isinstance(value, str):
                self.history.setdefault(name, []).append(float(value))
        if self._is_due(epoch_ends=True):
            self._save_or_exit()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._start is not None:
            self.elapsed = time.monotonic() - self._start
        self._begin_at(None)
        now = self._position()
        if now[-1] and self._saved[:2] == now[:2]:
            self.save()  # with the changes of other callbacks

    def _begin_at(self, epoch):
        """Sets the initial epoch of the next `fit`."""
        if self.model is not None:
            set_initial_epoch(self.model, epoch or None)

    def _is_due(self, epoch_ends):
        return self._clock.is_due(
            epoch_ends, self._entered().number is not None
        )

    def _save_or_exit(self):
        self.finish()
        if self._entered().number is not None:
            sys.exit(STOPPED)
