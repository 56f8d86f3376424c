"""Tests of the figures."""

import dataclasses

import keras
import matplotlib.image
import numpy as np
import pytest

import rigl_tf
from rigl_tf import plots
from rigl_tf import results


def record(
    method, seed=0, history=None, densities=None, structure=None, task="digits"
):
    return results.Record(
        task=task,
        method=method,
        distribution="",
        extension=1,
        structure=structure or {},
        sparsity=0.0 if method == "dense" else 0.9,
        seed=seed,
        test={"accuracy": 0.9},
        history=history or {},
        densities=densities or {},
        parameters={},
        flops={},
        steps=300,
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


def test_flops_draws_a_curve_that_falls_with_the_flops(tmp_path):
    falling = record("rigl", history={"flops": [1.0, 0.5, 0.1]})

    plots.flops([falling], tmp_path / "flops.png")

    rows, columns = np.nonzero(
        np.all(read(tmp_path / "flops.png") == np.array(ORANGE), axis=-1)
    )
    in_axes = columns < 1000  # the legend is to the right of them
    assert np.corrcoef(rows[in_axes], columns[in_axes])[0, 1] > 0.9


def test_a_figure_shows_one_task(tmp_path):
    runs = [record("rigl"), record("rigl", task="text")]

    with pytest.raises(ValueError, match="of digits, text"):
        plots.accuracy(runs, tmp_path / "accuracy.png")


def test_there_is_a_panel_for_each_sparsity_and_distribution(tmp_path):
    densities = {"a": 0.1}
    one = record("set", densities=densities)
    others = [
        dataclasses.replace(one, sparsity=0.95),
        dataclasses.replace(one, distribution="uniform"),
        dataclasses.replace(one, distribution="erdos_renyi_kernel"),
    ]

    plots.densities([one], tmp_path / "one.png")
    plots.densities(others, tmp_path / "many.png")

    height, width, _ = read(tmp_path / "one.png").shape
    more_height, more_width, _ = read(tmp_path / "many.png").shape
    assert more_height > 1.5 * height
    assert more_width > 1.1 * width


@pytest.mark.parametrize(("kernels", "axes"), [(1, 1), (4, 4), (5, 8)])
def test_masks_stand_four_in_a_row(tmp_path, kernels, axes):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    sparse = rigl_tf.sparsify(model, rigl_tf.algorithms.Static(), sparsity=0.5)

    plots.masks(
        {str(i): sparse.kernels[0] for i in range(kernels)},
        tmp_path / "masks.png",
    )

    height, width, _ = read(tmp_path / "masks.png").shape
    assert round((width / 150 - 1) / 4) * round((height / 150) / 4.25) == axes


@pytest.mark.filterwarnings("error")
def test_accuracy_is_drawn_where_no_run_has_the_metric(tmp_path):
    plots.accuracy([record("rigl")], tmp_path / "accuracy.png")

    assert len(np.unique(read(tmp_path / "accuracy.png"))) > 1


def test_densities_draw_bars_and_leave_the_dense_runs_out(tmp_path):
    densities = {"a": 1.0, "b": 0.1, "c": 0.01}
    runs = [record("dense"), record("set", densities=densities)]

    plots.densities(runs, tmp_path / "densities.png")

    assert fraction(read(tmp_path / "densities.png"), ORANGE) > 0.1


def test_active_draws_bars_of_counts(tmp_path):
    structure = {"a": {"active": 1000}, "b": {"active": 10}}
    runs = [record("dense"), record("set", structure=structure)]

    plots.active(runs, tmp_path / "active.png")

    assert fraction(read(tmp_path / "active.png"), ORANGE) > 0.1


def test_density_over_time_draws_a_line_for_each_kernel(tmp_path):
    history = {"density/a": [0.5, 0.1], "density/b": [0.1, 0.2], "loss": [9, 9]}

    plots.density_over_time(
        record("dsr", history=history), tmp_path / "density.png"
    )

    picture = read(tmp_path / "density.png")
    first, last = (68, 1, 84), (187, 223, 39)  # of viridis, up to 0.9
    assert fraction(picture, first) > 0.0003
    assert fraction(picture, last) > 0.0003


def test_densities_are_drawn_where_no_run_has_any(tmp_path):
    plots.densities([record("dense")], tmp_path / "densities.png")

    assert len(np.unique(read(tmp_path / "densities.png"))) > 1


@pytest.mark.parametrize("sparsity", [0.9, 0.5, 0.1])
def test_mask_blackens_as_much_as_is_active(tmp_path, sparsity):
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30)])
    sparse = rigl_tf.sparsify(
        model, rigl_tf.algorithms.Static(), sparsity=sparsity
    )

    plots.masks({"kernel": sparse.kernels[0]}, tmp_path / "mask.png")

    # The middle of the picture lies inside the axes.
    picture = read(tmp_path / "mask.png")
    height, width, _ = picture.shape
    middle = picture[height // 5 : 4 * height // 5, width // 5 : 4 * width // 5]
    black = fraction(middle, BLACK)
    assert black == pytest.approx(1 - sparsity, abs=0.1)
    assert black + fraction(middle, (255, 255, 255)) > 0.99
