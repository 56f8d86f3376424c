"""One update of each algorithm, small enough to check by eye."""

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import algorithms
from rigl_tf import masks
from rigl_tf.algorithms import LayerView


def view(weight, mask, gradient=None, seed=(0, 0)):
    return LayerView(
        weight=tf.constant(weight, tf.float32),
        mask=tf.constant(np.array(mask, bool)),
        gradient=None if gradient is None else tf.constant(gradient),
        momentum=None,
        seed=tf.constant(seed, tf.int64),
    )


def update(algorithm, layer, num):
    return masks.drop_and_grow(
        layer.mask, algorithm.drop(layer), algorithm.grow(layer), num, num
    ).numpy()


def test_rigl_replaces_the_smallest_weight_by_the_largest_gradient():
    layer = view(
        weight=[0.9, -0.1, 0.5, 0.0, 0.0, 0.0],
        mask=[1, 1, 1, 0, 0, 0],
        gradient=[0.0, 0.1, 0.0, 0.3, -0.8, 0.2],
    )

    after = update(algorithms.RigL(), layer, 1)

    # -0.1 is the smallest active weight; -0.8 the largest inactive gradient.
    np.testing.assert_array_equal(after, [1, 0, 1, 0, 1, 0])


def test_static_grows_back_what_it_drops():
    layer = view(weight=[0.9, -0.1, 0.5, 0.0], mask=[1, 1, 1, 0])

    after = update(algorithms.Static(), layer, 2)

    np.testing.assert_array_equal(after, [1, 1, 1, 0])


def test_set_drops_by_magnitude_and_grows_anywhere():
    grown = set()
    for seed in range(40):
        layer = view(
            weight=[0.9, -0.1, 0.5, 0.0, 0.0],
            mask=[1, 1, 1, 0, 0],
            seed=(seed, 0),
        )
        after = update(algorithms.SET(), layer, 1)

        assert after[0] and after[2]  # 0.9 and 0.5 are never dropped
        grown |= set(np.flatnonzero(after)) - {0, 2}

    assert grown == {1, 3, 4}  # the dropped one may come back


def test_gradual_pruning_goes_down_to_the_budget_of_each_layer():
    layers = [
        view(weight=[0.3, 0.2, -0.1, 0.4], mask=[1, 1, 1, 1]),
        view(weight=[3.0, 2.0, 0.0], mask=[1, 1, 0]),
    ]

    drops = algorithms.GradualPruning().num_drop(
        layers, 0.3, [tf.constant(2, tf.int64), tf.constant(2, tf.int64)]
    )

    assert [int(d) for d in drops] == [2, 0]


def test_global_pruning_ranks_all_layers_together():
    layers = [
        view(weight=[0.3, 0.2, -0.1, 0.4], mask=[1, 1, 1, 1]),
        view(weight=[3.0, 2.0, 1.0], mask=[1, 1, 1]),
    ]

    drops = algorithms.GradualPruning(scope="global").num_drop(
        layers, 0.3, [tf.constant(2, tf.int64), tf.constant(2, tf.int64)]
    )

    # Four may stay: 3.0, 2.0, 1.0, and the strongest of the first layer.
    assert [int(d) for d in drops] == [3, 0]


def test_global_pruning_leaves_every_layer_its_strongest():
    layers = [
        view(weight=[0.3, 0.2], mask=[1, 1]),
        view(weight=[3.0, 2.0, 1.0], mask=[1, 1, 1]),
    ]

    drops = algorithms.GradualPruning(scope="global").num_drop(
        layers, 0.3, [tf.constant(0, tf.int64), tf.constant(2, tf.int64)]
    )

    assert [int(d) for d in drops] == [1, 2]


def test_an_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="scope='model'"):
        algorithms.GradualPruning(scope="model")


def test_an_unknown_algorithm_lists_the_known_ones():
    with pytest.raises(ValueError, match="gradual_pruning, rigl, set, static"):
        algorithms.get("rig1")
