"""Pruning as in the TensorFlow Model Optimization toolkit (tfmot).

`prune_low_magnitude` and the two schedules take the arguments of tfmot and
give the same masks. tfmot itself prunes models of Keras 2 only.
"""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from rigl_tf._keras_compat import all_layers
from rigl_tf.algorithms import GradualPruning
from rigl_tf.algorithms import scores
from rigl_tf.modeling.convert import sparsify
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.distributions import check_sparsity
from rigl_tf.typing import Integer
from rigl_tf.typing import Names
from rigl_tf.utils import tensors
from rigl_tf.utils.patterns import match
from rigl_tf.utils.serialization import Config
from rigl_tf.utils.validation import check_count
from rigl_tf.utils.validation import check_number

__all__ = ["ConstantSparsity", "PolynomialDecay", "prune_low_magnitude"]


@dataclasses.dataclass(frozen=True)
class PolynomialDecay(Config, registered_name="TfmotPolynomialDecay"):
    """A sparsity that rises fast at first, as `PolynomialDecay` in tfmot.

    Steps are batches, counted from 1. A mask changes before batch
    `begin_step` and then every `frequency` batches, up to and including
    `end_step`.

    Args:
        initial_sparsity: Float in [0, 1), the fraction of zeros up to
            `begin_step`.
        final_sparsity: Float in [0, 1), the fraction of zeros at `end_step`.
        begin_step: Integer of at least 0.
        end_step: Integer above `begin_step`.
        power: Number > 0; 3 is the cubic schedule.
        frequency: Integer, batches between two changes of the mask.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> schedule = rigl_tf.tfmot.PolynomialDecay(
    ...     0.0, 0.8, begin_step=0, end_step=200)
    >>> [round(float(schedule(step)[1]), 2) for step in (0, 100, 200)]
    [0.0, 0.7, 0.8]
    """

    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    power: float = 3
    frequency: int = 100

    def __post_init__(self) -> None:
        check_sparsity(self.initial_sparsity, "initial_sparsity")
        check_sparsity(self.final_sparsity, "final_sparsity")
        check_count("begin_step", self.begin_step, least=0)
        check_count("end_step", self.end_step, least=self.begin_step + 1)
        check_number("power", self.power, "(0, inf)")
        check_count("frequency", self.frequency)

    def __call__(self, step: Integer) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns whether the mask changes before a batch, and the sparsity."""
        # In float32, in which tfmot rounds.
        passed = tf.cast(step - self.begin_step, tf.float32)
        done = tf.clip_by_value(
            passed / (self.end_step - self.begin_step), 0, 1
        )
        rise = self.initial_sparsity - self.final_sparsity
        sparsity = rise * tf.pow(1 - done, self.power) + self.final_sparsity
        return _is_due(self, step), sparsity


@dataclasses.dataclass(frozen=True)
class ConstantSparsity(Config, registered_name="TfmotConstantSparsity"):
    """A constant sparsity, as `ConstantSparsity` in tfmot.

    Steps are batches, as for `PolynomialDecay`.

    Args:
        target_sparsity: Float in [0, 1), the fraction of zeros.
        begin_step: Integer of at least 0.
        end_step: Integer, or -1 for no end.
        frequency: Integer, batches between two changes of the mask.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> schedule = rigl_tf.tfmot.ConstantSparsity(0.5, begin_step=10)
    >>> [bool(schedule(step)[0]) for step in (9, 10, 11, 110)]
    [False, True, False, True]
    """

    target_sparsity: float
    begin_step: int
    end_step: int = -1
    frequency: int = 100

    def __post_init__(self) -> None:
        check_sparsity(self.target_sparsity, "target_sparsity")
        check_count("begin_step", self.begin_step, least=0)
        if self.end_step != -1:
            check_count("end_step", self.end_step, least=self.begin_step)
        check_count("frequency", self.frequency)

    def __call__(self, step: Integer) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns whether the mask changes before a batch, and the sparsity."""
        sparsity = tf.constant(self.target_sparsity, tf.float32)
        return _is_due(self, step), sparsity


def prune_low_magnitude(
    to_prune: keras.Model,
    pruning_schedule: Any = None,
    *,
    exclude: Names = (),
    include: Names = (),
    seed: int = 0,
) -> SparseModel:
    """Prunes a model while it trains, with the masks that tfmot would give.

    Every layer has the sparsity of the schedule, the first and the last one,
    too. Of n weights, it keeps the `round(n * (1 - sparsity))` largest, at
    least one, and all weights that are equal to the smallest of them. If this
    number ends in .5, rounding errors of float32 decide, in tfmot, too. Masks
    change before a batch, up to and including `end_step`. A mask that changes
    before the first batch changes in this call, and a mask that changes before
    the batch after the last one of a `fit` changes at the end of this `fit`.

    A pruned weight stays zero. In tfmot, it moves with each optimizer step
    until the next batch, and returns if this makes it large enough.

    Args:
        to_prune: Built `keras.Model`. It becomes sparse in place, as with
            `rigl_tf.sparsify`.
        pruning_schedule: `PolynomialDecay` or `ConstantSparsity` of this
            module or of tfmot. By default, `ConstantSparsity(0.5, 0)`. Or a
            dictionary from names of layers, or patterns with `*`, to such
            schedules: the first match counts, and layers without a match stay
            dense.
        exclude: Layers to keep dense, as for `rigl_tf.sparsify`.
        include: Further layers to prune. Embeddings are pruned anyway.
        seed: Integer.

    Returns:
        `SparseModel`. Compile it next. No callback is needed.
        `rigl_tf.densify` takes the place of `strip_pruning`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a name matches no layer.

    Example:

    >>> pruned = rigl_tf.tfmot.prune_low_magnitude(
    ...     network, rigl_tf.tfmot.ConstantSparsity(0.5, 0, frequency=1))
    >>> rigl_tf.summary(pruned).sparsity
    0.5
    """
    if not isinstance(to_prune, keras.Model):
        raise TypeError(
            "`to_prune` must be a `keras.Model`. Received: "
            f"to_prune={to_prune!r}. To prune some layers, pass a dictionary "
            "from their names to schedules as `pruning_schedule`."
        )
    if pruning_schedule is None:
        pruning_schedule = ConstantSparsity(0.5, 0)
    by_layer = pruning_schedule
    if not isinstance(by_layer, Mapping):
        by_layer = {"*": pruning_schedule}
    for schedule in by_layer.values():
        if not callable(schedule) or isinstance(schedule, type):
            raise TypeError(
                "`pruning_schedule` must be a schedule, such as "
                "`ConstantSparsity(0.5, 0)`, or a dictionary of schedules. "
                f"Received: pruning_schedule={pruning_schedule!r}."
            )
    include = [include] if isinstance(include, str) else list(include)
    if any(isinstance(layer, kl.Embedding) for layer in all_layers(to_prune)):
        include.append(kl.Embedding)
    with warnings.catch_warnings():
        # Weights that are zero already start active, as in tfmot.
        warnings.filterwarnings("ignore", "All connections of .* start active")
        model = sparsify(
            to_prune,
            _KeepTies(),
            sparsity=schedules.PerLayerSparsity(
                {key: _BeforeBatch(each) for key, each in by_layer.items()}
            ),
            distribution=_final_sparsities(by_layer),
            exclude=exclude,
            include=include,
            seed=seed,
        )
    first = model.sparsity.schedules_of([k.name for k in model.kernels])
    model.set_masks(
        {
            kernel.name: _first_mask(kernel, schedule)
            for kernel, schedule in zip(model.kernels, first, strict=True)
        }
    )
    return model


@dataclasses.dataclass(frozen=True)
class _KeepTies(GradualPruning, registered_name="TfmotKeepTies"):
    """Pruning that keeps all weights that equal the smallest one it keeps."""

    def allocate(self, views, request):
        return [
            _count_with_ties(view, budget)
            for view, budget in zip(views, request.budgets, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class _BeforeBatch(Config, registered_name="TfmotBeforeBatch"):
    """A schedule of tfmot, called with the completed steps of a model.

    Masks change after an optimizer step. After `step + 1` steps, batch
    `step + 2` is next.
    """

    schedule: Any

    def __call__(self, step):
        return self.schedule(step + 2)

    def num_active(self, step, size):
        """Returns how many of `size` weights stay at a step."""
        return _num_kept(size, self.schedule(step + 2)[1])

    @classmethod
    def from_config(cls, config):
        """Builds the dataclass and its schedule."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]))


def _is_due(schedule, step: Any) -> Any:
    passed = step - schedule.begin_step
    is_due = (passed >= 0) & (passed % schedule.frequency == 0)
    if schedule.end_step != -1:
        is_due &= step <= schedule.end_step
    return is_due


def _count_with_ties(view, budget):
    """Counts the active weights that are at least as large as a budget's."""
    sizes = scores.magnitude(view)
    num_drop = tf.maximum(masks.count(view.mask) - tf.cast(budget, tf.int64), 0)
    threshold = masks.drop_threshold(view.mask, sizes, num_drop)
    kept = masks.mask_after_drop(view.mask, sizes, threshold)
    smallest = tf.reduce_min(tf.where(kept, sizes, sizes.dtype.max))
    return masks.count(tf.logical_and(view.mask, sizes >= smallest))


def _num_kept(size, sparsity):
    """Returns how many weights tfmot keeps: the nearest number, at least 1."""
    kept = tf.round(tf.cast(size, tf.float32) * (1 - sparsity))
    return tf.cast(tf.maximum(kept, 1), tf.int64)


def _final_sparsities(by_layer) -> Any:
    """Returns a distribution: the final sparsity of each layer, as rounded."""
    per_layer = schedules.PerLayerSparsity(dict(by_layer))

    def distribution(shapes, sparsity, *, names):
        del sparsity
        match(by_layer, names, "pruning_schedule")
        found = []
        of_layers = per_layer.schedules_of(names)
        for shape, schedule in zip(shapes, of_layers, strict=True):
            size, final = int(np.prod(shape)), 0.0
            if schedule is not None:
                final = schedules.final_sparsity(schedule)
                final = 1 - int(_num_kept(size, final)) / size
            found.append(final)
        return found

    return distribution


def _first_mask(kernel, schedule):
    """Returns the mask of a kernel for the first batch."""
    if schedule is None or not schedule.schedule(1)[0]:
        return np.ones(kernel.kernel_shape, bool)
    sizes = np.abs(tensors.as_array(kernel.variable).astype("float32"))
    kept = int(schedule.num_active(-1, sizes.size))
    return sizes >= np.sort(sizes, axis=None)[-kept]
