"""Tests of the figures."""

import dataclasses

import keras
import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

import rigl_tf
from rigl_tf import results
from rigl_tf.results import plots
from rigl_tf.results.plots import figures
from rigl_tf.results.plots import styles
from tests import records


def record(
    method, seed=0, history=None, densities=None, structure=None, task="digits"
):
    return results.Record(
        task=task,
        method=method,
        distribution="",
        training_multiplier=1,
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


BLUE = (0x00, 0x72, 0xB2)  # rigl
ORANGE = (0xD5, 0x5E, 0x00)  # set
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
    assert fraction(picture, BLUE) > 0.0005
    # The range of the seeds has the colour of their mean, lighter.
    assert fraction(picture, (217, 234, 243)) > 0.005


def test_flops_draws_a_curve_that_falls_with_the_flops(tmp_path):
    falling = record("rigl", history={"flops": [1.0, 0.5, 0.1]})

    plots.flops([falling], tmp_path / "flops.png")

    rows, columns = np.nonzero(
        np.all(read(tmp_path / "flops.png") == np.array(BLUE), axis=-1)
    )
    in_axes = columns < 550  # the legend is to the right of them
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


@pytest.mark.few(1)
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


def test_densities_draw_dots_and_leave_the_dense_runs_out(tmp_path):
    densities = {"a": 1.0, "b": 0.1, "c": 0.01}
    runs = [record("dense"), record("set", densities=densities)]

    plots.densities(runs, tmp_path / "densities.png")

    assert fraction(read(tmp_path / "densities.png"), ORANGE) > 0.001


def test_active_draws_dots_of_counts(tmp_path):
    structure = {"a": {"active": 1000}, "b": {"active": 10}}
    runs = [record("dense"), record("set", structure=structure)]

    plots.active(runs, tmp_path / "active.png")

    assert fraction(read(tmp_path / "active.png"), ORANGE) > 0.0005


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


@pytest.mark.few(2)
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


def points(**of_method):
    """Records of methods: the accuracies of seeds at sparsity 0.9 and 0.8."""
    return [
        records.record(method, sparsity, seed, accuracy, **more)
        for method, (accuracies, more) in of_method.items()
        for sparsity in (0.8, 0.9)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_accuracy_by_density_has_a_panel_for_each_distribution(tmp_path):
    runs = points(rigl=((0.9, 0.8), {}), set=((0.7,), {}))
    plots.accuracy_by_density(runs, tmp_path / "one.png")
    runs += points(rigl=((0.6,), {"distribution": "uniform"}))
    runs += points(rigl=((0.6,), {"training_multiplier": 2}))
    plots.accuracy_by_density(runs, tmp_path / "three.png")

    one, three = read(tmp_path / "one.png"), read(tmp_path / "three.png")
    assert fraction(one, BLUE) > 0.001
    assert three.shape[0] > 1.5 * one.shape[0]  # two in a row
    assert three.shape[1] > 1.5 * one.shape[1]


def test_runs_with_other_settings_are_other_lines(tmp_path):
    runs = points(rigl=((0.9,), {"settings": {"ALPHA": 0.3}}))
    plots.accuracy_by_density(runs, tmp_path / "one.png")
    runs += points(rigl=((0.5,), {"settings": {"ALPHA": 0.1}}))
    plots.accuracy_by_density(runs, tmp_path / "two.png")

    # Without other methods, the second line has the next colour.
    assert fraction(read(tmp_path / "one.png"), ORANGE) < 1e-5
    assert fraction(read(tmp_path / "two.png"), ORANGE) > 0.0003


def test_what_knows_no_distribution_is_only_among_runs_as_long(tmp_path):
    runs = points(rigl=((0.9,), {}))
    runs += points(rigl=((0.9,), {"training_multiplier": 2}))
    plots.accuracy_by_density(runs, tmp_path / "without.png")
    runs += points(small_dense=((0.5,), {"distribution": ""}))
    plots.accuracy_by_density(runs, tmp_path / "with.png")

    picture = read(tmp_path / "with.png")
    width = picture.shape[1]  # the legend takes the last fifth
    small_dense = np.array(matplotlib.colors.to_rgb(styles.COLOURS[5])) * 255
    assert fraction(picture[:, : width * 2 // 5], small_dense) > 0.0003
    second = picture[:, width // 2 : width * 3 // 4]
    assert fraction(second, small_dense) < 1e-5
    assert fraction(second, BLUE) > 0.0003


def test_a_long_label_leaves_the_panel_its_room(tmp_path):
    figure, axes = figures.new_figure(1, 1, width=4.5)
    label = "set Cosine.final=0.3 Method.exclude=['logits'] Method.storage=x"
    axes[0, 0].plot([0, 1], [0, 1], label=label)

    figures.save(figure, tmp_path / "figure.png", "Is there room?")

    assert axes[0, 0].get_position().width > 0.35


def test_the_dense_network_is_a_line_across(tmp_path):
    runs = points(rigl=((0.9,), {}))
    plots.accuracy_by_density(runs, tmp_path / "without.png")
    runs.append(records.record("dense", 0.0))
    plots.accuracy_by_density(runs, tmp_path / "with.png")

    def num_lines(name):
        dark = np.all(read(tmp_path / name) < 100, axis=-1)
        return np.sum(dark.mean(axis=1) > 0.3)

    assert num_lines("with.png") > num_lines("without.png")


def run(method, sparsity, validated, rate=0.1, **checks):
    """A record of all that figures draw, with or without validation data."""
    name = "val_accuracy" if validated else "accuracy"
    ticket = {
        "before": {"accuracy": 0.7},
        "checks": {n: {"accuracy": value} for n, value in checks.items()},
        "search": {
            "sparsity": [0.0, 0.5, 0.9],
            "bound": [0.3, 0.6, 0.9],
            name: [0.2, 0.5, 0.7],
        },
    }
    return records.record(
        method,
        sparsity,
        history={
            name: [0.5, 0.9],
            "flops": [1.0, 0.2],
            "density/dense1": [0.5, 0.1],
        },
        structure={"dense1": {"active": 100}},
        settings={"LEARNING_RATE": rate, "ALPHA": sparsity, "INTERVAL": 100},
        ticket={} if method == "dense" else ticket,
    )


def drawn(name, runs, path):
    """The share of coloured pixels of a figure."""
    if name == "density_over_time":
        runs = runs[0]
    getattr(plots, name)(runs, path)
    return np.mean(np.ptp(read(path), axis=-1) > 60)


# Masks are of models.
FIGURES = sorted(
    name
    for name, value in vars(plots).items()
    if callable(value) and name != "masks"
)


@pytest.mark.few(3)
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("validated", [True, False])
def test_every_figure_is_drawn_of_runs_of_tickets(name, validated, tmp_path):
    runs = [
        run("gem_miner", 0.9, validated, shuffle=0.5),
        run("gem_miner", 0.8, validated, 0.01, shuffle=0.6, invert=0.2),
        run("snip", 0.8, validated, reinitialize=0.4),
        run("dense", 0.0, validated),
    ]
    if name == "trials" and not validated:
        with pytest.raises(ValueError, match="without validation data"):
            drawn(name, runs, tmp_path / "drawn.png")
    else:
        assert drawn(name, runs, tmp_path / "drawn.png") > 0.0003


def test_a_ticket_is_drawn_at_the_density_that_it_has(tmp_path):
    def drawn(density):
        found = [run("gem_miner", s, True, shuffle=0.5) for s in (0.9, 0.8)]
        if density is not None:
            found[0].ticket["density"] = density
        plots.accuracy_by_density(found, tmp_path / "drawn.png")
        return read(tmp_path / "drawn.png")

    np.testing.assert_array_equal(drawn(None), drawn(1 - 0.9))
    assert np.any(drawn(None) != drawn(0.05))


def test_dense_runs_and_imp_are_lines_across_a_search(tmp_path):
    runs = [run("gem_miner", 0.9, False)]
    plots.search(runs, tmp_path / "alone.png")
    imp = run("imp", 0.9, False)
    imp.ticket["search"] = {"density": [1.0, 0.5], "accuracy": [0.8, 0.7]}
    plots.search([*runs, imp], tmp_path / "beside.png")

    assert fraction(read(tmp_path / "alone.png"), BLUE) == 0
    assert fraction(read(tmp_path / "beside.png"), BLUE) > 0.0003  # imp


def test_without_validation_data_no_setting_is_the_best(tmp_path):
    runs = [
        dataclasses.replace(
            run("rigl", 0.9, False), settings={"LEARNING_RATE": 0.1, "T": t}
        )
        for t in (1, 2)
    ]
    with pytest.raises(ValueError, match="without validation data"):
        plots.accuracy_by_learning_rate(runs, tmp_path / "rates.png")


def test_a_learning_rate_counts_with_the_best_of_other_settings(tmp_path):
    def run(rate, interval, accuracy):
        return records.record(
            accuracy=accuracy,
            settings={"LEARNING_RATE": rate, "INTERVAL": interval},
        )

    best = [run(0.1, 50, 0.9), run(0.01, 90, 0.8)]
    plots.accuracy_by_learning_rate(best, tmp_path / "best.png")
    worse = [run(0.1, 90, 0.5), run(0.01, 50, 0.4)]
    plots.accuracy_by_learning_rate(best + worse, tmp_path / "all.png")

    np.testing.assert_array_equal(
        read(tmp_path / "best.png"), read(tmp_path / "all.png")
    )


def test_the_best_trial_and_the_reference_are_marked(tmp_path):
    runs = [
        records.record(
            accuracy=1 - abs(alpha - 0.4) - interval / 1000,
            settings={"ALPHA": alpha, "INTERVAL": interval},
        )
        for alpha in (0.2, 0.4, 0.6)
        for interval in (50, 100, 150)
    ]
    plots.trials(runs, tmp_path / "trials.png", reference=(0.3, 100))

    picture = read(tmp_path / "trials.png")
    yellow = np.all(picture > (200, 180, 0), axis=-1) & (picture[..., 2] < 100)
    dots = yellow[:, :360]  # without the colour bar
    assert 0.0001 < dots.mean() < 0.02, "The best is bright."
    down, _ = np.argwhere(dots).T
    assert down.mean() > len(picture) / 2, "Short intervals were the best ones."


def test_trials_in_a_row_are_dots(tmp_path):
    runs = [
        records.record(settings={"ALPHA": alpha, "INTERVAL": 100})
        for alpha in (0.2, 0.4)
    ]
    plots.trials(runs, tmp_path / "trials.png")

    assert read(tmp_path / "trials.png").size


def test_a_setting_without_trials_has_an_empty_panel(tmp_path):
    runs = [
        records.record(
            sparsity=sparsity,
            distribution=distribution,
            settings={"ALPHA": 0.2, "INTERVAL": 100},
        )
        for sparsity, distribution in [
            (0.8, "uniform"),
            (0.9, "uniform"),
            (0.8, "erdos_renyi"),
        ]
    ]
    plots.trials(runs, tmp_path / "trials.png")

    assert read(tmp_path / "trials.png").size


@pytest.mark.filterwarnings("error")
def test_one_sparsity_has_an_axis_of_densities(tmp_path):
    plots.accuracy_by_density([record("rigl", 0.9)], tmp_path / "p.png")

    assert fraction(read(tmp_path / "p.png"), (255, 255, 255)) < 0.99


def test_densities_that_are_all_the_same_have_an_axis(tmp_path):
    history = {"density/a": [0.1, 0.1], "density/b": [0.1, 0.1]}
    plots.density_over_time(
        record("static", history=history), tmp_path / "p.png"
    )

    assert fraction(read(tmp_path / "p.png"), (255, 255, 255)) < 0.99


@pytest.mark.parametrize(
    ("number", "labels"), [(0, 0), (60, 60), (61, 31), (5000, 60)]
)
def test_of_many_kernels_few_have_a_label(number, labels):
    names = range(number)

    assert len(names[:: figures.label_step(names)]) == labels


def test_seeds_with_other_sanity_checks_are_drawn_together(tmp_path):
    runs = [
        run("snip", 0.8, True, shuffle=0.5),
        run("snip", 0.9, True, shuffle=0.5),
        dataclasses.replace(run("snip", 0.9, True), seed=1),
        dataclasses.replace(run("snip", 0.9, True, invert=0.3), seed=2),
        dataclasses.replace(run("snip", 0.9, True, own_check=0.4), seed=3),
    ]

    assert drawn("checks_by_density", runs, tmp_path / "checks.png") > 0


def test_a_ticket_without_an_accuracy_before_training_is_left_out(tmp_path):
    runs = [run("snip", s, True) for s in (0.9, 0.8, 0.7)]
    runs[1].ticket["before"] = {"loss": 2.0}

    assert drawn("before_by_density", runs, tmp_path / "before.png") > 0


@pytest.mark.parametrize(
    "name", ["$\\frac{$", "$x$", "a\x1b[2J", "\ud800", "a\nb"]
)
def test_a_name_in_a_figure_is_text(name, tmp_path):
    runs = [run(name, s, True, **{name: 0.5}) for s in (0.9, 0.8)]

    for figure in ("checks_by_density", "accuracy_by_density", "accuracy"):
        assert drawn(figure, runs, tmp_path / f"{figure}.png") > 0
