"""Kernels of which only the active connections are stored."""

import functools

import numpy as np
import tensorflow as tf

from rigl_tf import masks
from rigl_tf import selection
from rigl_tf.algorithms import LayerView
from rigl_tf.storage import positions
from rigl_tf.storage.stored import StoredKernel
from rigl_tf.tensors import as_array

_TILE = 1 << 18  # connections that an update looks at at a time, at least
_MOST_TILES = 64  # as what was found before is copied in every one


def random_positions(size, count, seed):
    """The positions of `masks.random_mask`, without ever making the mask.

    Args:
        size: Integer, connections of the kernel.
        count: Integer, how many are active.
        seed: Integer tensor of shape (2,).

    Returns:
        Sorted int32 array.
    """

    tile = _tile_of(size)

    def keys(number):
        start = number * tile
        stop = tf.minimum(start + tile, size)
        drawn = masks.part_of_random_scores(start, stop, seed)
        return start, selection.keys_of(drawn, None)

    num_tiles = -(-size // tile)
    return positions.best(keys, num_tiles, tf.constant(count, tf.int64)).numpy()


def _tile_of(size):
    """Connections in a tile of a kernel of so many."""
    return max(_TILE, -(-size // _MOST_TILES))


class ActiveKernel(StoredKernel):
    """A kernel whose `variable` has a weight for each stored connection."""

    @property
    def mask(self):
        return self._on_kernel(tf.ones([self.capacity], tf.bool))

    def count(self):
        return positions.count(tf.convert_to_tensor(self.active))

    def bits(self):
        places = as_array(self.active)
        places = places[places != positions.NONE]
        bits = np.zeros(-(-self.size // 8), np.uint8)
        np.bitwise_or.at(bits, places // 8, np.uint8(128) >> places % 8)
        return bits

    def weights(self):
        return self._on_kernel(tf.convert_to_tensor(self.variable))

    def set_mask(self, mask):
        places = np.flatnonzero(mask)
        self._check_room(len(places))
        now = tf.constant(places, tf.int32)
        self._take(positions.padded(now, self.capacity))

    def view(self, granularity, beside, seed):
        active = tf.convert_to_tensor(self.active)
        momentum = beside.momentum
        return LayerView(
            weight=tf.convert_to_tensor(self.variable),
            mask=tf.not_equal(active, positions.NONE),
            gradient=beside.gradient,
            momentum=None
            if momentum is None
            else tf.convert_to_tensor(momentum),
            seed=seed,
            total=self.size,
            num_tiles=self._num_tiles,
            part=functools.partial(self._tile, active, beside.flows),
            draw=functools.partial(self._random, active, seed),
        )

    def grow(self, view, scores, num_grow, granularity, beside, fresh, slots):
        before = tf.convert_to_tensor(self.active)
        now = tf.boolean_mask(before, view.mask)
        one_or_more = scores(view)
        num_parts = len(one_or_more) if isinstance(one_or_more, list) else 1
        room = view.size() - tf.size(now, tf.int64)
        left = tf.minimum(tf.cast(num_grow, tf.int64), room)
        for place in range(num_parts):
            share = -(-left // (num_parts - place))
            grown = positions.best(
                functools.partial(self._keys, view, now, scores, place),
                view.num_tiles,
                share,
            )
            now = positions.merged(now, grown)
            left -= share
        now = positions.padded(now, self.capacity)
        drawn = fresh(
            (self.capacity,), lambda: self._gradient_at(now, beside.flows)
        )
        return masks.count(self._take(now, drawn, slots))

    @property
    def _rows(self):
        """Inputs of the kernel in a tile."""
        return max(_tile_of(self.size) // self.layout.outputs, 1)

    @property
    def _num_tiles(self):
        return -(-self.layout.inputs // self._rows)

    def _on_kernel(self, values):
        """Values of connections where they are, and zeros elsewhere."""
        active = tf.convert_to_tensor(self.active)
        flat = positions.on_grid(active, values, self.size)
        return tf.reshape(flat, self.kernel_shape)

    def _range(self, number):
        """Where a tile starts and where it stops, as flat positions."""
        rows = tf.stack([number, number + 1]) * self._rows
        rows = tf.minimum(rows, self.layout.inputs)
        return tf.unstack(rows * self.layout.outputs)

    def _tile(self, active, flows, view, number):
        """The part of a view that is in a tile."""
        start, stop = self._range(number)
        first, last = positions.bounds(active, start, stop)
        places = active[first:last, None] - start

        def spread(values):
            if values is None:
                return None
            nothing = tf.zeros([stop - start], values.dtype)
            return tf.tensor_scatter_nd_update(
                nothing, places, values[first:last]
            )

        return LayerView(
            weight=spread(view.weight),
            mask=spread(view.mask),
            gradient=self._gradient(flows, start, stop),
            momentum=spread(view.momentum),
            seed=view.seed,
            draw=functools.partial(
                masks.part_of_random_scores, start, stop, view.seed
            ),
        )

    def _gradient(self, flows, start, stop):
        if not flows:
            return None
        outputs = self.layout.outputs
        rows = [f.gradient(start // outputs, stop // outputs) for f in flows]
        return tf.reshape(tf.add_n(rows), [-1])

    def _random(self, active, seed):
        """What is drawn at each of the positions."""

        def of_tile(number):
            start, stop = self._range(number)
            drawn = masks.part_of_random_scores(start, stop, seed)
            return positions.taken(active, start, drawn)

        drawn = positions.in_turn(self._num_tiles, of_tile, tf.int32)
        return positions.padded(drawn, self.capacity)

    def _keys(self, view, now, scores, place, number):
        """Where a tile starts, and the keys of what could grow in it."""
        start, stop = self._range(number)
        mask = positions.between(now, start, stop)
        found = scores(view.tile(number)._replace(mask=mask))
        if isinstance(found, list):
            found = found[place]()
        return start, selection.keys_of(found, tf.logical_not(mask))
