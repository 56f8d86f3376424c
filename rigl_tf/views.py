"""What an update shows of the kernels to an algorithm."""

import collections.abc
import dataclasses
from typing import Any

import tensorflow as tf

from rigl_tf import masks
from rigl_tf.algorithms import LayerView


@dataclasses.dataclass(frozen=True)
class Views(collections.abc.Sequence):
    """Builds the view of a kernel when it is asked for.

    Attributes:
        kernels: List of `SparseKernel`.
        indices: List of integers, their places in the model, for the seeds.
        granularity: Of `rigl_tf.granularity`; views are of its units.
        seed: Integer.
        step: int64 scalar tensor.
        gradients: Dictionary from the id of a kernel variable to its dense
            gradient; empty if not needed, as are the next two.
        momenta: Dictionary from the id of a kernel variable to its running
            gradient.
        signs: Dictionary from the id of a kernel variable to its signs.
        cuts: List of `selection.Cut`, what the drop keeps of each kernel, or
            `None` before the drop.
        drop: Function from a view to the scores by which the cuts were made.
    """

    kernels: list
    indices: list
    granularity: Any
    seed: int
    step: Any
    gradients: dict
    momenta: dict
    signs: dict
    cuts: list | None = None
    drop: Any = None

    def __len__(self):
        return len(self.kernels)

    def __getitem__(self, place):
        kernel = self.kernels[place]
        view = LayerView(
            weight=self._pooled(kernel.variable, kernel),
            mask=self._units(kernel),
            gradient=self._beside(self.gradients, kernel),
            momentum=self._beside(self.momenta, kernel),
            seed=self.seed_of(place),
            sign=self._beside(self.signs, kernel),
        )
        if self.cuts is None:
            return view
        kept = masks.after_drop(view.mask, self.drop(view), self.cuts[place])
        # What is computed from these comes after the mask, not beside it.
        with tf.control_dependencies([kept]):
            return view._replace(
                mask=kept,
                gradient=_same(view.gradient),
                momentum=_same(view.momentum),
            )

    def pairs(self):
        """Pairs of kernel and view."""
        return zip(self.kernels, self, strict=True)

    def after(self, cuts, drop):
        """The same views with the masks that the drop leaves."""
        return dataclasses.replace(self, cuts=cuts, drop=drop)

    def seed_of(self, place):
        """Integer tensor of shape (2,), unique to a kernel and step."""
        return tf.random.experimental.stateless_fold_in(
            tf.constant([self.seed, self.indices[place]], tf.int64), self.step
        )

    def _beside(self, values, kernel):
        value = values.get(id(kernel.variable))
        return None if value is None else self._pooled(value, kernel)

    def _pooled(self, values, kernel):
        values = tf.convert_to_tensor(values)
        if values.dtype.is_integer:
            values = tf.cast(values, "float32")
        if self.granularity.single:
            return values
        return self.granularity.pool(tf.abs(values), kernel.layout)

    def _units(self, kernel):
        mask = tf.convert_to_tensor(kernel.mask)
        if self.granularity.single:
            return mask
        # A unit is active throughout or not at all.
        return (
            self.granularity.pool(tf.cast(mask, "float32"), kernel.layout) > 0
        )


def _same(tensor):
    return None if tensor is None else tf.identity(tensor)
