"""Tests of the tables of records."""

import dataclasses

from rigl_tf.results import reports
from tests.records import record


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_has_the_rows_worked_out_by_hand():
    runs = [
        record(seed=0, accuracy=0.90),
        record(seed=1, accuracy=0.92),
        record(seed=2, accuracy=0.97),
        record("dense", 0.0, accuracy=0.95),
    ]

    header, rule, *rows = reports.table(runs).splitlines()

    assert cells(header)[:5] == [
        "task",
        "method",
        "distribution",
        "sparsity",
        "test accuracy, %",
    ]
    assert set(rule) == {"|", "-"}
    # 200 / 1000 and 700 / 3000; one seed has no deviation.
    costs = ["1,100", "0.2000x", "0.2333x"]
    assert cells(rows[0]) == ["digits", "dense", "", "0", "95.00", "1", *costs]
    # Mean 93; sqrt((9 + 1 + 16) / 2) = 3.61 over n - 1.
    assert cells(rows[1]) == [
        "digits",
        "rigl",
        "ERK",
        "0.9",
        "93.00 ± 3.61",
        "3",
        *costs,
    ]


def test_the_search_of_a_ticket_has_a_column_and_is_added():
    costs = {
        "inference": 200,
        "inference_dense": 1000,
        "search": 900,
        "training": 600,
        "training_dense": 3000,
    }
    runs = [record("imp"), record("dense", 0.0)]
    runs[0] = dataclasses.replace(runs[0], flops=costs)

    header, _, *rows = map(cells, reports.table(runs).splitlines())

    assert header[-4:] == [
        "FLOPs inference",
        "FLOPs search",
        "FLOPs training",
        "FLOPs total",
    ]
    assert rows[0][-4:] == ["0.2000x", "0.0000x", "0.2333x", "0.2333x"]
    assert rows[1][-4:] == ["0.2000x", "0.3000x", "0.2000x", "0.5000x"]


def test_the_table_is_aligned():
    lines = reports.table([record(), record("dense", 0.0)]).splitlines()

    assert len({len(line) for line in lines}) == 1


def test_a_comparison_has_methods_down_and_settings_across():
    runs = [
        record("dense", 0.0, distribution="", accuracy=0.95),
        record("small_dense", 0.9, distribution="", accuracy=0.8),
        record("rigl", 0.9, accuracy=0.90),
        record("rigl", 0.9, seed=1, accuracy=0.92),
        record("rigl", 0.98, accuracy=0.7),
        record("set", 0.98, distribution="uniform", accuracy=0.6),
    ]

    header, _, *rows = reports.comparison(runs).splitlines()

    assert cells(header)[1:] == [
        "0.9 ERK",
        "0.98 ERK",
        "0.9 uniform",
        "0.98 uniform",
    ]
    assert [cells(row) for row in rows] == [
        ["dense", "95.00", "95.00", "95.00", "95.00"],
        ["rigl", "91.00 ± 1.41", "70.00", "", ""],
        ["small_dense", "80.00", "", "80.00", ""],
        ["set", "", "", "", "60.00"],
    ]


def test_a_setting_in_which_nothing_was_run_has_no_column():
    runs = [
        record("rigl", 0.9),
        record("rigl", 0.95, distribution="uniform"),
        record("dense", 0.0),
    ]

    header, *_ = reports.comparison(runs).splitlines()

    assert cells(header)[1:] == ["0.9 ERK", "0.95 uniform"]


def test_a_learning_rate_counts_with_what_is_best_on_validation_data():
    def run(rate, interval, test, validated):
        return record(
            accuracy=test,
            history={"val_accuracy": [0.99, validated]},
            settings={"LEARNING_RATE": rate, "INTERVAL": interval},
        )

    runs = [
        run(0.1, 50, test=0.91, validated=0.7),
        run(0.1, 90, test=0.85, validated=0.8),
        run(0.01, 50, test=0.60, validated=0.6),
    ]

    header, _, row = reports.learning_rates(runs).splitlines()

    assert cells(header) == ["learning rate", "0.01", "0.1"]
    assert cells(row) == ["rigl 0.9 ERK", "60.00", "85.00"]
