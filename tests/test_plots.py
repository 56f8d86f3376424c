"""Tests of the figures."""

import keras
import matplotlib.image
import numpy as np
import pytest

import rigl_tf
from rigl_tf import plots
from rigl_tf import results


def record(method, seed=0, history=None, densities=None):
    return results.Record(
        task="digits",
        method=method,
        distribution="",
        extension=1,
        structure={},
        sparsity=0.0 if method == "dense" else 0.9,
        seed=seed,
        test={"accuracy": 0.9},
        history=history or {},
        densities=densities or {},
        parameters={},
        flops={},
        steps=1,
        seconds=1.0,
        versions={},
        device="",
    )


def read(path):
    """The picture's pixels as whole numbers, (height, width, 3)."""
    assert path.read_bytes().startswith(b"\x89PNG")
    return np.rint(255 * matplotlib.image.imread(path)[..., :3]).astype(int)


def fraction(picture, colour):
    """The fraction of pixels that have a colour, give or take rounding."""
    return np.mean(np.all(abs(picture - np.array(colour)) <= 2, axis=-1))


ORANGE = (0xD5, 0x5E, 0x00)
BLACK = (0, 0, 0)


def test_accuracy_draws_a_curve_for_each_group(tmp_path):
    runs = [
        record("dense", history={"val_accuracy": [0.1, 0.8, 0.9]}),
        record("rigl", 0, history={"val_accuracy": [0.2, 0.5, 0.8]}),
        # Two epochs only: the curves stop where the shortest does.
        record("rigl", 1, history={"val_accuracy": [0.3, 0.7]}),
    ]

    plots.accuracy(runs, tmp_path / "new" / "accuracy.png")

    picture = read(tmp_path / "new" / "accuracy.png")
    assert fraction(picture, (255, 255, 255)) > 0.5
    assert fraction(picture, ORANGE) > 0.0005
    # The range of the seeds has the colour of their mean, lighter.
    assert fraction(picture, (249, 231, 217)) > 0.005


@pytest.mark.filterwarnings("error")
def test_accuracy_is_drawn_where_no_run_has_the_metric(tmp_path):
    plots.accuracy([record("rigl")], tmp_path / "accuracy.png")

    assert len(np.unique(read(tmp_path / "accuracy.png"))) > 1


def test_densities_draw_bars_and_leave_the_dense_runs_out(tmp_path):
    densities = {"a": 1.0, "b": 0.1, "c": 0.01}
    runs = [record("dense"), record("set", densities=densities)]

    plots.densities(runs, tmp_path / "densities.png")

    assert fraction(read(tmp_path / "densities.png"), ORANGE) > 0.1


def test_densities_are_drawn_where_no_run_has_any(tmp_path):
    plots.densities([record("dense")], tmp_path / "densities.png")

    assert len(np.unique(read(tmp_path / "densities.png"))) > 1


@pytest.mark.parametrize("sparsity", [0.9, 0.5, 0.1])
def test_mask_blackens_as_much_as_is_active(tmp_path, sparsity):
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30)])
    sparse = rigl_tf.sparsify(
        model, rigl_tf.algorithms.Static(), sparsity=sparsity
    )

    plots.mask(sparse.kernels[0], tmp_path / "mask.png")

    # The middle of the picture lies inside the axes.
    picture = read(tmp_path / "mask.png")
    height, width, _ = picture.shape
    middle = picture[height // 5 : 4 * height // 5, width // 5 : 4 * width // 5]
    black = fraction(middle, BLACK)
    assert black == pytest.approx(1 - sparsity, abs=0.1)
    assert black + fraction(middle, (255, 255, 255)) > 0.99
