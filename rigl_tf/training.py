"""The one place where the parts meet: a task, a method, a run."""

import contextlib
import dataclasses
import functools
import pathlib
import tempfile
from collections.abc import Callable

import keras
import numpy as np

from rigl_tf import callbacks
from rigl_tf import distributions
from rigl_tf import locks
from rigl_tf import multi_worker
from rigl_tf import plots
from rigl_tf import recording
from rigl_tf import results
from rigl_tf import schedules
from rigl_tf import strategies
from rigl_tf.algorithms import Algorithm
from rigl_tf.config import Config
from rigl_tf.datasets import Dataset
from rigl_tf.extension import stretch
from rigl_tf.extension import stretch_optimizer
from rigl_tf.granularity import Connections
from rigl_tf.grow_init import GrowInit
from rigl_tf.models import small_dense
from rigl_tf.monitor import SparsityMonitor
from rigl_tf.sparsify import sparsify


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
        extension: Number > 0, how many times as long training takes: the
            epochs and all that is counted in steps, such as the schedule of
            the learning rate, are stretched alike.
        loss: Loss of labels and logits, as Keras takes it.
    """

    name: str
    dataset: Dataset
    model: Callable
    optimizer: Callable
    epochs: int
    extension: float = 1
    loss: Callable = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True
    )

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
        if not isinstance(self.epochs, int) or self.epochs < 1:
            raise ValueError(
                "`epochs` must be an integer of at least 1. "
                f"Received: epochs={self.epochs!r}."
            )
        if not distributions.is_number(self.extension) or self.extension <= 0:
            raise ValueError(
                "`extension` must be a number above 0. "
                f"Received: extension={self.extension!r}."
            )

    @property
    def total_epochs(self):
        """Integer, with the extension."""
        return max(round(self.epochs * self.extension), 1)


@dataclasses.dataclass(frozen=True)
class Method:
    """How a network becomes and stays sparse: the arguments of `sparsify`.

    Attributes:
        name: String, for records and directories.
        algorithm: `Algorithm`.
        sparsity: Float in [0, 1), the fraction of zeros.
        distribution: Function of `rigl_tf.distributions`, or its name.
        schedule: `UpdateSchedule`.
        drop_fraction: Callable from step to fraction.
        exclude: Names of layers to keep dense.
        granularity: Of `rigl_tf.granularity`.
        grow_init: `GrowInit`.
        source: Directory of a finished sparse run of the same task, to start
            from what it ended with, or `None`.
        reuse: String, what of the source: `"masks"`, or `"densities"` of its
            kernels for new random masks.
    """

    name: str
    algorithm: Algorithm
    sparsity: float
    distribution: Callable | str = distributions.erdos_renyi_kernel
    schedule: schedules.UpdateSchedule = schedules.UpdateSchedule()
    drop_fraction: Callable = schedules.Cosine()
    exclude: tuple = ()
    granularity: Config = Connections()
    grow_init: GrowInit = GrowInit()
    source: str | None = None
    reuse: str = "masks"

    def __post_init__(self):
        if self.reuse not in ("masks", "densities"):
            raise ValueError(
                '`reuse` must be "masks" or "densities". '
                f"Received: reuse={self.reuse!r}."
            )

    def build(self, network, seed, extension=1):
        """The sparse model of a network, its schedules stretched."""
        distribution = self.distribution
        if self.source is not None:
            record = results.read(pathlib.Path(self.source) / results.RECORD)
            if record.sparsity != self.sparsity:
                raise ValueError(
                    f"The run in {self.source} has a sparsity of "
                    f"{record.sparsity}. Received: sparsity={self.sparsity}."
                )
            distribution = functools.partial(
                distributions.uniform,
                custom={n: 1 - d for n, d in record.densities.items()},
            )
        model = sparsify(
            network,
            self.algorithm,
            sparsity=self.sparsity,
            distribution=distribution,
            schedule=stretch(self.schedule, extension),
            drop_fraction=stretch(self.drop_fraction, extension),
            exclude=self.exclude,
            granularity=self.granularity,
            grow_init=self.grow_init,
            seed=seed,
        )
        if self.source is not None and self.reuse == "masks":
            other = keras.saving.load_model(
                pathlib.Path(self.source) / "model.keras"
            )
            model.set_masks({k.name: np.array(k.mask) for k in other.kernels})
        return model


@dataclasses.dataclass(frozen=True)
class SmallDense:
    """A dense network that has fewer channels instead of zeros.

    Attributes:
        name: String, for records and directories.
        sparsity: Float in [0, 1), whose number of weights is matched.
        rounding: `None` or a string: see `rigl_tf.models.small_dense`.
    """

    name: str
    sparsity: float
    rounding: str | None = None

    def build(self, network, seed, extension=1):
        """The network with fewer channels."""
        del seed, extension
        return small_dense(network, self.sparsity, self.rounding)


def train(
    output_dir,
    task,
    method=None,
    seed=0,
    strategy=None,
    resume=False,
    verbose=1,
    config=None,
    checkpoint_every=None,
):
    """Trains, tests and records one run.

    The directory then holds `record.json`, `model.keras`, `figures/`,
    TensorBoard's `logs/` and, if it was given, the configuration. While it is
    trained, it also holds `checkpoints/`, from which a run that was stopped
    goes on and ends with the same weights, bit for bit.

    Args:
        output_dir: Directory of the run; must not hold one.
        task: `Task`.
        method: `Method` or `SmallDense`, or `None` for the dense baseline.
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
        checkpoint_every: Integer, steps between two checkpoints. By default,
            one is written every 30 seconds; with several workers, after every
            epoch.

    Returns:
        `Record`.

    Raises:
        FileExistsError: If the directory holds a run and `resume` is not set,
            that run began with another configuration, or another process is
            in the directory.
        TypeError: If an argument is of the wrong kind.
        ValueError: If there are checkpoints and none can be used.
        SystemExit: With code `callbacks.STOPPED`, after SIGTERM or SIGINT.
    """
    output_dir = pathlib.Path(output_dir)
    with contextlib.ExitStack() as stack:
        written = output_dir
        if strategies.is_chief(strategy):
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
        if not isinstance(method, Method | SmallDense | None):
            raise TypeError(
                "`method` must be a `Method`, a `SmallDense` or `None`. "
                f"Received: method={method!r}."
            )
        keras.utils.set_random_seed(seed)
        watching, monitor = _callbacks(method, written / "logs")
        checkpoint = callbacks.Checkpoint(
            output_dir / "checkpoints",
            every=checkpoint_every,
            monitor=monitor,
            strategy=strategy,
        )
        with strategy.scope() if strategy else contextlib.nullcontext():
            model = _build(task, method, seed)
        stack.enter_context(checkpoint)
        checkpoint.restore(model, task.dataset.train(seed))
        if config is not None:  # from here on, there is a run
            results.write_config(written, config)

        if checkpoint.epoch < task.total_epochs:
            model.fit(
                task.dataset.train(seed, checkpoint.epoch, checkpoint.batch),
                epochs=task.total_epochs,
                steps_per_epoch=task.dataset.steps_per_epoch,
                validation_data=task.dataset.validation,
                shuffle=False,  # the data set has its own order
                verbose=verbose,
                callbacks=[*watching, checkpoint],
            )
        test = model.evaluate(task.dataset.test, verbose=0, return_dict=True)
        record = recording.record(task, method, seed, model, checkpoint, test)
        model.save(written / "model.keras")
        _draw(record, model, written / "figures")
        results.write(written, record)
        if written == output_dir:
            checkpoint.remove()
        return record


def _build(task, method, seed):
    model = task.model(task.dataset.input_shape, task.dataset.num_classes)
    if method is not None:
        model = method.build(model, seed, task.extension)
    optimizer = task.optimizer()
    stretch_optimizer(optimizer, task.extension)
    model.compile(
        optimizer=optimizer,
        loss=task.loss,
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    if model.distribute_strategy.num_replicas_in_sync > 1:
        if not isinstance(method, Method):
            multi_worker.mend(model)
    return model


def _draw(record, model, figures):
    plots.accuracy([record], figures / "accuracy.png")
    if record.densities:
        plots.densities([record], figures / "densities.png")
        plots.density_over_time(record, figures / "density_over_time.png")
        sparsest = min(model.kernels, key=lambda k: record.densities[k.name])
        plots.masks({sparsest.name: sparsest}, figures / "mask.png")


def _callbacks(method, logs):
    """The callbacks that watch, in their order, and the monitor of masks."""
    board = keras.callbacks.TensorBoard(logs, write_graph=False)
    if not isinstance(method, Method):
        return [board], None
    monitor = SparsityMonitor(log_dir=logs / "masks")
    return [monitor, board], monitor
