"""The ordinary training of a task, for any number of models."""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import tree

from rigl_tf._keras_compat import MultiWorkerFit
from rigl_tf.callbacks import Checkpoint
from rigl_tf.datasets import Dataset
from rigl_tf.distribute import multi_worker_fit
from rigl_tf.modeling.sparse_optimizer import find_sparse_step
from rigl_tf.training import losses
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_function

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class TrainingResult(NamedTuple):
    """What a training leaves besides the trained model.

    Attributes:
        history: Dictionary from metric to its value after each epoch. With
            checkpoints, it has the densities of `SparsityMonitor`, too.
        seconds: Float, the time of training. With checkpoints, it includes the
            time before training was resumed.
    """

    history: dict
    seconds: float


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Compiles and trains models, and resumes interrupted training.

    Attributes:
        dataset: `Dataset`, or `Batches` with the user's data.
        epochs: Integer, or `None` if each training passes its own `epochs`.
        optimizer: Function without arguments that returns a
            `keras.optimizers.Optimizer`.
        loss: Loss, as `compile` takes it, or `losses.UnknownLoss`.
        loss_weights: Loss weights of several outputs, or `None`.
        output_names: List of strings, the names of the outputs, or `None`.
        steps_per_execution: Integer, the most steps in one call of
            TensorFlow, which saves time if steps are short. A call has the
            largest number of steps up to it that divides an epoch, and at
            most one update of masks.
        seed: Integer, for the order of the data.
        directory: Path, the parent directory of checkpoints. With `None`,
            interrupted training starts again from the first step.
        strategy: `tf.distribute.Strategy` of the models, or `None`.
        verbose: Integer, as in `keras.Model.fit`.
        checkpoint_every: Integer, steps between two checkpoints, or `None`.
        on_start: Function without arguments, called before each training.
        fingerprint: String that identifies the training in its checkpoints,
            or `None`; see `Checkpoint`.
    """

    dataset: Dataset
    epochs: int | None
    optimizer: Callable
    loss: object
    loss_weights: object = None
    output_names: list | None = None
    steps_per_execution: int = 1
    seed: int = 0
    directory: pathlib.Path | None = None
    strategy: tf.distribute.Strategy | None = None
    verbose: int = 1
    checkpoint_every: int | None = None
    on_start: Callable = lambda: None
    fingerprint: str | None = None

    def __post_init__(self):
        check_function("optimizer", self.optimizer, "no arguments")

    @classmethod
    def from_model(cls, model, dataset, seed):
        """Returns a `Trainer` with the compiled optimizer and loss of a model.

        For a model that is not compiled, the `Trainer` has no optimizer. Its
        loss is inferred from the last layer and the labels, if possible.
        """
        labels = dataset.train(seed).element_spec[1]
        loss, loss_weights = losses.infer_loss(model, labels)
        optimizer = getattr(model, "optimizer", None)

        def another_optimizer():
            if optimizer is None:
                raise ValueError(
                    "A model to train must be compiled with an optimizer. "
                    f"Received {model.name!r} without an optimizer. Call "
                    "`model.compile(optimizer, loss)` first."
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

    def compile(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer | None = None,
        partial_epoch: int = 0,
    ) -> keras.Model:
        """Compiles a model for the task.

        The metric is the accuracy that fits the loss and the labels, if any.

        Args:
            model: `keras.Model`.
            optimizer: `keras.optimizers.Optimizer`, or `None` for the task's.
            partial_epoch: Integer, the `steps_per_epoch` of a training that
                is not whole epochs, or 0.

        Returns:
            The model.

        Raises:
            ValueError: If the loss is unknown or does not fit the labels.
        """
        spec: Any = self.dataset.train(self.seed).element_spec
        x, labels = spec[:2]
        losses.check_loss(self.loss, labels)
        accuracy = losses.accuracy_metric(
            self.loss, labels, lambda: _shape(model, x)
        )
        model.compile(
            optimizer=optimizer or self.optimizer(),
            loss=self.loss,
            loss_weights=self.loss_weights,
            metrics=None if accuracy is None else [accuracy],
            steps_per_execution=self._steps_per_execution(model, partial_epoch),
        )
        if model.distribute_strategy.num_replicas_in_sync > 1:
            if not isinstance(model, MultiWorkerFit):
                multi_worker_fit.patch_fit_for_multi_worker(model)
        return model

    def _steps_per_execution(self, model, partial_epoch):
        several = model.distribute_strategy.num_replicas_in_sync > 1
        if self.steps_per_execution == 1 or several:
            return 1
        steps = math.gcd(self.dataset.steps_per_epoch, partial_epoch)
        most = min(self.steps_per_execution, steps)
        sparse_step = find_sparse_step(model)
        if sparse_step is not None and sparse_step.algorithm.updates_masks:
            # Callbacks see the masks after each update.
            most = min(most, sparse_step.schedule.interval or 1)
        return max(n for n in range(1, most + 1) if steps % n == 0)

    def loss_function(self, temperature=1.0):
        """Returns the loss as a function; see `losses.as_function`.

        Args:
            temperature: See `losses.tempered`.

        Returns:
            Function of labels, outputs and weights of examples to a scalar.

        Raises:
            ValueError: If the loss is unknown or does not fit the labels.
        """
        spec: Any = self.dataset.train(self.seed).element_spec
        losses.check_loss(self.loss, spec[1])
        loss = losses.tempered(self.loss, temperature)
        return losses.as_function(loss, self.loss_weights, self.output_names)

    def __call__(
        self, model, subdir, banner=None, epochs=None, callbacks=(), **kwargs
    ):
        """Trains a model.

        Args:
            model: `keras.Model`, compiled.
            subdir: String, the subdirectory of `directory` with the
                checkpoints of this training. A finished training is only
                restored.
            banner: String to print above the progress bar, or `None`.
            epochs: Integer, or `None` for the epochs of the task.
            callbacks: List of callbacks, called before the checkpoint.
            **kwargs: `steps_per_epoch`, and arguments of `Checkpoint`.

        Returns:
            `TrainingResult`.
        """
        data = self.dataset
        epochs = (self.epochs or 0) if epochs is None else epochs
        check_count("epochs", epochs)
        fit = functools.partial(
            model.fit,
            epochs=epochs,
            steps_per_epoch=kwargs.pop("steps_per_epoch", data.steps_per_epoch),
            validation_data=data.validation,
            shuffle=False,  # the data set determines the order
            verbose=self.verbose,
        )
        banner = f"\n{banner}\n" if banner and self.verbose else ""
        if self.directory is None:
            print(banner, end="", flush=True)
            start = time.monotonic()
            fitted = fit(data.train(self.seed), callbacks=list(callbacks))
            return TrainingResult(fitted.history, time.monotonic() - start)
        with Checkpoint(
            self.directory / subdir,
            every=self.checkpoint_every,
            callbacks=callbacks,
            strategy=self.strategy,
            identity={
                "fingerprint": self.fingerprint,
                "data": data.name,
                "data_seed": self.seed,
                "batch_size": getattr(data, "batch_size", None),
                "epochs": epochs,
            },
            **kwargs,
        ) as checkpoint:
            checkpoint.restore(model, data.train(self.seed))
            self.on_start()
            if checkpoint.epoch < epochs and not checkpoint.stopped:
                print(banner, end="", flush=True)
                fit(
                    data.train(self.seed, checkpoint.epoch, checkpoint.batch),
                    callbacks=[*callbacks, checkpoint],
                )
                checkpoint.finish()  # so that it is only restored
            else:  # as at the end of `fit`
                model.optimizer.finalize_variable_values(
                    model.trainable_variables
                )
        return TrainingResult(checkpoint.history, checkpoint.elapsed)


def _shape(model, x):
    """Returns the shape of the output, or `None` for several outputs."""
    x = tree.map_structure(lambda s: keras.KerasTensor(s.shape, s.dtype), x)
    outputs = model.compute_output_spec(x)
    return None if tree.is_nested(outputs) else tuple(outputs.shape)
