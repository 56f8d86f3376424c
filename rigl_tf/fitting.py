"""The ordinary training of a task, as often as it is wanted."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from rigl_tf import multi_worker
from rigl_tf.callbacks import Checkpoint
from rigl_tf.checks import check_count
from rigl_tf.checks import check_function
from rigl_tf.datasets import Dataset

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclasses.dataclass(frozen=True)
class Fit:
    """Compiles and trains models, and goes on where it was stopped.

    Attributes:
        dataset: `Dataset`.
        epochs: Integer.
        optimizer: Function without arguments to a `keras.optimizers.Optimizer`.
        loss: Loss of labels and outputs.
        seed: Integer, for the order of the data.
        directory: Path below which checkpoints are kept, or `None`: then
            training that is stopped begins anew.
        strategy: `tf.distribute.Strategy` of the models, or `None`.
        verbose: Integer, Keras's.
        checkpoint_every: Integer, steps between two checkpoints, or `None`.
        begin: Function without arguments, called before anything is trained.
        purpose: String, what is trained, or `None`; see `Checkpoint`.
    """

    dataset: Dataset
    epochs: int
    optimizer: Callable
    loss: Callable
    seed: int = 0
    directory: pathlib.Path | None = None
    strategy: tf.distribute.Strategy | None = None
    verbose: int = 1
    checkpoint_every: int | None = None
    begin: Callable = lambda: None
    purpose: str | None = None

    def __post_init__(self):
        check_function("optimizer", self.optimizer, "no arguments")

    @classmethod
    def of(cls, model, dataset, seed):
        """Training as a model is compiled, one epoch unless told otherwise.

        If it is not compiled, there is no optimizer, and the loss is cross
        entropy with logits.
        """
        loss = CROSS_ENTROPY
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            loss = _one_loss(model)

        def another_optimizer():
            if optimizer is None:
                raise ValueError(
                    f"{model.name!r} has to be trained and has no optimizer. "
                    "Call `model.compile(optimizer, loss)` first."
                )
            return type(optimizer).from_config(optimizer.get_config())

        return cls(
            dataset=dataset,
            epochs=1,
            optimizer=another_optimizer,
            loss=loss,
            seed=seed,
        )

    def compile(self, model, optimizer=None):
        """Compiles a model for the task.

        Args:
            model: `keras.Model`.
            optimizer: `keras.optimizers.Optimizer`, or `None` for the task's.

        Returns:
            The model.
        """
        model.compile(
            optimizer=optimizer or self.optimizer(),
            loss=self.loss,
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
        if model.distribute_strategy.num_replicas_in_sync > 1:
            if not isinstance(model, multi_worker.MultiWorkerFit):
                multi_worker.mend(model)
        return model

    def __call__(
        self, model, place, title=None, epochs=None, callbacks=(), **kwargs
    ):
        """Trains a model.

        Args:
            model: `keras.Model`, compiled.
            place: String, a directory below `directory`, for this training
                alone. If it was done before, it is only restored.
            title: String to show above its progress, or `None`.
            epochs: Integer, if they are other than those of the task.
            callbacks: List of callbacks that come before the checkpoint.
            **kwargs: `steps_per_epoch`, and arguments of `Checkpoint`.

        Returns:
            `Checkpoint`, which has the history.
        """
        data = self.dataset
        epochs = self.epochs if epochs is None else epochs
        check_count("epochs", epochs)
        fit = functools.partial(
            model.fit,
            epochs=epochs,
            steps_per_epoch=kwargs.pop("steps_per_epoch", data.steps_per_epoch),
            validation_data=data.validation,
            shuffle=False,  # the data set has its own order
            verbose=self.verbose,
        )
        title = f"\n{title}\n" if title and self.verbose else ""
        if self.directory is None:
            print(title, end="", flush=True)
            return fit(data.train(self.seed), callbacks=list(callbacks))
        with Checkpoint(
            self.directory / place,
            every=self.checkpoint_every,
            strategy=self.strategy,
            purpose=self.purpose,
            **kwargs,
        ) as checkpoint:
            checkpoint.restore(model, data.train(self.seed))
            self.begin()
            if checkpoint.epoch < epochs:
                print(title, end="", flush=True)
                fit(
                    data.train(self.seed, checkpoint.epoch, checkpoint.batch),
                    callbacks=[*callbacks, checkpoint],
                )
                checkpoint.finish()  # never to be done again
        return checkpoint


def _one_loss(model):
    """The loss that a model was compiled with."""
    if model.loss is None or isinstance(model.loss, list | tuple | dict):
        raise ValueError(
            f"{model.name!r} must be compiled with one loss for its one "
            f"output. Received: loss={model.loss!r}."
        )
    loss = keras.losses.get(model.loss)
    return loss if isinstance(loss, keras.losses.Loss) else _FunctionLoss(loss)


class _FunctionLoss(keras.losses.Loss):
    """A function of labels and outputs, which may have an axis of 1 more."""

    def __init__(self, function):
        super().__init__("loss")
        self._function = function

    def call(self, y_true, y_pred):
        if len(y_true.shape) < len(y_pred.shape) and y_pred.shape[-1] == 1:
            y_true = y_true[..., None]
        return self._function(y_true, y_pred)
