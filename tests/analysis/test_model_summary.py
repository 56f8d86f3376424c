"""Summaries of masks that are small enough to count by eye."""

import keras
import numpy as np
import pytest

import rigl_tf


def with_masks(*masks):
    """A model whose dense kernels have the given masks."""
    masks = [np.array(mask, bool) for mask in masks]
    model = keras.Sequential(
        [keras.Input(masks[0].shape[:1])]
        + [keras.layers.Dense(mask.shape[1]) for mask in masks]
    )
    sparse = rigl_tf.sparsify(model, rigl_tf.algorithms.Static(), sparsity=0.0)
    for layer, mask in zip(rigl_tf.sparse_layers(sparse), masks, strict=True):
        layer.set_masks([mask])
    return sparse


def test_the_worked_example_is_counted_right():
    model = with_masks(
        [[1, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1]],  # input 2, neuron 1
        [[1, 0], [1, 0], [0, 0]],  # input 2, neuron 1
    )

    first, second = rigl_tf.summary(model).kernels

    assert (first.active, first.sparsity, first.flops) == (4, 1 - 4 / 12, 8)
    assert (first.empty_inputs, first.empty_outputs) == (1, 1)
    assert first.remaining == 3 * 2
    # The neuron that is empty above is not missed here: nothing propagates.
    assert (second.empty_inputs, second.empty_outputs) == (1, 1)
    assert second.remaining == 2 * 1


def test_what_remains_of_a_random_mask_is_what_chance_leaves():
    mask = np.asarray(rigl_tf.masks.random_mask((2000, 3000), 6000, (0, 1)))

    (kernel,) = rigl_tf.summary(with_masks(mask)).kernels

    # An input is empty with probability 0.999 ** 3000 = 0.0497, an output
    # with 0.999 ** 2000 = 0.1352.
    assert kernel.remaining == pytest.approx(
        2000 * (1 - 0.0497) * 3000 * (1 - 0.1352), rel=0.02
    )


def test_totals_add_up():
    found = rigl_tf.summary(with_masks([[1, 0], [0, 0]], [[1], [1]]))

    assert found.sparsity == 0.5
    assert found.total("active") == 3
    assert found.total("empty_outputs") == 1


def test_the_taps_of_a_window_count_as_one_input():
    model = keras.Sequential(
        [keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 2, name="conv")]
    )
    sparse = rigl_tf.sparsify(model, rigl_tf.algorithms.Static(), sparsity=0.0)
    mask = np.zeros((2, 2, 2, 3), bool)
    mask[0, 1, 0, 2] = mask[1, 1, 0, 1] = True
    rigl_tf.sparse_layers(sparse)[0].set_masks([mask])

    (kernel,) = rigl_tf.summary(sparse).kernels

    assert (kernel.empty_inputs, kernel.inputs) == (1, 2)
    assert (kernel.empty_outputs, kernel.outputs) == (1, 3)
    assert kernel.remaining == 4 * 1 * 2
    assert kernel.flops == 2 * 2 * 9


def test_it_prints_a_row_for_each_kernel_and_the_totals():
    printed = str(rigl_tf.summary(with_masks([[1, 0], [0, 0]], [[1], [1]])))

    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in printed.splitlines()
    ]
    assert rows[0][1:] == [
        "shape",
        "sparsity",
        "active",
        "params*",
        "FLOPs",
        "empty neurons",
        "empty inputs",
    ]
    assert rows[2][1:] == ["2 x 2", "0.7500", "1", "1", "2", "1 of 2", "1 of 2"]
    assert rows[-1] == ["all", "6", "0.5000", "3", "3", "6", "1 of 3", "1 of 4"]


def test_a_model_without_masks_says_how_to_get_them():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    with pytest.raises(ValueError, match="rigl_tf.sparsify"):
        rigl_tf.summary(model)
