"""Tests of the comparison of our numbers with a paper's."""

import dataclasses
import math

import pytest

from rigl_tf import papers
from rigl_tf.papers import comparison
from tests.records import record

ITEM = papers.PaperItem(
    name="Table 1",
    description="two methods",
    rows=(
        papers.TableRow(
            "RigL",
            "mnist",
            "rigl",
            (0.9, 0.8),
            {},
            reported={
                "accuracy": (90.5, math.nan),
                "deviation": (0.25, math.nan),
                "inference": (0.1, 0.2),
            },
        ),
        papers.TableRow("Dense", "mnist", "dense", (), {}),
    ),
)


def test_each_number_stands_beside_the_papers():
    def found(row, number):
        if row.name == "Dense":
            return []
        accuracies = ((0.90, 0.92), (0.95,))[number]
        return [record(accuracy=accuracy) for accuracy in accuracies]

    head, *rows = comparison.compare(ITEM, found)

    assert head == (
        "row",
        "sparsity",
        "seeds",
        "accuracy, %",
        "accuracy, paper",
        "accuracy, difference",
        "FLOPs inference, x",
        "FLOPs inference, paper",
        "FLOPs inference, difference",
    )
    # 200 of 1000 FLOPs; 91 - 90.5; sqrt(2).
    flops = ("0.20 ± 0.00", "0.1", "+0.10"), ("0.20", "0.2", "+0.00")
    assert rows == [
        ("RigL", "0.9", "2", "91.00 ± 1.41", "90.5 ± 0.25", "+0.50", *flops[0]),
        ("Dense", "", "0", "not run", "", "", "not run", "", ""),
        ("RigL", "0.8", "1", "95.00", "", "", *flops[1]),
    ]


def test_on_another_task_a_difference_says_nothing():
    head, *rows = comparison.compare(
        ITEM, lambda row, number: [], with_difference=False
    )

    assert not any("difference" in title for title in head)
    assert {len(row) for row in rows} == {len(head)}


def test_a_number_in_doubt_is_shown_and_not_compared():
    rigl = dataclasses.replace(ITEM.rows[0], doubtful={"inference": (0.8,)})
    item = dataclasses.replace(ITEM, rows=(rigl,))

    head, certain, doubtful = comparison.compare(
        item, lambda row, number: [record()]
    )

    assert certain[-3:] == ("0.20", "0.1", "+0.10")
    assert doubtful[-3:] == ("0.20", "0.2 (in doubt)", "")


def test_columns_that_no_run_can_fill_are_quoted():
    rigl = papers.TableRow(
        "RigL",
        "mnist",
        "rigl",
        (0.9,),
        {},
        reported={
            "accuracy": (90.5,),
            "original": (91.0,),
            "wall_time": (1.0,),
        },
    )
    item = dataclasses.replace(ITEM, rows=(rigl, ITEM.rows[1]))

    head, row, dense = comparison.compare(item, lambda row, number: [])

    assert head[-2:] == (
        "accuracy of the first authors, paper",
        "wall time, x, paper",
    )
    assert row[-2:] == ("91.0", "1.0")
    assert dense[-2:] == ("", "")


def test_the_search_counts_as_training():
    costs = {**record().flops, "search": 600, "training": 300}
    found = dataclasses.replace(record(), flops=costs)

    assert comparison.METRICS["training"].value(found) == pytest.approx(0.3)


def test_what_the_paper_only_draws_has_no_column_for_it():
    item = dataclasses.replace(ITEM, rows=ITEM.rows[1:])

    head, _ = comparison.compare(item, lambda row, number: [])

    assert head == ("row", "sparsity", "seeds", "accuracy, %")


def test_means_are_over_the_tasks_that_were_run():
    item = papers.PaperItem(
        name="Table 2",
        description="means",
        rows=tuple(
            papers.TableRow("RigL", task, "rigl", (0.9,), {})
            for task in ("a", "b", "c")
        ),
        means={"RigL": (80.0,)},
    )
    accuracies = {"a": [0.7], "b": [0.8, 0.9], "c": []}

    def found(row, number):
        return [record(accuracy=accuracy) for accuracy in accuracies[row.task]]

    _, row = comparison.compare(item, found)

    # (70 + 85) / 2, which is no mean of three
    assert row == ("RigL", "0.9", "2 of 3", "77.50", "80.0", "")
    accuracies["c"] = [0.9]
    _, row = comparison.compare(item, found)
    assert row == ("RigL", "0.9", "3 of 3", "81.67", "80.0", "+1.67")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("before", 20),
        ("shuffle", 60),
        ("empty_outputs", 100 * 3 / 40),
        ("empty_inputs", 100 * 5 / 20),
        ("remaining", 0.9),
    ],
)
def test_metrics_are_of_the_record(name, expected):
    structure = {
        "a": {
            "outputs": 30,
            "empty_outputs": 3,
            "inputs": 10,
            "empty_inputs": 5,
            "remaining": 400_000,
        },
        "b": {
            "outputs": 10,
            "empty_outputs": 0,
            "inputs": 10,
            "empty_inputs": 0,
            "remaining": 500_000,
        },
    }
    ticket = {
        "before": {"accuracy": 0.2},
        "checks": {"shuffle": {"accuracy": 0.6}},
    }
    full = record(ticket=ticket, structure=structure)
    bare = record(structure={})

    assert comparison.METRICS[name].value(full) == pytest.approx(expected)
    assert comparison.METRICS[name].value(bare) is None


def test_a_mean_is_over_the_tasks_that_some_method_could_fit():
    def row(name, task, printed):
        printed = {"accuracy": printed} if printed else {}
        return papers.TableRow(
            name, task, name, (0.9, 0.99), {}, reported=printed
        )

    item = papers.PaperItem(
        name="Table 2",
        description="means",
        rows=(
            row("SET", "a", (60.0, "failed")),
            row("SET", "b", (70.0, "failed")),
            row("GGR", "a", (62.0, 50.0)),
            row("GGR", "b", (72.0, "failed")),
            row("new", "a", None),
            row("new", "b", None),
        ),
        means={"SET": (65.0, "failed"), "GGR": (67.0, 50.0), "new": (1, 2)},
    )

    _, *rows = comparison.compare(
        item, lambda row, number: [record(accuracy=0.5 if number else 0.7)]
    )

    assert rows == [
        ("SET", "0.9", "2 of 2", "70.00", "65.0", "+5.00"),
        ("GGR", "0.9", "2 of 2", "70.00", "67.0", "+3.00"),
        ("new", "0.9", "2 of 2", "70.00", "1", "+69.00"),
        ("SET", "0.99", "1 of 1", "50.00", "failed", ""),
        ("GGR", "0.99", "1 of 1", "50.00", "50.0", "+0.00"),
        ("new", "0.99", "1 of 1", "50.00", "2", "+48.00"),
    ]
