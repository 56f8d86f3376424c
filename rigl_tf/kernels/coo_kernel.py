"""Kernels that store only their active connections."""

import functools

import numpy as np
import tensorflow as tf

from rigl_tf.algorithms import CandidateTile
from rigl_tf.algorithms import KernelView
from rigl_tf.algorithms import RandomNumbers
from rigl_tf.algorithms.random_numbers import SliceNumbers
from rigl_tf.kernels import index_sets
from rigl_tf.kernels.stored_kernel import StoredKernel
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import random_bits
from rigl_tf.utils.tensors import as_array

_TILE = 1 << 18  # the least connections that an update looks at at a time
_MOST_TILES = 64  # because every tile copies the positions found before it


def random_positions(size, count, seed):
    """Draws the positions of `masks.random_mask` without making the mask.

    Args:
        size: Integer, connections of the kernel.
        count: Integer, how many are active.
        seed: Integer tensor of shape (2,).

    Returns:
        Sorted int32 array.
    """

    tile = _tile_of(size)

    def scores(number):
        start = number * tile
        stop = tf.minimum(start + tile, size)
        return start, random_bits.draw_slice(start, stop, seed)

    num_tiles = -(-size // tile)
    return index_sets.best(
        scores, num_tiles, tf.constant(count, tf.int64)
    ).numpy()


def _tile_of(size):
    """Returns the connections in a tile of a kernel with `size` of them."""
    return max(_TILE, -(-size // _MOST_TILES))


class ActiveKernel(StoredKernel):
    """A kernel whose `variable` has a weight for each stored connection."""

    @property
    def mask(self):
        return self._on_kernel(tf.ones([self.capacity], tf.bool))

    def count(self):
        return index_sets.count(tf.convert_to_tensor(self.active))

    def bits(self):
        places = as_array(self.active)
        places = places[places != index_sets.NONE]
        bits = np.zeros(-(-self.size // 8), np.uint8)
        np.bitwise_or.at(bits, places // 8, np.uint8(128) >> places % 8)
        return bits

    def weights(self):
        return self._on_kernel(tf.convert_to_tensor(self.variable))

    def set_mask(self, mask):
        places = np.flatnonzero(mask)
        self._check_room(len(places))
        now = tf.constant(places, tf.int32)
        self._take(index_sets.padded(now, self.capacity))

    def view(self, inputs):
        active = tf.convert_to_tensor(self.active)
        return self._view_of(
            active,
            tf.not_equal(active, index_sets.NONE),
            self._shown(self.variable),
            self._shown(inputs.gradient),
            self._shown(inputs.momentum),
            inputs.seed,
            inputs.progress,
            inputs.flows,
        )

    def _view_of(
        self, active, mask, weight, gradient, momentum, seed, progress, flows
    ):
        return KernelView(
            weight=weight,
            mask=mask,
            gradient=gradient,
            momentum=momentum,
            random_numbers=_NumbersOfActive(self, active, seed),
            progress=progress,
            total=self.size,
            num_tiles=self.num_tiles,
            tiles=functools.partial(self._tile, active, seed, flows),
        )

    def grow(self, view, scores, num_grow, inputs):
        def grown(before, of_view, of_flows, num_grow):
            mask, weight, momentum, seed, progress = of_view
            flows = [
                flow._replace(inputs=x, outputs=dy)
                for flow, (x, dy) in zip(inputs.flows, of_flows, strict=True)
            ]
            kept = self._view_of(
                before, mask, weight, None, momentum, seed, progress, flows
            )
            return self._grown(before, kept, scores, num_grow)

        convolutions = tuple(flow.convolution for flow in inputs.flows)
        now, origins = inputs.traced_once(
            (self.layout, self.variable.dtype, convolutions), grown
        )(
            tf.convert_to_tensor(self.active),
            (
                view.mask,
                view.weight,
                view.momentum,
                inputs.seed,
                inputs.progress,
            ),
            [(flow.inputs, flow.outputs) for flow in inputs.flows],
            num_grow,
        )
        now.set_shape(self.capacity)
        weights = self.new_weights(
            inputs,
            (self.capacity,),
            lambda: self._gradient_at(now, inputs.flows),
        )
        return masks.count(self._take(now, weights, inputs.slots, origins))

    def _grown(self, before, view, scores, num_grow):
        """Returns the connections after the growth, and their origins."""
        origins = tf.cast(tf.where(view.mask)[:, 0], tf.int32)
        now = tf.gather(before, origins)
        num_parts = len(masks.score_functions(scores(view.candidates(0))))
        room = view.size - tf.size(now, tf.int64)
        left = tf.minimum(tf.cast(num_grow, tf.int64), room)
        for i in range(num_parts):
            part = masks.equal_part(left, num_parts - i)
            grown = index_sets.best(
                functools.partial(self._scores, view, scores, i),
                view.num_tiles,
                part,
                taken=now,
            )
            order = index_sets.merge_order(now, grown)
            # What was dropped just now may grow again.
            regrown = index_sets.origins(before, grown)
            origins = tf.gather(tf.concat([origins, regrown], 0), order)
            now = tf.gather(tf.concat([now, grown], 0), order)
            left -= part
        now = index_sets.padded(now, tf.size(before))
        return now, index_sets.padded(origins, tf.size(before), padding=-1)

    @property
    def _rows(self):
        """Inputs of the kernel in a tile, all of one kernel position."""
        rows = max(_tile_of(self.size) // self.layout.outputs, 1)
        return min(rows, self.layout.inputs)

    @property
    def _parts(self):
        """Tiles of a kernel position."""
        return -(-self.layout.inputs // self._rows)

    @property
    def num_tiles(self):
        """Integer, the number of tiles that an update sees."""
        return self.layout.kernel_positions * self._parts

    def _on_kernel(self, values):
        """Returns a kernel with the values of connections, zeros elsewhere."""
        active = tf.convert_to_tensor(self.active)
        flat = index_sets.on_grid(active, values, self.size)
        return tf.reshape(flat, self.kernel_shape)

    def tile_range(self, number):
        """Returns the first flat position of a tile, and the one after it."""
        inputs = self.layout.inputs
        rows = tf.stack([0, 1]) + number % self._parts
        rows = tf.minimum(rows * self._rows, inputs)
        rows += number // self._parts * inputs
        return tf.unstack(rows * self.layout.outputs)

    def _shown(self, values):
        if values is None:
            return None
        return tf.cast(tf.convert_to_tensor(values), self.view_dtype)

    def _tile(self, active, seed, flows, view, number):
        """Returns the tile of a number, with the mask of a view."""
        start, stop = self.tile_range(number)
        first, last = index_sets.bounds(active, start, stop)
        places = active[first:last, None] - start

        def spread(values):
            if values is None:
                return None
            nothing = tf.zeros([stop - start], values.dtype)
            return tf.tensor_scatter_nd_update(
                nothing, places, values[first:last]
            )

        return CandidateTile(
            weight=spread(view.weight),
            mask=spread(view.mask),
            gradient=self._gradient(flows, start, stop),
            momentum=spread(view.momentum),
            random_numbers=SliceNumbers(start, stop, seed),
            progress=view.progress,
        )

    def _gradient(self, flows, start, stop):
        if not flows:
            return None
        outputs = self.layout.outputs
        rows = [f.gradient(start // outputs, stop // outputs) for f in flows]
        return self._shown(tf.reshape(tf.add_n(rows), [-1]))

    def _scores(self, view, scores, part, number):
        """Returns where a tile starts, and its scores."""
        start, _ = self.tile_range(number)
        functions = masks.score_functions(scores(view.candidates(number)))
        return start, tf.reshape(functions[part](), [-1])


class _NumbersOfActive(RandomNumbers):
    """The random numbers of the connections that are stored.

    Args:
        kernel: `ActiveKernel`.
        active: int32 tensor, the positions of its connections, padded.
        seed: Integer tensor of shape (2,).
    """

    def __init__(self, kernel, active, seed):
        super().__init__(active.shape, seed)
        self._kernel = kernel
        self._active = active

    def sample(self, seed):
        def of_tile(number):
            start, stop = self._kernel.tile_range(number)
            numbers = random_bits.draw_slice(start, stop, seed)
            return index_sets.taken(self._active, start, numbers)

        # Tile by tile, so that there is never a number for every position.
        numbers = index_sets.in_turn(self._kernel.num_tiles, of_tile, tf.int32)
        return index_sets.padded(numbers, tf.size(self._active), padding=0)
