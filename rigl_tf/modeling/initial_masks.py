"""The masks that training starts with."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import redistribution
from rigl_tf.kernels import StoredKernel
from rigl_tf.kernels import checked_mask
from rigl_tf.kernels import index_sets
from rigl_tf.modeling import unit_budgets
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.modeling.kernel_initializers import initializer_of
from rigl_tf.sparsity import masks as mask_functions
from rigl_tf.sparsity.structures import GroupedSparsity
from rigl_tf.utils.tensors import as_array


@dataclasses.dataclass(frozen=True)
class Magnitudes(Sequence):
    """The |weight| of dense kernels, a sequence of arrays made on access."""

    kernels: list

    def __len__(self):
        return len(self.kernels)

    def __getitem__(self, index: Any) -> Any:
        return np.abs(as_array(self.kernels[index].variable).astype("float32"))


MASKS = ("random", "magnitude", "magnitude_global")


def check_masks(masks):
    """Raises an error unless a value is one that `sparsify` takes."""
    if isinstance(masks, dict) or masks in MASKS:
        return
    raise ValueError(
        f"`masks` must be one of {', '.join(map(repr, MASKS))}, or a "
        "dictionary from the name of a kernel to a boolean array, such as the "
        "`masks` of a ticket, for example of `tickets.Wanda()`. "
        f"Received: masks={masks!r}."
    )


def checked(masks, kernels, structure):
    """Checks masks for kernels before any of them is used.

    Args:
        masks: Dictionary from the name of a kernel to a boolean array.
        kernels: List of `SparseKernel`.
        structure: Of `rigl_tf.structures`.

    Returns:
        List of tuples: the index of a kernel, its mask as a boolean array, and
        its number of active units.

    Raises:
        ValueError: If a name is unknown, or a mask is not boolean, has
            another shape, is `False` everywhere, or breaks the structure.
    """
    names = [kernel.name for kernel in kernels]
    if not masks.keys() <= set(names):
        raise ValueError(
            "`masks` must have names of kernels. Received: "
            f"{', '.join(sorted(masks.keys() - set(names)))}. "
            f"Kernels: {', '.join(names)}."
        )
    found = []
    for i, kernel in enumerate(kernels):
        if kernel.name not in masks:
            continue
        mask = checked_mask(
            masks[kernel.name], kernel.kernel_shape, kernel.name
        )
        part = as_array(
            structure.pool(tf.cast(mask, tf.float32), kernel.layout)
        )
        if np.any((part > 0) & (part < 1)):
            raise ValueError(
                f"The mask of {kernel.name!r} must be constant in each unit of "
                f"{structure}. Received: a mask that divides a unit."
            )
        if not structure.is_valid(tf.constant(part > 0), kernel.layout):
            raise ValueError(
                f"The mask of {kernel.name!r} does not have the same number "
                f"of connections in each group of {structure}. Take masks of "
                "a model with this structure, or make the model without it."
            )
        found.append((i, mask, int(np.count_nonzero(part))))
    return found


def global_budgets(kernels, budgets, structure):
    """Shares budgets by the magnitudes of all weights together.

    Args:
        kernels: List of `SparseKernel`, dense.
        budgets: List of integers, whose sum counts.
        structure: Of `rigl_tf.structures`.

    Returns:
        List of integers. Every kernel keeps at least one connection.
    """

    def scores(kernel, tile):
        del tile  # each kernel is one
        score = _magnitudes(kernel, structure)
        # The largest of a kernel stays, whatever the others are.
        first = tf.reshape(
            tf.one_hot(tf.argmax(tf.reshape(score, [-1])), tf.size(score)),
            tf.shape(score),
        )
        return tf.where(first > 0, float("inf"), score), None

    # Functions, so that the scores of one kernel at a time are in memory.
    layers = [functools.partial(scores, kernel) for kernel in kernels]
    counts = mask_functions.count_in_top_k(layers, sum(budgets))
    sizes = structure.unequal_sizes(kernels)
    if sizes:
        counts = redistribution.in_whole_units(
            counts,
            [np.mean(each) for each in sizes],
            structure.connections_in(kernels, budgets),
            [np.size(_magnitudes(kernel, structure)) for kernel in kernels],
        )
    return [max(int(count), 1) for count in counts]


def units_by_magnitude(kernel, budget, structure):
    """Marks the units with the largest mean magnitude.

    Args:
        kernel: `SparseKernel`, dense.
        budget: Integer, units to keep.
        structure: Of `rigl_tf.structures`.

    Returns:
        Boolean tensor of the units' shape.
    """
    scores = _magnitudes(kernel, structure)
    if isinstance(structure, GroupedSparsity):
        groups = structure.to_groups(scores, kernel.layout)
        num_groups = tf.size(groups) // groups.shape[-1]
        return structure.top_k_in_groups(
            scores,
            tf.ones_like(scores, tf.bool),
            int(budget // num_groups),
            kernel.layout,
        )
    return mask_functions.top_k_mask(scores, budget)


def units_of_mask(mask, kernel, structure):
    """Returns the units that a mask has active, as a boolean array."""
    mask = checked_mask(mask, kernel.kernel_shape, kernel.name)
    active = tf.cast(mask, tf.float32)
    return as_array(structure.pool(active, kernel.layout)) > 0


def zeros_of(kernel, budget, structure):
    """Marks what is not zero, or everything if too little would be left.

    Args:
        kernel: `SparseKernel`, dense.
        budget: Integer, units that have to stay.
        structure: Of `rigl_tf.structures`.

    Returns:
        Boolean array of the units' shape.
    """
    units = as_array(_magnitudes(kernel, structure)) > 0
    if np.count_nonzero(units) < budget or isinstance(
        structure, GroupedSparsity
    ):
        return np.ones_like(units)
    return units


def covering(state, index):
    """Returns a mask of all weights that are not zero, up to the budget.

    If they are fewer than the budget, other units are active, too, first those
    of the present mask.

    Args:
        state: `SparseStep`.
        index: Integer, the index of a kernel that is stored dense.

    Returns:
        Boolean tensor of kernel shape.
    """
    kernel, structure = state.kernels[index], state.structure
    units = _magnitudes(kernel, structure) > 0
    algorithm = state.algorithm
    if not (algorithm.follows_sparsity or algorithm.moves_between_layers):
        active = tf.cast(kernel.mask, tf.float32)
        present = structure.pool(active, kernel.layout)
        missing = state.budgets[index] - mask_functions.count(units)
        units = structure.grow(
            present > 0, units, present, tf.maximum(missing, 0), kernel.layout
        )
    return structure.expand(units, kernel.layout)


def _magnitudes(kernel, structure):
    weights = tf.abs(tf.cast(kernel.variable, tf.float32))
    return structure.pool(weights, kernel.layout)


def draw_stored(state):
    """Draws the units and weights of kernels that are stored without zeros.

    Other kernels get their weights from their layers.

    Args:
        state: `SparseStep` of a model that was made from its configuration.
    """
    first = unit_budgets.at_the_start(state)
    for i, kernel in enumerate(state.kernels):
        if not isinstance(kernel, StoredKernel):
            continue
        seed = (state.seed, i)
        units = state.structure.random(kernel.layout, first[i], seed)
        mask = state.structure.expand(units, kernel.layout)
        kernel.set_mask(as_array(mask))
        if initializer_of(kernel) is not None:
            draw = GrowInit("initial")
            values = draw(kernel, kernel.variable.shape, None, seed)
            stored = tf.not_equal(kernel.active, index_sets.NONE)
            stored = index_sets.broadcastable(stored, values)
            kernel.variable.assign(tf.where(stored, values, 0.0))
