"""The ordinary training of a task, as often as it is wanted."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import losses
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
        dataset: `Dataset`, or `Batches` of a user's data.
        epochs: Integer, or `None` if those who train must say it.
        optimizer: Function without arguments to a `keras.optimizers.Optimizer`.
        loss: Loss, as `compile` takes it, or `losses.Unknown`.
        loss_weights: Weights of the losses of several outputs, or `None`.
        output_names: List of strings, the names of the outputs, or `None`.
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
    epochs: int | None
    optimizer: Callable
    loss: object
    loss_weights: object = None
    output_names: list | None = None
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
        """Training as a model is compiled.

        If it is not compiled, there is no optimizer, and the loss is one that
        fits its outputs and the labels, if that can be told.
        """
        labels = dataset.train(seed).element_spec[1]
        loss, loss_weights = losses.of_network(model, labels)
        optimizer = getattr(model, "optimizer", None)

        def another_optimizer():
            if optimizer is None:
                raise ValueError(
                    f"{model.name!r} has to be trained and has no optimizer. "
                    "Call `model.compile(optimizer, loss)` first."
                )
            return type(optimizer).from_config(optimizer.get_config())

        return cls(
            dataset=dataset,
            epochs=None,
            optimizer=another_optimizer,
            loss=loss,
            loss_weights=loss_weights,
            output_names=getattr(model, "output_names", None),
            seed=seed,
        )

    def compile(self, model, optimizer=None):
        """Compiles a model for the task.

        Its metric is an accuracy that fits loss and labels, if there is one.

        Args:
            model: `keras.Model`.
            optimizer: `keras.optimizers.Optimizer`, or `None` for the task's.

        Returns:
            The model.

        Raises:
            ValueError: If the loss is not known, or not one of such labels.
        """
        x, labels = self.dataset.train(self.seed).element_spec[:2]
        losses.check(self.loss, labels)
        accuracy = losses.accuracy(self.loss, labels, lambda: _shape(model, x))
        model.compile(
            optimizer=optimizer or self.optimizer(),
            loss=self.loss,
            loss_weights=self.loss_weights,
            metrics=None if accuracy is None else [accuracy],
        )
        if model.distribute_strategy.num_replicas_in_sync > 1:
            if not isinstance(model, multi_worker.MultiWorkerFit):
                multi_worker.mend(model)
        return model

    def total_loss(self, temperature=1.0):
        """The loss as a function, as `losses.total` gives it.

        Args:
            temperature: See `losses.tempered`.

        Returns:
            Function of labels, outputs and weights of examples to a scalar.

        Raises:
            ValueError: If it is not known, or not one of such labels.
        """
        labels = self.dataset.train(self.seed).element_spec[1]
        losses.check(self.loss, labels)
        loss = losses.tempered(self.loss, temperature)
        return losses.total(loss, self.loss_weights, self.output_names)

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
            callbacks=callbacks,
            strategy=self.strategy,
            identity={
                "purpose": self.purpose,
                "data": data.name,
                "data_seed": self.seed,
                "batch_size": getattr(data, "batch_size", None),
                "epochs": epochs,
            },
            **kwargs,
        ) as checkpoint:
            checkpoint.restore(model, data.train(self.seed))
            self.begin()
            if checkpoint.epoch < epochs and not checkpoint.stopped:
                print(title, end="", flush=True)
                fit(
                    data.train(self.seed, checkpoint.epoch, checkpoint.batch),
                    callbacks=[*callbacks, checkpoint],
                )
                checkpoint.finish()  # never to be done again
            else:  # with which `fit` would have ended
                model.optimizer.finalize_variable_values(
                    model.trainable_variables
                )
        return checkpoint


def _shape(model, x):
    """The shape of the output for inputs like these; `None` of several."""
    x = tree.map_structure(lambda s: keras.KerasTensor(s.shape, s.dtype), x)
    outputs = model.compute_output_spec(x)
    return None if tree.is_nested(outputs) else tuple(outputs.shape)
