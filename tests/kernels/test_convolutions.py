"""Compiled convolutions of sparse kernels, beside Keras's dense ones."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from rigl_tf.kernels import index_sets
from rigl_tf.kernels.activation_tape import Flow
from rigl_tf.kernels.ops import conv_plan
from rigl_tf.kernels.ops import dispatch
from rigl_tf.kernels.ops import numba_block_conv
from rigl_tf.kernels.ops import numba_conv
from rigl_tf.kernels.ops.convolution import Axis
from rigl_tf.kernels.ops.convolution import Convolution

few = settings(max_examples=15, deadline=None)
PADDING = 2  # places without a connection


@st.composite
def convolutions(draw, groups=3, channels=(1, 20)):
    """A convolution, and the shape of its inputs."""
    padding = draw(st.sampled_from(["valid", "same"]))
    axes, sizes = [], []
    steps = st.tuples(st.integers(1, 3), st.just(1))
    holes = st.tuples(st.just(1), st.integers(1, 2))
    uses = draw(st.sampled_from([steps, holes]))
    for _ in range(draw(st.integers(1, 3))):
        axes.append(Axis(draw(st.integers(1, 4)), *draw(uses), padding))
        sizes.append(axes[-1].extent + draw(st.integers(0, 8)))
    if uses is steps:  # Keras's own wants one stride, or one dilation
        axes = [Axis(a.taps, axes[0].stride, 1, padding) for a in axes]
    groups = draw(st.integers(1, groups))
    channels = st.integers(*channels)
    inputs, outputs = (groups * draw(channels) for _ in range(2))
    shape = (draw(st.sampled_from([1, 2, 16, 17, 33])), *sizes, inputs)
    return Convolution(tuple(axes), inputs, outputs, groups), shape


def dense(convolution, shape, kernel):
    """What passes a dense convolution, both ways.

    In float32: TensorFlow's Conv3D of float64 is wrong for one tap and strides.
    """
    rng = np.random.default_rng(1)
    x = tf.constant(rng.standard_normal(shape, "float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        weights = tf.constant(kernel)
        tape.watch(weights)
        y = keras.ops.conv(
            x,
            weights,
            strides=[axis.stride for axis in convolution.axes],
            padding=convolution.axes[0].padding,
            dilation_rate=[axis.dilation for axis in convolution.axes],
        )
    dy = tf.constant(rng.standard_normal(y.shape, "float32"))
    dx, dkernel = tape.gradient(y, [x, weights], dy)
    assert convolution.output_shape(shape) == tuple(y.shape)
    return x, y, dy, dx, dkernel


def compare(convolution, shape, density):
    """Asserts that outputs and gradients are those of a dense kernel."""
    rng = np.random.default_rng(0)
    kernel_shape = shape_of_kernel(convolution)
    mask = rng.random(kernel_shape) < density
    kernel = mask * rng.standard_normal(kernel_shape, "float32")
    x, y, dy, dx, dkernel = dense(convolution, shape, kernel)
    positions = np.flatnonzero(mask)
    active = np.append(positions, PADDING * [index_sets.NONE]).astype("int32")
    values = np.pad(kernel.reshape(-1)[positions], (0, PADDING))
    product = numba_conv.Product(convolution)

    outputs = product.forward(x, values, active)
    of_inputs, of_values = product.backward(x, values, active, dy)

    close(outputs, y)
    close(of_inputs, dx)
    close(of_values[:-PADDING], dkernel.numpy().reshape(-1)[positions])
    assert not np.any(of_values[-PADDING:])
    half = convolution.rows // 2
    rows = [
        convolution.gradient(x, dy, start, stop)
        for tap in range(
            0, convolution.taps * convolution.rows, convolution.rows
        )
        for start, stop in (
            (tap, tap + half),
            (tap + half, tap + convolution.rows),
        )
    ]
    close(tf.reshape(tf.concat(rows, axis=0), kernel_shape), dkernel)


def compare_units(product, convolution, shape, density):
    """Asserts that the product of units is that of a dense kernel."""
    rng = np.random.default_rng(0)
    kernel_shape = shape_of_kernel(convolution)
    grid = product.split(
        rng.standard_normal(kernel_shape, "float32").reshape(
            -1, convolution.outputs
        )
    ).numpy()
    mask = rng.random(len(grid)) < density
    units = np.flatnonzero(mask)
    grid[~mask] = 0
    kernel = product.joined(
        grid.reshape(*product.sizes().shape, *grid.shape[1:])
    )
    kernel = kernel.numpy().reshape(kernel_shape)
    x, y, dy, dx, dkernel = dense(convolution, shape, kernel)
    gradient = product.split(
        dkernel.numpy().reshape(-1, convolution.outputs)
    ).numpy()
    active = np.append(units, PADDING * [index_sets.NONE]).astype("int32")
    within = grid.shape[1:]
    values = np.concatenate([grid[units], np.zeros((PADDING, *within), "f")])

    outputs = product.forward(x, values, active)
    of_inputs, of_values = product.backward(x, values, active, dy)
    flow = Flow(None, x, dy, convolution)
    means = product.mean_gradients([flow, flow])

    close(outputs, y)
    close(of_inputs, dx)
    close(of_values[:-PADDING], gradient[units])
    assert not np.any(of_values[-PADDING:])
    sums = 2 * np.abs(gradient).reshape(len(grid), -1).sum(axis=1)
    sums = sums.reshape(means.shape)
    close(means * tf.cast(product.sizes(), tf.float32), sums)


def shape_of_kernel(convolution):
    taps = [axis.taps for axis in convolution.axes]
    return *taps, convolution.rows, convolution.outputs


def close(one, other):
    other = np.asarray(other)
    scale = 3e-5 * max(1.0, np.max(np.abs(other), initial=0))
    np.testing.assert_allclose(one, other, atol=scale)


@few
@given(convolutions(), st.sampled_from([0.0, 0.1, 1.0]))
def test_it_computes_what_a_dense_convolution_does(convolution, density):
    compare(*convolution, density)


@few
@given(
    convolutions(groups=1, channels=(1, 3)),
    st.just((8, 24)),  # numba compiles every other size anew
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_blocks_that_divide_channels_compute_the_same(
    convolution, block, density
):
    (convolution, shape), (rows, columns) = convolution, block
    convolution = dataclasses.replace(
        convolution,
        inputs=convolution.inputs * rows,
        outputs=convolution.outputs * columns,
    )
    shape = (*shape[:-1], convolution.inputs)
    product = dispatch.convolution(convolution, block)

    assert isinstance(product, numba_block_conv.Product)
    compare_units(product, convolution, shape, density)


@settings(max_examples=6, deadline=None)
@given(
    convolutions(groups=1),
    st.sampled_from([(8, 24), (5, 3)]),
    st.sampled_from([0.3, 1.0]),
)
def test_other_blocks_compute_the_same(convolution, block, density):
    product = dispatch.convolution(convolution[0], block)

    compare_units(product, *convolution, density)


@few
@given(convolutions(), st.sampled_from([0.0, 0.1, 1.0]))
def test_whole_kernels_compute_the_same(convolution, density):
    convolution, shape = convolution
    product = dispatch.convolution(convolution, (convolution.taps,))

    compare_units(product, convolution, shape, density)


def test_blocks_may_be_multiplied_by_few_positions_at_a_time(monkeypatch):
    monkeypatch.setattr(numba_block_conv, "_CACHE", 1)
    convolution = Convolution((Axis(3), Axis(2)), 16, 24)
    product = numba_block_conv.Product(convolution, 8, 24)

    compare_units(product, convolution, (40, 3, 4, 16), 0.5)


@pytest.mark.parametrize("cache", [1, 1 << 30])
def test_rows_may_be_cut_into_bands(cache, monkeypatch):
    monkeypatch.setattr(conv_plan, "_CACHE", cache)
    axes = Axis(3, 2, 1, "same"), Axis(3, 2, 1, "same")

    compare(Convolution(axes, 20, 18), (18, 21, 9, 20), 0.3)


def test_pictures_of_several_sizes_pass_one_kernel():
    axes = Axis(3), Axis(2)
    product = numba_conv.Product(Convolution(axes, 2, 3))
    kernel = np.arange(1, 37, dtype="float32").reshape(3, 2, 2, 3)
    for size in (5, 8, 5):
        x = np.ones((2, size, size, 2), "float32")

        y = product.forward(x, kernel.reshape(-1), np.arange(36, dtype="int32"))

        assert y.shape == (2, size - 2, size - 1, 3)
        np.testing.assert_allclose(y[0, 0, 0], kernel.sum(axis=(0, 1, 2)))


def test_no_pictures_are_no_fault():
    product = numba_conv.Product(Convolution((Axis(3),), 2, 3))
    values, active = np.ones(4, "float32"), np.arange(4, dtype="int32")
    x, dy = np.zeros((0, 5, 2), "float32"), np.zeros((0, 3, 3), "float32")

    y = product.forward(x, values, active)
    dx, dvalues = product.backward(x, values, active, dy)

    assert (y.shape, dx.shape) == (dy.shape, x.shape)
    np.testing.assert_array_equal(dvalues, np.zeros(4))


def test_it_sees_connections_move():
    product = numba_conv.Product(Convolution((Axis(3),), 1, 1))
    x = np.array([[[1.0], [2.0], [3.0]]], "float32")

    seen = [
        product.forward(x, np.ones(1, "float32"), np.array([tap], "int32"))
        for tap in range(3)
    ]

    np.testing.assert_array_equal(np.reshape(seen, -1), [1, 2, 3])


def test_any_number_of_threads_computes_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 9, 9, 4), "float32")
    dy = rng.standard_normal((40, 9, 9, 5), "float32")
    active = np.arange(0, 180, 3, dtype="int32")
    values = rng.standard_normal(60, "float32")
    of_threads = []
    for threads in (1, 2):
        monkeypatch.setattr(
            numba_conv.numba_threads, "_number", lambda n=threads: n
        )
        axes = Axis(3, 1, 1, "same"), Axis(3, 1, 1, "same")
        product = numba_conv.Product(Convolution(axes, 4, 5))
        of_threads.append(product.backward(x, values, active, dy))

    for one, two in zip(*of_threads, strict=True):
        close(one, two)


@pytest.mark.parametrize("cache", [1, 1 << 30])
def test_planes_may_be_read_in_blocks(cache, monkeypatch):
    monkeypatch.setattr(numba_conv, "_CACHE", cache)
    axes = Axis(3, 2, 1, "same"), Axis(3, 2, 1, "same")

    compare(Convolution(axes, 30, 20), (18, 9, 9, 30), 0.9)
