"""The one place where the parts meet: a task, a method, a run."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable

import keras

from rigl_tf import board
from rigl_tf import checkpoints
from rigl_tf import durable
from rigl_tf import locks
from rigl_tf import plots
from rigl_tf import recording
from rigl_tf import results
from rigl_tf import snapshot
from rigl_tf import strategies
from rigl_tf.checks import check_count
from rigl_tf.checks import check_number
from rigl_tf.datasets import Dataset
from rigl_tf.extension import stretch_optimizer
from rigl_tf.fitting import CROSS_ENTROPY
from rigl_tf.fitting import Fit
from rigl_tf.methods import Method
from rigl_tf.methods import SmallDense
from rigl_tf.methods import TicketMethod
from rigl_tf.monitor import SparsityMonitor
from rigl_tf.smoke import shortened


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be learnt, and how the dense network would learn it.

    Attributes:
        name: String, for records and directories.
        dataset: `Dataset`.
        model: Function of `(input_shape, num_classes)` to a `keras.Model`
            that gives logits.
        optimizer: Function without arguments to a `keras.optimizers.Optimizer`.
        epochs: Integer.
        extension: Number > 0, how many times as long training takes. The
            learning rate falls and updates end as many times later; warm-up
            and the interval between updates stay as they are.
        loss: Loss of labels and logits, as Keras takes it.
    """

    name: str
    dataset: Dataset
    model: Callable
    optimizer: Callable
    epochs: int
    extension: float = 1
    loss: Callable = CROSS_ENTROPY

    def __post_init__(self):
        if not isinstance(self.dataset, Dataset):
            raise TypeError(
                "`dataset` must be a `rigl_tf.datasets.Dataset`. "
                f"Received: dataset={self.dataset!r}."
            )
        for name in ("model", "optimizer"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"`{name}` must be a function that makes one. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        check_count("epochs", self.epochs)
        check_number("extension", self.extension, "(0, inf)")

    @property
    def total_epochs(self):
        """Integer, with the extension."""
        return max(round(self.epochs * self.extension), 1)

    def network(self):
        """A new `keras.Model` for the data."""
        return self.model(self.dataset.input_shape, self.dataset.num_classes)

    def stretched_optimizer(self):
        """A new optimizer, with the extension."""
        optimizer = self.optimizer()
        stretch_optimizer(optimizer, self.extension)
        return optimizer


def train(
    output_dir,
    task,
    method=None,
    seed=0,
    strategy=None,
    resume=False,
    verbose=1,
    config=None,
    settings=None,
    checkpoint_every=None,
    smoke=False,
):
    """Trains, tests and records one run.

    The directory then holds `record.json`, `model.keras`, `figures/`,
    TensorBoard's `logs/` (scalars, HParams and
    figures) and, if it was given, the configuration. While it is
    trained, it also holds checkpoints, from which a run that was stopped goes
    on and ends with the same weights, bit for bit.

    Args:
        output_dir: Directory of the run; must not hold one.
        task: `Task`.
        method: `Method`, `TicketMethod` or `SmallDense`, or `None` for the
            dense baseline.
        seed: Integer; weights, masks, data order and updates follow it.
        strategy: `tf.distribute.Strategy`, or `None`. Of several workers,
            each calls this with the same directory, and the chief writes.
        resume: Whether to go on with a run that the directory holds: a
            finished one is only read, a stopped one goes on from its last
            checkpoint.
        verbose: Integer, Keras's: 0 silent, 1 a progress bar, 2 a line an
            epoch.
        config: String that says how the run is configured, a setting a line.
            A run goes on only with the one that it began with.
        settings: Dictionary from what the configuration calls a value to it,
            for the record: a number, a string, a boolean or `None`.
        checkpoint_every: Integer, steps between two checkpoints. By default,
            one is written every 30 seconds; with several workers, after every
            epoch.
        smoke: Whether to do everything for a few steps only, to see that it
            works. The results mean nothing.

    Returns:
        `Record`.

    Raises:
        FileExistsError: If the directory holds a run and `resume` is not set,
            that run began with another configuration, there are other files
            and no run, or another process is in the directory.
        TypeError: If an argument is of the wrong kind.
        ValueError: If there are checkpoints and none can be used, or the run
            began with another task, method, seed or optimizer.
        SystemExit: With code `callbacks.STOPPED`, after SIGTERM or SIGINT.
    """
    output_dir = pathlib.Path(output_dir)
    with contextlib.ExitStack() as stack:
        written = output_dir
        if strategies.is_chief(strategy):
            # A finished run is only read, perhaps where nobody may write.
            if not (resume and (output_dir / results.RECORD).exists()):
                stack.enter_context(locks.Lock(output_dir))
            finished = results.claim(output_dir, resume, config)
        else:  # Keras saves on every worker or on none
            written = stack.enter_context(tempfile.TemporaryDirectory())
            written = pathlib.Path(written)
            finished = results.find(output_dir) if resume else None
        if finished is not None:
            return finished
        if not isinstance(task, Task):
            raise TypeError(
                f"`task` must be a `Task`. Received: task={task!r}."
            )
        if not isinstance(method, Method | TicketMethod | SmallDense | None):
            raise TypeError(
                "`method` must be a `Method`, a `TicketMethod`, a "
                f"`SmallDense` or `None`. Received: method={method!r}."
            )
        if smoke:
            task, method = shortened(task, method)
        keras.utils.set_random_seed(seed)
        fit = Fit(
            dataset=task.dataset,
            epochs=task.total_epochs,
            optimizer=task.stretched_optimizer,
            loss=task.loss,
            seed=seed,
            directory=output_dir,
            strategy=strategy,
            verbose=verbose,
            checkpoint_every=checkpoint_every,
            # From then on, there is a run.
            begin=lambda: results.begin(written, config),
        )
        scope = strategy.scope if strategy else contextlib.nullcontext
        with scope():
            ticket = None
            network = task.network()
            if isinstance(method, TicketMethod):
                ticket = method.find(network, seed, fit)
                model = method.compiled(ticket, network, seed, fit)
            elif method is not None:
                model = fit.compile(method.build(network, seed, task.extension))
            else:
                model = fit.compile(network)
        before = {} if ticket is None else _test(model, task)
        done = fit(
            model,
            "checkpoints",
            ticket and "Training of the ticket",
            callbacks=_watching(model, written / "logs"),
        )
        test = _test(model, task)
        record = recording.record(
            task,
            method,
            seed,
            model,
            done,
            test,
            settings or {},
            ticket and ticket.history,
        )
        with durable.replacing(written / "model.keras") as partial:
            model.save(partial)
        _draw(record, model, written / "figures")
        if ticket is not None:
            record = dataclasses.replace(
                record,
                ticket={
                    "epochs": method.num_epochs(task.total_epochs),
                    "density": ticket.density,
                    "search": ticket.history,
                    "before": before,
                    "checks": _checked(
                        model, task, method, ticket, seed, fit, scope
                    ),
                },
            )
        board.write(written / "logs", record, written / "figures")
        results.write(written, record)
        durable.sync(written)  # figures and logs, too
        if written == output_dir:
            for place in ("checkpoints", "search", "checks"):
                checkpoints.remove_all(output_dir / place)
        return record


def _checked(model, task, method, ticket, seed, fit, scope):
    """What a model is worth when it is trained from what each check spoilt."""
    state = snapshot.Snapshot(model)
    found = {}
    for name in method.checks:
        with scope():
            network = task.network()
            spoilt = method.finder.spoil(name, ticket, network, seed, fit)
            other = method.compiled(spoilt, network, seed, fit)
        # The same model again, as TensorFlow has compiled it already.
        start = snapshot.Snapshot(other).arrays(within_epoch=False)
        state.put_back(list(start), within_epoch=False)
        fit(model, f"checks/{name}", f"Sanity check: {name}")
        found[name] = _test(model, task)
    return found


def _test(model, task):
    return model.evaluate(task.dataset.test, verbose=0, return_dict=True)


def _draw(record, model, figures):
    plots.accuracy([record], figures / "accuracy.png")
    if record.densities:
        plots.densities([record], figures / "densities.png")
        plots.density_over_time(record, figures / "density_over_time.png")
        sparsest = min(model.kernels, key=lambda k: record.densities[k.name])
        plots.masks({sparsest.name: sparsest}, figures / "mask.png")


def _watching(model, logs):
    """The callbacks that watch, in their order."""
    watching = [keras.callbacks.TensorBoard(logs, write_graph=False)]
    if hasattr(model, "kernels"):
        watching.insert(0, SparsityMonitor(log_dir=logs / "masks"))
    return watching
