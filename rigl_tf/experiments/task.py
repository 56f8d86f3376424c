"""A task: data, a network and how the dense network is trained."""

import dataclasses
from collections.abc import Callable

from rigl_tf.datasets import Dataset
from rigl_tf.training.longer_training import stretch_optimizer
from rigl_tf.training.trainer import CROSS_ENTROPY
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number


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
