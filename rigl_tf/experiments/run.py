"""Training, testing and recording of one run of a method on a task."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rigl_tf import results
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks import training_state
from rigl_tf.callbacks.sparsity_monitor import SparsityMonitor
from rigl_tf.distribute import strategies
from rigl_tf.experiments import run_record
from rigl_tf.experiments.methods import Method
from rigl_tf.experiments.methods import SmallDense
from rigl_tf.experiments.methods import TicketMethod
from rigl_tf.experiments.smoke_test import shorten
from rigl_tf.experiments.task import Task
from rigl_tf.experiments.traced_model import TracedModel
from rigl_tf.results import plots
from rigl_tf.results import record_schema
from rigl_tf.results import tensorboard
from rigl_tf.results.plots import curves
from rigl_tf.results.records import Record
from rigl_tf.training.trainer import Trainer
from rigl_tf.typing import PathLike
from rigl_tf.utils import durable
from rigl_tf.utils import file_lock
from rigl_tf.utils.validation import check_number


def train(
    output_dir: PathLike,
    task: Task,
    method: Method | SmallDense | TicketMethod | None = None,
    seed: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    resume: bool = False,
    verbose: int = 1,
    config: str | None = None,
    settings: Mapping[str, Any] | None = None,
    checkpoint_every: int | None = None,
    smoke: bool = False,
    traced: TracedModel | None = None,
    reports: bool = True,
) -> Record:
    """Trains, tests and records one run.

    At the end, the directory contains `record.json`, `model.keras`,
    `figures/`, TensorBoard's `logs/` (scalars, HParams and figures) and, if
    given, the configuration. During training, it also contains checkpoints.
    A run that resumes from them ends with the same weights, bit for bit.

    Args:
        output_dir: Directory of the run. It must not contain another run.
        task: `Task`.
        method: `Method`, `TicketMethod` or `SmallDense`, or `None` for the
            dense baseline.
        seed: Integer. It determines weights, masks, data order and updates.
        strategy: `tf.distribute.Strategy`, or `None`. With several workers,
            each worker calls this function with the same directory, and the
            chief writes the files.
        resume: Boolean, whether to resume the run in the directory. A
            finished run is only read. An interrupted run resumes from its
            last checkpoint.
        verbose: Integer, as in Keras: 0 silent, 1 a progress bar, 2 one line
            per epoch.
        config: String, the configuration of the run, one setting per line. A
            run resumes only with its original configuration.
        settings: Dictionary from the name of a setting to its value, for the
            record: a number, a string, a boolean or `None`.
        checkpoint_every: Integer, steps between two checkpoints. By default,
            a checkpoint is written every 30 seconds; with several workers,
            after every epoch.
        smoke: Boolean, whether to run everything for a few steps only, as a
            test. The results are meaningless.
        traced: `TracedModel` of earlier runs that differ only in `seed` and
            have no `strategy`, or `None`. The results are the same, but
            TensorFlow does not trace the training again.
        reports: Boolean, whether to draw `figures/` and to log every epoch for
            TensorBoard. The logs always have the settings and test results.

    Returns:
        `Record`.

    Raises:
        FileExistsError: If the directory contains a run and `resume` is
            `False`, a run with another configuration, another finished run,
            or other files but no run, or if another process uses the directory.
        TypeError: If an argument has the wrong type.
        ValueError: If no checkpoint can be read, the interrupted run has
            another task, method, seed or optimizer, or a name, the seed or a
            setting cannot be in a record.
        SystemExit: With code `callbacks.STOPPED`, after SIGTERM or SIGINT.
    """
    output_dir = pathlib.Path(output_dir)
    with contextlib.ExitStack() as stack:
        written = output_dir
        if strategies.is_chief(strategy):
            # A finished run may be in a read-only directory.
            if not (resume and (output_dir / results.RECORD).exists()):
                stack.enter_context(file_lock.Lock(output_dir))
            finished = results.acquire_run_dir(output_dir, resume, config)
        else:  # Keras saves on all workers or on none
            written = stack.enter_context(tempfile.TemporaryDirectory())
            written = pathlib.Path(written)
            finished = results.find(output_dir) if resume else None
        if not isinstance(task, Task):
            raise TypeError(
                f"`task` must be a `Task`. Received: task={task!r}."
            )
        if not isinstance(method, Method | TicketMethod | SmallDense | None):
            raise TypeError(
                "`method` must be a `Method`, a `TicketMethod`, a "
                f"`SmallDense` or `None`. Received: method={method!r}."
            )
        if finished is not None:
            run_record.check_is_of(finished, output_dir, task, method, seed)
            return finished
        seed, settings = _plain(seed), _plain(dict(settings or {}))
        # Not after hours of training.
        record_schema.check_fields(
            task=task.name,
            method="dense" if method is None else method.name,
            seed=seed,
            settings=settings,
        )
        check_number("seed", seed, f"[0, {2**32})")  # as NumPy's
        if smoke:
            task, method = shorten(task, method)
        keras.utils.set_random_seed(seed)
        trainer = Trainer(
            dataset=task.dataset,
            epochs=task.total_epochs,
            optimizer=task.scaled_optimizer,
            loss=task.loss,
            steps_per_execution=task.steps_per_execution,
            seed=seed,
            directory=output_dir,
            strategy=strategy,
            verbose=verbose,
            checkpoint_every=checkpoint_every,
            on_start=lambda: results.mark_run_dir(written, config),
        )
        scope = strategy.scope if strategy else contextlib.nullcontext
        with scope():
            ticket = None
            network = task.network()
            if isinstance(method, TicketMethod):
                ticket = method.find(network, seed, trainer)
                model = method.compile_ticket(ticket, network, seed, trainer)
            elif method is not None:
                model = trainer.compile(
                    method.build(network, seed, task.training_multiplier)
                )
            else:
                model = trainer.compile(network)
        if traced is not None:
            model = traced.with_state_of(model)
        before = {} if ticket is None else _test(model, task)
        trained = trainer(
            model,
            "checkpoints",
            ticket and "Training of the ticket",
            callbacks=_callbacks(model, written / "logs" if reports else None),
        )
        test = _test(model, task)
        record = run_record.build(
            task,
            method,
            seed,
            model,
            trained,
            test,
            settings,
            ticket and ticket.history,
        )
        with durable.replacing(written / "model.keras") as partial:
            model.save(partial)
        if reports:
            _draw(record, model, written / "figures")
        if isinstance(method, TicketMethod) and ticket is not None:
            record = dataclasses.replace(
                record,
                ticket={
                    "epochs": method.num_epochs(task.total_epochs),
                    "density": ticket.density,
                    "search": ticket.history,
                    "before": before,
                    "checks": _test_checks(
                        model, task, method, ticket, seed, trainer, scope
                    ),
                },
            )
        tensorboard.write(written / "logs/test", record, written / "figures")
        results.write(written, record)
        durable.sync(written)  # including figures and logs
        if written == output_dir:
            for name in ("checkpoints", "search", "checks"):
                checkpoint_files.remove_all(output_dir / name)
        return record


def _test_checks(model, task, method, ticket, seed, trainer, scope):
    """Trains the ticket of each sanity check; returns the test metrics."""
    state = training_state.Snapshot(model)
    metrics = {}
    for name in method.checks:
        with scope():
            network = task.network()
            changed = method.finder.apply_check(
                name, ticket, network, seed, trainer
            )
            other = method.compile_ticket(changed, network, seed, trainer)
        # TensorFlow has already traced this model.
        start = training_state.Snapshot(other).arrays(within_epoch=False)
        state.put_back(list(start), within_epoch=False)
        trainer(model, f"checks/{name}", f"Sanity check: {name}")
        metrics[name] = _test(model, task)
    return metrics


def _plain(value: Any) -> Any:
    """Converts numbers of NumPy, which JSON does not know, to Python's."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _test(model, task):
    return model.evaluate(task.dataset.test, verbose=0, return_dict=True)


def _draw(record, model, figures):
    plots.accuracy([record], figures / "accuracy.png")
    if record.densities:
        plots.densities([record], figures / "densities.png")
        if curves.moves_masks(record):
            plots.mask_changes([record], figures / "mask_changes.png")
        names = [name for name in record.history if name.startswith("density/")]
        if any(curves.changes(record, name) for name in names):
            plots.density_over_time(record, figures / "density_over_time.png")
        sparsest = min(model.kernels, key=lambda k: record.densities[k.name])
        plots.masks({sparsest.name: sparsest}, figures / "mask.png")


def _callbacks(model, logs):
    """Returns the monitoring callbacks, in order."""
    callbacks = []
    if logs:  # first, as the monitor writes its values into groups
        callbacks.append(keras.callbacks.TensorBoard(logs, write_graph=False))
    if hasattr(model, "kernels"):
        callbacks.append(SparsityMonitor(log_dir=logs and logs / "masks"))
    return callbacks
