"""Tests of colours and lines in figures."""

import pathlib
import re

import numpy as np
import pytest

import rigl_tf
from rigl_tf.results import plots
from rigl_tf.results.plots import figures
from rigl_tf.results.plots import styles
from tests.records import record

CONFIGS = pathlib.Path(rigl_tf.__file__).parents[1] / "gin_configs"


def named_methods():
    texts = [path.read_text() for path in CONFIGS.glob("**/methods/*.gin")]
    names = {
        name
        for text in texts
        for name in re.findall(r'(?m)(?:^ +|\.)name = "(\w+)"', text)
    }
    return sorted(names - {"dense"})


def series(*methods):
    return {method: [record(method)] for method in methods}


def test_every_method_has_its_own_style():
    assert len(named_methods()) > 40
    assert set(named_methods()) <= set(styles.METHODS)
    everything = [styles.of_method(name) for name in ("dense", *styles.METHODS)]
    assert len(set(everything)) == len(everything)
    assert styles.GREY not in everything


def test_no_two_of_the_first_methods_share_a_colour():
    first = styles.METHODS[: len(styles.COLOURS)]
    colours = {styles.of_method(name).colour for name in ("dense", *first)}
    assert len(colours) == 1 + len(first)


def test_a_method_has_the_same_style_in_every_company():
    alone = styles.choose(series("snip"))
    among = styles.choose(series("dense", "rigl", "set", "snip"))
    assert alone["snip"] == among["snip"]
    assert styles.of_method("mine") == styles.of_method("mine")


def test_more_than_six_series_are_grey_and_named_together():
    runs = {f"m{i}": [record(f"m{i}", accuracy=0.1 * i)] for i in range(8)}
    styled = styles.choose(runs | {"dense": [record("dense", accuracy=0.0)]})

    grey = [label for label in styled if styled[label][0] == styles.GREY]
    assert sorted(grey) == ["m0", "m1", "m2"]
    assert {styled[label][1] for label in grey} == {"others: m0, m1, m2"}
    assert len({style for style, _ in styled.values()}) == 7


def test_settings_of_a_method_are_lines_beside_others_and_colours_alone():
    def runs(*intervals):
        return {
            f"rigl INTERVAL={i}": [record(settings={"INTERVAL": i})]
            for i in intervals
        }

    beside = styles.choose(runs(1, 2) | series("set"))
    alone = styles.choose(runs(1, 2))
    first, second = (beside[f"rigl INTERVAL={i}"][0] for i in (1, 2))
    assert first.colour == second.colour and first.line != second.line
    first, second = (alone[f"rigl INTERVAL={i}"][0] for i in (1, 2))
    assert first.colour != second.colour and first.line == second.line


def axis(*accuracies):
    figure, axes = figures.new_figure(1, 1)
    panel = axes[0, 0]
    panel.plot(accuracies, accuracies)
    figures.accuracy_axis(panel.yaxis, accuracies)
    figure.canvas.draw()
    transform = panel.yaxis.get_transform()
    return lambda accuracy: float(transform.transform(accuracy))


def test_accuracies_are_spaced_by_their_errors():
    place = axis(60.0, 99.5)

    eighty = place(90) - place(80)
    assert place(99) - place(98) == pytest.approx(eighty, rel=0.1)
    assert np.isfinite(place(100)) and place(100) > place(99.9)
    plain = axis(97.0, 98.0)
    assert plain(98) - plain(97) == pytest.approx(plain(97) - plain(96))


def test_every_figure_asks_a_question(monkeypatch, tmp_path):
    asked = []
    save = figures.save

    def keep(figure, path, question):
        asked.append(question)
        save(figure, path, question)

    monkeypatch.setattr(figures, "save", keep)
    run = record(
        history={"val_accuracy": [0.5], "kept": [1.0], "density/a": [0.1]},
        settings={"LEARNING_RATE": 0.1, "ALPHA": 0.3, "INTERVAL": 5},
        ticket={
            "before": {"accuracy": 0.1},
            "checks": {},
            "search": {},
        },
    )
    names = [name for name in dir(plots) if callable(getattr(plots, name))]
    for name in sorted(set(names) - {"masks"}):
        runs = run if name == "density_over_time" else [run]
        getattr(plots, name)(runs, tmp_path / f"{name}.png")

    assert len(asked) == len(set(asked)) == len(names) - 1
    assert all(question.partition("\n")[0].endswith("?") for question in asked)
