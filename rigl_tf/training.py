"""The one place where the parts meet: a task, a method, a run."""

import contextlib
import dataclasses
import importlib.metadata
import pathlib
import platform
import statistics
from collections.abc import Callable

import keras
import tensorflow as tf

from rigl_tf import callbacks
from rigl_tf import distributions
from rigl_tf import flops
from rigl_tf import plots
from rigl_tf import results
from rigl_tf import schedules
from rigl_tf.algorithms import Algorithm
from rigl_tf.datasets import Dataset
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
        loss: Loss of labels and logits, as Keras takes it.
    """

    name: str
    dataset: Dataset
    model: Callable
    optimizer: Callable
    epochs: int
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


@dataclasses.dataclass(frozen=True)
class Method:
    """How a network becomes and stays sparse: the arguments of `sparsify`.

    Attributes:
        name: String, for records and directories.
        algorithm: `Algorithm`.
        sparsity: Float in [0, 1), the fraction of zeros.
        distribution: Function of `rigl_tf.distributions`.
        schedule: `UpdateSchedule`.
        drop_fraction: Callable from step to fraction.
        exclude: Names of layers to keep dense.
    """

    name: str
    algorithm: Algorithm
    sparsity: float
    distribution: Callable = distributions.erdos_renyi_kernel
    schedule: schedules.UpdateSchedule = schedules.UpdateSchedule()
    drop_fraction: Callable = schedules.Cosine()
    exclude: tuple = ()


def train(
    output_dir,
    task,
    method=None,
    seed=0,
    strategy=None,
    resume=False,
    verbose=1,
    config=None,
):
    """Trains, tests and records one run.

    The directory then holds `record.json`, `model.keras`, `figures/`,
    TensorBoard's `logs/` and, if it was given, the configuration.

    Args:
        output_dir: Directory of the run; must not hold one.
        task: `Task`.
        method: `Method`, or `None` for the dense baseline.
        seed: Integer; weights, masks, data order and updates follow it.
        strategy: `tf.distribute.Strategy`, or `None`.
        resume: Whether to go on with a run that the directory holds: a
            finished one is only read, a stopped one goes on from its backup.
        verbose: Integer, Keras's: 0 silent, 1 a progress bar, 2 a line an
            epoch.
        config: String that says how the run is configured, a setting a line.
            A run goes on only with the one that it began with.

    Returns:
        `Record`.

    Raises:
        FileExistsError: If the directory holds a run and `resume` is not set,
            or that run began with another configuration.
        TypeError: If an argument is of the wrong kind.
    """
    output_dir = pathlib.Path(output_dir)
    finished = results.claim(output_dir, resume, config)
    if finished is not None:
        return finished
    if not isinstance(task, Task):
        raise TypeError(f"`task` must be a `Task`. Received: task={task!r}.")
    if not isinstance(method, Method | None):
        raise TypeError(
            f"`method` must be a `Method` or `None`. Received: {method!r}."
        )
    keras.utils.set_random_seed(seed)
    backup = callbacks.Backup(output_dir / "backup")
    scope = strategy.scope() if strategy else contextlib.nullcontext()
    with scope:
        model = backup.load()
        if model is None:
            model = _build(task, method, seed)
    if config is not None:  # from here on, there is a run
        results.write_config(output_dir, config)

    if backup.epochs < task.epochs:
        model.fit(
            task.dataset.train(seed, backup.epochs),
            epochs=task.epochs,
            initial_epoch=backup.epochs,
            steps_per_epoch=task.dataset.steps_per_epoch,
            validation_data=task.dataset.validation,
            shuffle=False,  # the data set has its own order
            verbose=verbose,
            callbacks=_callbacks(method, output_dir) + [backup],
        )
    test = model.evaluate(task.dataset.test, verbose=0, return_dict=True)
    record = _record(task, method, seed, model, backup, test)
    model.save(output_dir / "model.keras")
    figures = output_dir / "figures"
    plots.accuracy([record], figures / "accuracy.png")
    if method is not None:
        plots.densities([record], figures / "densities.png")
        plots.mask(model.kernels[0], figures / "mask.png")
    results.write(output_dir, record)
    backup.remove()
    return record


def _build(task, method, seed):
    model = task.model(task.dataset.input_shape, task.dataset.num_classes)
    if method is not None:
        model = sparsify(
            model,
            method.algorithm,
            sparsity=method.sparsity,
            distribution=method.distribution,
            schedule=method.schedule,
            drop_fraction=method.drop_fraction,
            exclude=method.exclude,
            seed=seed,
        )
    model.compile(
        optimizer=task.optimizer(),
        loss=task.loss,
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def _callbacks(method, output_dir):
    logs = output_dir / "logs"
    watching = [keras.callbacks.TensorBoard(logs, write_graph=False)]
    if method is not None:
        watching.insert(0, callbacks.SparsityMonitor(log_dir=logs / "masks"))
    return watching


def _record(task, method, seed, model, backup, test):
    cost = flops.inference(model)
    sparse, dense = cost.flops(), cost.flops(dense=True)
    if method is None:
        training = flops.training("dense", sparse, dense)
    else:
        average = dense * statistics.mean(backup.history["flops"])
        training = flops.training(
            method.algorithm, average, dense, model.schedule.interval
        )
    return results.Record(
        task=task.name,
        method="dense" if method is None else method.name,
        sparsity=0.0 if method is None else float(method.sparsity),
        seed=seed,
        test=test,
        history=backup.history,
        densities={k.name: 1 - k.sparsity for k in cost.kernels if k.sparse},
        parameters={
            "active": cost.parameters(),
            "dense": cost.parameters(dense=True),
        },
        flops={
            "inference": sparse,
            "inference_dense": dense,
            "training": training,
            "training_dense": flops.training("dense", dense, dense),
            "convention": "macs2",
        },
        steps=task.epochs * task.dataset.steps_per_epoch,
        seconds=backup.seconds,
        versions={
            name: importlib.metadata.version(name)
            for name in ("tensorflow", "keras", "numpy")
        },
        device=_device(),
    )


def _device():
    accelerators = tf.config.list_physical_devices("GPU")
    accelerators += tf.config.list_physical_devices("TPU")
    if accelerators:
        details = tf.config.experimental.get_device_details(accelerators[0])
        name = details.get("device_name", accelerators[0].device_type)
        return f"{len(accelerators)} x {name}"
    return platform.processor() or platform.machine()
