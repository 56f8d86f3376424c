"""The views of all kernels that one update or step shows to an algorithm."""

import collections.abc
import dataclasses
from typing import Any

import tensorflow as tf

from rigl_tf.kernels import UpdateInputs
from rigl_tf.sparsity import masks


@dataclasses.dataclass(frozen=True)
class KernelViews(collections.abc.Sequence):
    """A sequence that builds the view of a kernel when it is asked for.

    Attributes:
        kernels: List of `SparseKernel`.
        indices: List of integers, the kernels' places in the model, for seeds.
        granularity: `Structure`; views are of its units.
        seed: Integer.
        step: int64 scalar tensor.
        inputs: List of `UpdateInputs`, one for each of `kernels`, with
            gradients, momenta, signs and flows.
        thresholds: List of `selection.TopKThreshold`, which active units of
            each kernel a drop keeps; `None` before the drop.
        drop_scores: Function from a kernel and its view to the scores that
            the thresholds belong to.
    """

    kernels: list
    indices: list
    granularity: Any
    seed: int
    step: Any
    inputs: list
    thresholds: list | None = None
    drop_scores: Any = None

    def __len__(self):
        return len(self.kernels)

    def __getitem__(self, index):
        kernel = self.kernels[index]
        view = kernel.view(self.inputs_of(index))
        if self.thresholds is None:
            return view
        scores = self.drop_scores(kernel, view)
        kept = masks.mask_after_drop(view.mask, scores, self.thresholds[index])
        # Values that follow from the view come after the mask, so that both
        # need memory in turn.
        with tf.control_dependencies([kept]):
            return dataclasses.replace(
                view,
                mask=kept,
                gradient=_same(view.gradient),
                momentum=_same(view.momentum),
            )

    def pairs(self):
        """Returns pairs of kernel and view."""
        return zip(self.kernels, self, strict=True)

    def after_drop(self, thresholds, drop_scores):
        """Returns the same views with the masks that a drop leaves."""
        return dataclasses.replace(
            self, thresholds=thresholds, drop_scores=drop_scores
        )

    def inputs_of(self, index, **others) -> UpdateInputs:
        """Returns everything that an update needs of a kernel.

        Args:
            index: Integer, the kernel's place in `kernels`.
            **others: Further attributes of `UpdateInputs`.
        """
        seed = tf.random.experimental.stateless_fold_in(
            tf.constant([self.seed, self.indices[index]], tf.int64), self.step
        )
        return dataclasses.replace(
            self.inputs[index],
            granularity=self.granularity,
            seed=seed,
            **others,
        )


def _same(tensor):
    return None if tensor is None else tf.identity(tensor)
