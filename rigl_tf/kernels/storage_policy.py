"""Which kernels store only their active connections, and room for how many."""

import importlib.util
import math

import numpy as np
import tensorflow as tf

from rigl_tf.kernels import check_can_be_active
from rigl_tf.kernels import random_positions
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity.structures import Blocks
from rigl_tf.sparsity.structures import GroupedSparsity
from rigl_tf.sparsity.structures import Unstructured

STORAGES = ("dense", "active", "auto")
# What `"auto"` goes by: docs/speed.md has the measurements. Below, a step takes
# about as long as with dense storage, or longer.
_LEAST_SIZE = 2**20  # connections, active or not
_LEAST_SPARSITY_OF_BLOCKS = 0.75
_LEAST_SPARSITY = {True: 0.85, False: 0.95}  # with numba, without
_LEAST_BLOCK = 16  # rows, and columns


def planned(
    wanted,
    kernels,
    budgets,
    algorithm,
    granularity,
    seed,
    is_alone,
    units,
):
    """What is stored of the kernels of a model that is to be sparse.

    Args:
        wanted: `"dense"`, `"active"`, `"auto"`, or a dictionary from names of
            kernels, or patterns with `*`, to one of these. Of several that
            match, the first counts; kernels that none matches are stored
            dense. `"auto"` is `"active"` where it can be and makes training
            faster.
        kernels: List of `SparseKernel`, not masked yet.
        budgets: List of integers, the active units of each.
        algorithm: `Algorithm`.
        granularity: Of `rigl_tf.structures`.
        seed: Integer, of the first masks.
        is_alone: Function from a layer to whether it can be replaced: not in
            a subclassed model, and not as a part of another layer.
        units: List of boolean arrays, the units that are active first, and of
            `None` for random ones.

    Returns:
        Dictionary from the id of a layer to a pair: the most units that can
        be active, and the numbers of those that are. Other layers store dense
        kernels, also those without a single zero.

    Raises:
        ValueError: If active connections alone are not enough for the
            algorithm, the granularity or the machine.
        TypeError: If a layer needs its dense kernel.
    """
    names = [kernel.name for kernel in kernels]
    if not names:
        return {}
    chosen = _chosen(wanted, names)
    stored = {}
    for i, (kernel, budget) in enumerate(zip(kernels, budgets, strict=True)):
        num_units = math.prod(granularity.shape(kernel.layout))
        if chosen[kernel.name] == "dense" or budget == num_units:
            continue
        if chosen[kernel.name] == "auto" and not _pays(
            kernel, 1 - budget / num_units, algorithm, granularity
        ):
            continue
        try:
            _check(algorithm, granularity)
            check_can_be_active(
                kernel.layer, kernel.name, is_alone(kernel.layer)
            )
        except (TypeError, ValueError):
            if chosen[kernel.name] == "auto":
                continue
            raise
        capacity, active = budget, None
        if units[i] is not None:
            active = np.flatnonzero(units[i]).astype("int32")
        if algorithm.follows_sparsity:
            capacity = num_units
        elif algorithm.moves_between_layers:
            # Any layer may come to have all connections that there are.
            smallest = np.min(granularity.sizes(kernel.layout))
            most = granularity.connections_in(kernels, budgets)
            capacity = min(num_units, int(most) // int(smallest))
        if active is None:
            active = random_positions(
                num_units, budget, tf.constant((seed, i), tf.int64)
            )
        stored[id(kernel.layer)] = (capacity, active)
    return stored


def _chosen(wanted, names):
    """Dictionary from the name of a kernel to how it is stored."""
    by_pattern = wanted if isinstance(wanted, dict) else {"*": wanted}
    for value in by_pattern.values():
        if value not in STORAGES:
            raise ValueError(
                f"`storage` must be one of {', '.join(STORAGES)}, or a "
                "dictionary from names of layers to them. "
                f"Received: storage={wanted!r}."
            )
    chosen = dict.fromkeys(names, "dense")
    matches = distributions.match(by_pattern, names, "storage")
    for pattern in reversed(by_pattern):
        chosen.update(dict.fromkeys(matches[pattern], by_pattern[pattern]))
    return chosen


def _pays(kernel, sparsity, algorithm, granularity):
    """Whether training is faster if only active connections are stored."""
    size = math.prod(kernel.layout.kernel_shape)
    has_room_for_all = (
        algorithm.follows_sparsity or algorithm.moves_between_layers
    )
    least = _LEAST_SPARSITY[importlib.util.find_spec("numba") is not None]
    if isinstance(granularity, Blocks):
        least = _LEAST_SPARSITY_OF_BLOCKS
        if min(granularity.rows, granularity.columns) < _LEAST_BLOCK:
            return False
    return (
        size >= _LEAST_SIZE
        and round(sparsity, 2) >= least
        and not has_room_for_all
    )


def _check(algorithm, granularity):
    name = type(algorithm).__name__
    if algorithm.tracks_gradient or algorithm.fixes_signs:
        kept = "a sign" if algorithm.fixes_signs else "a running gradient"
        raise ValueError(
            f"{name} keeps {kept} for every connection, active or not, so "
            "that nothing is saved by storing only active ones. Use "
            "storage='dense'."
        )
    if not isinstance(granularity, Blocks | Unstructured) or isinstance(
        granularity, GroupedSparsity
    ):
        raise ValueError(
            "Only connections and `Blocks` can be stored without the others. "
            f"Received: granularity={granularity}. Use storage='dense'."
        )
    if granularity.is_unstructured and tf.config.list_physical_devices("GPU"):
        raise ValueError(
            "Active connections are multiplied on the CPU, and there is a "
            "GPU. Use storage='dense', or hide the GPU at the beginning of "
            "the program: `tf.config.set_visible_devices([], 'GPU')`."
        )
