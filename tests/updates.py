"""One update of small kernels, by the function that training calls."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from rigl_tf import kernels
from rigl_tf.algorithms import Algorithm
from rigl_tf.algorithms import Request
from rigl_tf.modeling import mask_update
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.sparsity import structures

STORAGES = ("dense", "active", "blocks")


def mask_after_update(
    algorithm,
    weight,
    mask,
    num,
    stored="dense",
    gradient=None,
    momentum=None,
    sign=None,
    seed=0,
    budget=None,
):
    """The mask after `mask_update.move_connections`, of a kernel of one output.

    Args:
        algorithm: `Algorithm`.
        weight: Array of shape (n,).
        mask: Boolean array of shape (n,).
        num: Integer, connections to drop, if the algorithm goes by fractions.
        stored: String of `STORAGES`.
        gradient: Array of shape (n,), or `None`.
        momentum: The same; with `stored="dense"` only.
        sign: The same.
        seed: Integer.
        budget: Integer, connections after the update by the sparsity schedule;
            by default, as many as before.

    Returns:
        Boolean array of shape (n,).
    """
    layer = {
        "weight": weight,
        "mask": mask,
        "gradient": gradient,
        "momentum": momentum,
        "sign": sign,
        "budget": np.sum(mask) if budget is None else budget,
    }
    fraction = (num + 0.5) / np.sum(mask)  # the half is rounded away
    if num == 0:
        fraction = 0.0
    return _masks_after_update(algorithm, [layer], stored, fraction, seed)[0]


def counts_after_update(algorithm, layers, stored="dense", fraction=0.5):
    """How many connections each of several kernels has after an update.

    Args:
        algorithm: `Algorithm`.
        layers: List of dictionaries with `weight`, `mask` and so on, as for
            `mask_after_update`.
        stored: String of `STORAGES`.
        fraction: Float, the drop fraction.

    Returns:
        List of integers.
    """
    masks = _masks_after_update(algorithm, layers, stored, fraction, seed=0)
    return [int(np.sum(mask)) for mask in masks]


def _masks_after_update(algorithm, layers, stored, fraction, seed):
    kernels, inputs = [], []
    for layer in layers:
        mask = np.array(layer["mask"], bool)
        weight = np.where(mask, layer["weight"], 0).astype("float32")
        kernels.append(_kernel(weight[:, None], mask, stored))
        values = map(layer.get, ("gradient", "momentum", "sign"))
        inputs.append(_inputs(kernels[-1], *values))
    structure = structures.Unstructured()
    if stored == "blocks":
        structure = structures.Blocks(1, 1)
    move(
        kernels,
        inputs,
        algorithm,
        Request(
            [fraction] * len(layers),
            [
                tf.constant(layer.get("budget", np.sum(layer["mask"])))
                for layer in layers
            ],
            {},
        ),
        structure,
        seed,
    )
    return [np.array(kernel.mask)[:, 0] for kernel in kernels]


def move(kernels, inputs, algorithm, request, structure=None, seed=0, step=1):
    """Moves connections as an update of a model with these kernels does."""
    inputs = [
        dataclasses.replace(
            each,
            structure=structure or structures.Unstructured(),
            seed=tf.random.experimental.stateless_fold_in(
                tf.constant([seed, i], tf.int64), tf.constant(step, tf.int64)
            ),
            grow_init=GrowInit(),
        )
        for i, each in enumerate(inputs)
    ]
    return mask_update.move_connections(kernels, inputs, algorithm, request)


@dataclasses.dataclass(frozen=True)
class Given(Algorithm):
    """Drops by weight and grows by gradient, as many as it is told."""

    num_dropped: int = 0
    num_grown: int = 0

    def drop(self, view):
        return view.weight

    def grow(self, tile):
        if tile.gradient is None:
            return tf.zeros_like(tile.weight)
        return tile.gradient

    def num_drop(self, views, request):
        return [self.num_dropped]

    def redistribute(self, views, num_dropped, request):
        # An update never drops the last connection of a kernel.
        return [num_dropped[0] + self.num_grown - self.num_dropped]


def drop_and_grow_in(stored):
    """`masks.drop_and_grow` by an update in training, for scores from 0 up."""

    def move_in(mask, drop_scores, grow_scores, num_drop, num_grow):
        return mask_after_update(
            Given(num_drop, num_grow),
            drop_scores,
            mask,
            num_drop,
            stored,
            None if grow_scores is None else np.asarray(grow_scores, "float32"),
        )

    move_in.__name__ = stored
    return move_in


def _kernel(weight, mask, stored):
    size = len(weight)
    if stored == "dense":
        layer = keras.layers.Dense(1, use_bias=False)
        layer.build((None, size))
        layer.kernel.assign(weight)
        sparse = sparse_wrapper.Sparse(layer)
        sparse.set_masks([mask[:, None]])
        return sparse.kernels[0]
    unit = (1, 1) if stored == "blocks" else ()
    layer = kernels.ActiveDense(1, use_bias=False, capacity=size, unit=unit)
    layer.build((None, size))
    layer.fill(weight, np.flatnonzero(mask).astype("int32"))
    return layer.sparse_kernel()


def _inputs(kernel, gradient, momentum, sign):
    def column(values):
        if values is None:
            return None
        return tf.constant(np.array(values, "float32")[:, None])

    gradient = column(gradient)
    if isinstance(kernel, kernels.DenseKernel):
        return kernels.UpdateInputs(gradient, column(momentum), column(sign))
    if gradient is None:
        return kernels.UpdateInputs()
    # One example, whose gradient with respect to the only output is 1.
    flow = kernels.Flow(
        kernel.variable, tf.transpose(gradient), tf.ones([1, 1])
    )
    last = len(gradient) - 1
    stored = tf.gather(gradient, tf.minimum(kernel.active, last))
    shape = tuple(kernel.variable.shape)
    return kernels.UpdateInputs(tf.reshape(stored, shape), flows=[flow])
