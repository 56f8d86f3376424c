"""Resolves the arguments of `sparsify` for a model."""

import dataclasses
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from rigl_tf import kernels as kernel_storage
from rigl_tf._keras_compat import is_graph
from rigl_tf.kernels import DenseKernel
from rigl_tf.kernels import storage_policy
from rigl_tf.modeling import arguments
from rigl_tf.modeling import initial_masks
from rigl_tf.modeling import kernel_choice
from rigl_tf.modeling import maskable
from rigl_tf.modeling import placement
from rigl_tf.modeling import schedule_resolution
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling import unit_budgets
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.modeling.kernel_initializers import initializer_of
from rigl_tf.modeling.layer_sparsities import call_distribution
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures
from rigl_tf.utils import tensors

_MANY_ZEROS = 0.1  # of a kernel; fewer may be chance


@dataclasses.dataclass(frozen=True)
class SparseSetup:
    """The resolved arguments of `sparsify` for a model.

    Attributes:
        algorithm: `Algorithm`.
        schedule: `UpdateSchedule`.
        drop_fraction: Callable from step to fraction.
        sparsity: Callable from step to sparsity, or `None` if it is constant.
        budgets: List of integers, the active units of each kernel in the end.
        seed: Integer.
        structure: Of `rigl_tf.structures`.
        grow_init: `GrowInit`.
        masked: List of pairs: the path of a layer that gets a wrapper, and the
            names of its kernels, or `None` for all.
        new: List of integers, the places of the kernels that get new masks.
        units: Dictionary from place to the units that are active first; other
            new kernels have random ones.
    """

    algorithm: Any
    schedule: Any
    drop_fraction: Any
    sparsity: Any
    budgets: list
    seed: int
    structure: Any
    grow_init: Any
    masked: list
    new: list
    units: dict

    def step_arguments(self):
        """Returns a dictionary of the arguments of `SparseStep`."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names[:-3]}

    def set_first_masks(self, sparse_step):
        """Sets the masks of new kernels, and inactive weights to zero."""
        sparse_step.draw_masks(self.units, self.new)


def resolve(
    model,
    algorithm,
    *,
    sparsity,
    distribution,
    schedule,
    drop_fraction,
    exclude,
    include,
    structure,
    grow_init,
    masks,
    storage,
    seed,
):
    """Resolves the arguments of `sparsify` for a model.

    It also converts the layers that will store only active connections.

    Args:
        model: A built `keras.Model`. See `sparsify` for the other arguments
            and for errors.

    Returns:
        `SparseSetup`.
    """
    algorithm = arguments.as_algorithm(algorithm)
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}.")
    seed = int(seed)
    schedule = arguments.as_schedule(schedule, algorithm)
    drop_fraction = arguments.as_drop_fraction(drop_fraction, algorithm)
    wanted, distribution = arguments.as_sparsity(
        sparsity, distribution, algorithm
    )
    structure = structure or structures.Unstructured()
    if not isinstance(structure, structures.Structure):
        raise TypeError(
            "`structure` must be of `rigl_tf.structures`, for example "
            f"`Blocks(16, 16)`. Received: structure={structure!r}."
        )
    grow_init = grow_init or GrowInit()
    if not isinstance(grow_init, GrowInit):
        raise TypeError(
            "`grow_init` must be a `rigl_tf.grow_init.GrowInit`, such as "
            f"`GrowInit('random')`. Received: grow_init={grow_init!r}."
        )
    initial_masks.check_masks(masks)
    _check_fits(algorithm, schedule, structure, grow_init, wanted)
    kept = sparse_wrapper.sparse_kernels(model)
    # The user has wrapped layers in `Sparse`: only their kernels get masks.
    by_hand = bool(kept) and all(int(k.count()) == k.size for k in kept)
    chosen = []
    if by_hand:
        kernel_choice.check_by_hand(model, exclude, include, kept)
    else:
        chosen = kernel_choice.choose_kernels(model, exclude, include, kept)
    kernels, is_new = _kernels(model, chosen, by_hand)
    for kernel in kernels:
        if grow_init.kind == "initial" and initializer_of(kernel) is None:
            raise ValueError(
                f"The layer of {kernel.name!r} does not say how it makes this "
                "kernel. Give it an initializer as attribute "
                f"`{kernel.variable.name}_initializer`, or use "
                "`GrowInit('random')`. Received: "
                f"grow_init={grow_init}."
            )
    if isinstance(masks, Mapping):
        initial_masks.checked(masks, kernels, structure)
    new = [i for i, flag in enumerate(is_new) if flag]
    # Pruning continues from the existing zeros.
    has_budget = [algorithm.follows_sparsity or flag for flag in is_new]
    budgets = _budgets(
        kernels,
        has_budget,
        distribution,
        wanted,
        structure,
        algorithm,
        placement.first_layers(model),
    )
    for each in (wanted, drop_fraction):
        if isinstance(each, schedules.PerLayer | schedules.PerLayerSparsity):
            each.schedules_of([kernel.name for kernel in kernels])
    if masks == "magnitude_global" and new:
        shared = initial_masks.global_budgets(
            [kernels[i] for i in new], [budgets[i] for i in new], structure
        )
        for i, budget in zip(new, shared, strict=True):
            budgets[i] = budget
    only_prunes = algorithm.follows_sparsity and not algorithm.regrows
    first, largest = unit_budgets.first_and_largest(
        algorithm, wanted, budgets, unit_budgets.sizes(kernels, structure)
    )
    units: dict[int, Any] = {}
    if only_prunes:
        units = {
            i: initial_masks.zeros_of(kernels[i], budgets[i], structure)
            for i in new
        }
    elif masks in ("magnitude", "magnitude_global"):
        units = {
            i: initial_masks.units_by_magnitude(kernels[i], first[i], structure)
            for i in new
        }
    if only_prunes and structure.is_unstructured:
        _warn_of_lost_zeros([kernels[i] for i in new if np.all(units[i])])
    if isinstance(masks, Mapping):
        for i in new:
            if kernels[i].name in masks:
                units[i] = initial_masks.units_of_mask(
                    masks[kernels[i].name], kernels[i], structure
                )
                if not algorithm.follows_sparsity:
                    budgets[i] = int(np.count_nonzero(units[i]))
    masked = kernel_choice.by_leaf(model, chosen)
    _store_active(
        model,
        kernels,
        budgets,
        first,
        largest,
        new,
        units,
        storage,
        algorithm,
        structure,
        seed,
    )
    _warn_of_kept(kernels, has_budget, masks)
    return SparseSetup(
        algorithm=algorithm,
        schedule=schedule,
        drop_fraction=drop_fraction,
        sparsity=wanted if algorithm.follows_sparsity else None,
        budgets=budgets,
        seed=seed,
        structure=structure,
        grow_init=grow_init,
        masked=masked,
        new=new,
        units=units,
    )


def _check_fits(algorithm, schedule, structure, grow_init, sparsity):
    name = type(algorithm).__name__
    only_prunes = algorithm.follows_sparsity and not algorithm.regrows
    if algorithm.uses_signs and not structure.is_unstructured:
        raise ValueError(
            f"{name} needs the sign of every value, so it cannot move units of "
            f"several connections. Received: structure={structure}."
        )
    if algorithm.needs_whole_kernel and not structure.is_unstructured:
        raise ValueError(
            f"{name} grows connections by the mask of a whole kernel, so it "
            "cannot move units of several connections. "
            f"Received: structure={structure}."
        )
    if isinstance(structure, structures.GroupedSparsity) and (
        algorithm.moves_between_layers
        or (
            algorithm.follows_sparsity
            and not (only_prunes and isinstance(structure, structures.NM))
        )
    ):
        raise ValueError(
            f"{name} changes the number of connections in a layer, but this "
            "structure needs a constant number in every group. "
            f"Received: structure={structure}."
        )
    if grow_init.kind == "gradient" and not algorithm.needs_gradient:
        raise ValueError(
            f"{name} does not use the gradient, so new connections cannot "
            f"start with it. Received: grow_init={grow_init}."
        )
    schedule_resolution.check_interval(algorithm, schedule)
    if only_prunes and schedules.falls(sparsity):
        raise ValueError(
            f"{name} grows no connections, so the sparsity cannot fall. "
            "Train the densified model, or use a `sparsity` that rises. "
            f"Received: sparsity={sparsity}."
        )


def _kernels(model, chosen, by_hand):
    """Returns the kernels of the sparse model, and which get new masks."""
    ids = {id(kernel.variable) for kernel in chosen}
    kernels, is_new = [], []
    for found in maskable.maskable_kernels(model):
        is_masked = sparse_wrapper.is_masked(found)
        if not is_masked and id(found.variable) not in ids:
            continue
        if is_masked:
            kernels.append(sparse_wrapper.kernel_of(found))
        else:
            kernels.append(
                DenseKernel(found.name, found.layer, found.variable, None)
            )
        is_new.append(not is_masked or by_hand)
    return kernels, is_new


def _budgets(
    kernels, is_new, distribution, wanted, structure, algorithm, first
):
    """Returns the final number of active units of each kernel."""
    new = [k for k, flag in zip(kernels, is_new, strict=True) if flag]
    final = wanted
    if algorithm.follows_sparsity:
        final = schedules.final_sparsity(wanted)
    budgets = iter(())
    if new:
        names = [kernel.name for kernel in new]
        sparsities = call_distribution(
            distribution,
            [kernel.shape for kernel in new],
            float(final),
            names,
            first,
            initial_masks.Magnitudes(new),
        )
        shapes = [structure.shape(kernel.layout) for kernel in new]
        counts = distributions.budgets(shapes, sparsities, names=names)
        budgets = iter(structure.budgets(new, counts))
    return [
        next(budgets) if flag else kernel.count_units(structure)
        for kernel, flag in zip(kernels, is_new, strict=True)
    ]


def _store_active(
    model,
    kernels,
    budgets,
    first,
    largest,
    new,
    units,
    storage,
    algorithm,
    structure,
    seed,
):
    """Converts layers to store only active units, and frees their kernels."""
    leaves = [layer for _, layer in placement.leaves(model)]
    if not is_graph(model):
        leaves = []
    alone = {
        id(layer)
        for leaf in leaves
        for layer in (leaf, *kernel_storage.parts_of_attention(leaf))
    }
    stored = storage_policy.planned(
        storage,
        [kernels[i] for i in new],
        [budgets[i] for i in new],
        [first[i] for i in new],
        [largest[i] for i in new],
        algorithm,
        structure,
        seed,
        lambda layer: id(layer) in alone,
        [units.get(i) for i in new],
    )
    for kernel in kernels:
        if id(kernel.layer) in stored:
            kernel_storage.store_active(kernel.layer, *stored[id(kernel.layer)])
    for leaf in leaves:
        kernel_storage.adopt_active_parts(leaf)


def _warn_of_lost_zeros(kernels):
    """Warns of kernels with many zeros that pruning does not keep."""
    names = []
    for kernel in kernels:
        is_zero = tensors.as_array(kernel.variable) == 0
        if np.mean(is_zero) >= _MANY_ZEROS and not np.all(is_zero):
            names.append(kernel.name)
    if names:
        warnings.warn(
            f"All connections of {', '.join(names)} start active, because "
            "their weights have more zeros than the requested sparsity. To "
            "keep the zeros, request a higher sparsity, for example with "
            f"`sparsity={{{names[0]!r}: 0.9, '*': 0.9}}`.",
            stacklevel=4,
        )


def _warn_of_kept(kernels, is_new, masks):
    kept = [
        kernel.name
        for kernel, flag in zip(kernels, is_new, strict=True)
        if not flag
    ]
    if kept and not isinstance(masks, Mapping):
        warnings.warn(
            f"{', '.join(kept)} had masks already and keep them, with their "
            "numbers of connections. For new masks, pass "
            "`rigl_tf.densify(model)`.",
            stacklevel=4,
        )
