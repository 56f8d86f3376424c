"""A task: data, a network and the training of the dense network."""

import dataclasses
from collections.abc import Callable

import keras

from rigl_tf.datasets import Dataset
from rigl_tf.training.longer_training import scale_optimizer
from rigl_tf.training.trainer import CROSS_ENTROPY
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


@dataclasses.dataclass(frozen=True)
class Task:
    """A learning task: data, a network and its dense training.

    Attributes:
        name: String, for records and directories.
        dataset: `Dataset`.
        model: Function from `(input_shape, num_classes)` to a `keras.Model`
            that returns logits.
        optimizer: Function without arguments that returns a
            `keras.optimizers.Optimizer`.
        epochs: Integer, the epochs at a multiplier of 1.
        training_multiplier: Number > 0, the factor of the training length
            ("extended training" with factors above 1). The learning rate
            falls and mask updates end later by this factor. The warm-up and
            the interval between updates do not change.
        loss: Loss of labels and logits, as Keras takes it.
        steps_per_execution: Integer, the most steps in one call of
            TensorFlow; see `Trainer`.
    """

    name: str
    dataset: Dataset
    model: Callable
    optimizer: Callable
    epochs: int
    training_multiplier: float = 1
    loss: Callable = CROSS_ENTROPY
    steps_per_execution: int = 1

    def __post_init__(self):
        if not isinstance(self.dataset, Dataset):
            raise TypeError(
                "`dataset` must be a `rigl_tf.datasets.Dataset`. "
                f"Received: dataset={self.dataset!r}."
            )
        for name in ("model", "optimizer"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"`{name}` must be a function that returns one. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        check_count("epochs", self.epochs)
        check_count("steps_per_execution", self.steps_per_execution)
        check_number(
            "training_multiplier", self.training_multiplier, "(0, inf)"
        )

    @property
    def total_epochs(self) -> int:
        """Integer, the epochs with the training multiplier."""
        return max(round(self.epochs * self.training_multiplier), 1)

    def network(self) -> keras.Model:
        """Returns a new `keras.Model` for the data."""
        return self.model(self.dataset.input_shape, self.dataset.num_classes)

    def scaled_optimizer(self) -> keras.Optimizer:
        """Returns a new optimizer, scaled to the training multiplier."""
        optimizer = self.optimizer()
        scale_optimizer(optimizer, self.training_multiplier)
        return optimizer
