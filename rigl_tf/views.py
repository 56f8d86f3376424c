"""What an update shows of the kernels to an algorithm."""

import collections.abc
import dataclasses
from typing import Any

import tensorflow as tf

from rigl_tf import masks
from rigl_tf.storage import Beside


@dataclasses.dataclass(frozen=True)
class Views(collections.abc.Sequence):
    """Builds the view of a kernel when it is asked for.

    Attributes:
        kernels: List of `SparseKernel`.
        indices: List of integers, their places in the model, for the seeds.
        granularity: Of `rigl_tf.granularity`; views are of its units.
        seed: Integer.
        step: int64 scalar tensor.
        beside: Dictionary from the id of a kernel variable to its `Beside`.
        cuts: List of `selection.Cut`, what the drop keeps of each kernel, or
            `None` before the drop.
        drop: Function from a kernel and a view to the scores by which the cuts
            were made.
    """

    kernels: list
    indices: list
    granularity: Any
    seed: int
    step: Any
    beside: dict
    cuts: list | None = None
    drop: Any = None

    def __len__(self):
        return len(self.kernels)

    def __getitem__(self, place):
        kernel = self.kernels[place]
        view = kernel.view(
            self.granularity, self.beside_of(kernel), self.seed_of(place)
        )
        if self.cuts is None:
            return view
        scores = self.drop(kernel, view)
        kept = masks.after_drop(view.mask, scores, self.cuts[place])
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

    def beside_of(self, kernel):
        """The `Beside` of a kernel."""
        return self.beside.get(id(kernel.variable), Beside())


def _same(tensor):
    return None if tensor is None else tf.identity(tensor)
