"""Chooses the kernels that store active connections only."""

import importlib.util
import math
from typing import Any

import numpy as np
import tensorflow as tf

from rigl_tf.kernels import random_positions
from rigl_tf.kernels import unit_of
from rigl_tf.kernels import why_dense
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import GroupedSparsity
from rigl_tf.sparsity.structures import Kernels2D
from rigl_tf.sparsity.structures import Unstructured
from rigl_tf.utils.patterns import first_match

STORAGES = ("dense", "active", "auto")
# Thresholds of `"auto"`, from the measurements in docs/speed.md. Below them, a
# step takes about as long as with dense storage, or longer.
_LEAST_SIZE = 2**20  # connections, active or not
_LEAST_SPARSITY_OF_BLOCKS = 0.75
_LEAST_SPARSITY = {True: 0.85, False: 0.95}  # with numba, without
_LEAST_SPARSITY_OF_CONVOLUTIONS = {True: 0.8, False: 0.75}  # in blocks, not
_LEAST_SIZE_OF_1X1 = 2**16  # connections, active or not
_LEAST_CHANNELS = 16
_LEAST_BLOCK = 16  # rows, and columns


def planned(
    wanted,
    kernels,
    budgets,
    first,
    largest,
    algorithm,
    structure,
    seed,
    is_alone,
    units,
):
    """Chooses the storage of each kernel of a model.

    Args:
        wanted: `"dense"`, `"active"`, `"auto"`, or a dictionary from names of
            kernels, or patterns with `*`, to one of these. The first match
            counts, and `"*"` comes last; without a match, kernels are stored
            dense. `"auto"` is `"active"` where that is possible and makes
            training faster.
        kernels: List of `SparseKernel`, not masked yet.
        budgets: List of integers, the active units of each in the end.
        first: List of integers, the active units of each in the beginning.
        largest: List of integers, the most active units of each in training,
            if layers do not share units.
        algorithm: `Algorithm`.
        structure: Of `rigl_tf.structures`.
        seed: Integer, of the first masks.
        is_alone: Function from a layer to a boolean, whether the layer can be
            replaced. Layers of subclassed models and parts of other layers
            cannot.
        units: List of boolean arrays, the first active units, or of `None` for
            random ones.

    Returns:
        Dictionary from the id of a layer to the arguments of `store_active`:
        the maximum number of active units, the indices of the first active
        units, and the shape of a unit's weights. All other layers store dense
        kernels.

    Raises:
        ValueError: If the algorithm, the structure or the machine does not
            support stored active connections.
        TypeError: If a layer needs its dense kernel.
    """
    names = [kernel.name for kernel in kernels]
    if not names:
        return {}
    chosen = _chosen(wanted, names)
    stored, problems = {}, {}
    for i, (kernel, budget) in enumerate(zip(kernels, budgets, strict=True)):
        num_units = math.prod(structure.shape(kernel.layout))
        if chosen[kernel.name] == "dense" or budget == num_units:
            continue
        is_auto = chosen[kernel.name] == "auto"
        if is_auto and (
            # It needs room for more connections.
            largest[i] > budget
            or algorithm.moves_between_layers
            or not _pays(kernel, 1 - budget / num_units, structure)
        ):
            continue
        try:
            _check(algorithm, structure)
        except ValueError:
            if is_auto:
                continue
            raise
        problem = why_dense(kernel.layer, is_alone(kernel.layer), structure)
        if problem is not None:
            if not is_auto:
                problems[kernel.name] = problem
            continue
        capacity, active = largest[i], None
        if units[i] is not None:
            active = np.flatnonzero(units[i]).astype("int32")
        if algorithm.moves_between_layers:
            # Connections of all layers may move into one.
            smallest = np.min(structure.sizes(kernel.layout))
            most = structure.connections_in(kernels, largest)
            capacity = min(num_units, int(most) // int(smallest))
        if active is None:
            active = random_positions(
                num_units, first[i], tf.constant((seed, i), tf.int64)
            )
        unit = unit_of(structure, kernel.layout)
        stored[id(kernel.layer)] = (capacity, active, unit)
    if problems:
        _refuse(problems, wanted)
    return stored


def _chosen(wanted, names):
    """Dictionary from the name of a kernel to how it is stored."""
    by_pattern: dict[str, Any] = (
        wanted if isinstance(wanted, dict) else {"*": wanted}
    )
    for value in by_pattern.values():
        if value not in STORAGES:
            raise ValueError(
                f"`storage` must be one of {', '.join(STORAGES)}, or a "
                "dictionary from names of layers to them. "
                f"Received: storage={wanted!r}."
            )
    keys = first_match(by_pattern, names, "storage")
    found = {name: by_pattern[key] for name, key in keys.items()}
    return dict.fromkeys(names, "dense") | found


def _refuse(problems, wanted):
    """Raises a TypeError with a `storage` that has no such problems.

    Args:
        problems: Dictionary from names of kernels to strings.
        wanted: As for `planned`.
    """
    by_pattern = wanted if isinstance(wanted, dict) else {"*": wanted}
    possible = dict.fromkeys(problems, "dense")
    possible |= {k: v for k, v in by_pattern.items() if k not in problems}
    reasons = "; ".join(f"{name!r}: {why}" for name, why in problems.items())
    raise TypeError(
        f"Some layers cannot store only their active connections. {reasons}. "
        f"Keep their zeros with storage={possible}."
    )


def _pays(kernel, sparsity, structure):
    """Returns whether storing active connections only makes training faster."""
    sparsity = round(sparsity, 2)
    has_numba = importlib.util.find_spec("numba") is not None
    layout = kernel.layout
    size = math.prod(layout.kernel_shape)
    is_in_blocks = isinstance(structure, Blocks)
    if is_in_blocks and min(structure.rows, structure.columns) < _LEAST_BLOCK:
        return False
    if hasattr(kernel.layer, "kernel_size") and has_numba:
        channels = layout.inputs, layout.outputs
        if is_in_blocks and (
            layout.inputs % structure.rows or layout.outputs % structure.columns
        ):
            return False
        return (
            sparsity >= _LEAST_SPARSITY_OF_CONVOLUTIONS[is_in_blocks]
            and min(channels) >= _LEAST_CHANNELS
            and (layout.kernel_positions > 1 or size >= _LEAST_SIZE_OF_1X1)
        )
    if layout.kernel_positions > 1:
        return False
    least = _LEAST_SPARSITY[has_numba]
    if is_in_blocks:
        least = _LEAST_SPARSITY_OF_BLOCKS
    return size >= _LEAST_SIZE and sparsity >= least


def _check(algorithm, structure):
    name = type(algorithm).__name__
    if algorithm.tracks_gradient or algorithm.fixes_signs:
        kept = "a sign" if algorithm.fixes_signs else "a moving average"
        raise ValueError(
            f"{name} stores {kept} for every connection, active or not, so "
            "storing only active connections would save nothing. Use "
            "storage='dense'."
        )
    if algorithm.needs_whole_kernel:
        raise ValueError(
            f"{name} grows connections by the mask of a whole kernel, and "
            "storing only active connections never makes one. Use "
            "storage='dense'."
        )
    if not isinstance(
        structure, Blocks | Kernels2D | Unstructured
    ) or isinstance(structure, GroupedSparsity):
        raise ValueError(
            "Only connections, `Blocks` and `Kernels2D` can be stored without "
            f"zeros. Received: structure={structure}. Use storage='dense'."
        )
    on_cpu = not isinstance(structure, Blocks)
    if on_cpu and tf.config.get_visible_devices("GPU"):
        raise ValueError(
            "Layers that store connections or whole k x k kernels compute on "
            "the CPU, but a GPU is visible. Use storage='dense', or hide the "
            "GPU at the start of the program: "
            "`tf.config.set_visible_devices([], 'GPU')`."
        )
