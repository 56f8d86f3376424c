"""Tests of what runs have in common."""

import dataclasses

from rigl_tf.results import grouping
from tests.records import record


def test_a_kind_says_all_that_a_seed_does_not():
    assert str(grouping.group_key(record("rigl", 0.9))) == "rigl 0.9 ERK"
    assert str(grouping.group_key(record("dense", 0.0))) == "dense"
    assert (
        str(
            grouping.group_key(
                record(
                    "rigl", 0.95, distribution="uniform", training_multiplier=2
                )
            )
        )
        == "rigl_2x 0.95 uniform"
    )


def test_groups_go_by_task_then_sparsity_then_method():
    runs = [
        record("set", 0.98),
        record("rigl", 0.98),
        record("set", 0.9),
        record("dense", 0.0, task="mnist"),
        record("dense", 0.0),
        record("set", 0.98, seed=1),
    ]

    groups = grouping.group(runs)

    assert [f"{kind.task} {kind}" for kind in groups] == [
        "digits dense",
        "digits set 0.9 ERK",
        "digits rigl 0.98 ERK",
        "digits set 0.98 ERK",
        "mnist dense",
    ]
    assert [run.seed for run in groups[grouping.group_key(runs[0])]] == [0, 1]


def test_copies_of_a_run_count_once():
    nan = {"val_loss": [float("nan")]}
    runs = [
        record(seed=0, history=nan),
        record(seed=0, history=nan | {}, provenance={"date": "today"}),
        record(seed=1, history=nan),
        record(seed=1, accuracy=0.8, history=nan),
    ]
    runs[1] = dataclasses.replace(runs[1], seconds=99.0)

    (group,) = grouping.group(runs).values()

    assert group == [runs[0], *runs[2:]]
    assert grouping.conflicts(runs) == [runs[2:]]


def test_settings_tell_runs_apart_where_they_differ():
    runs = [
        record(settings={"ALPHA": 0.3, "INTERVAL": 50, "SEED": 0}),
        record(settings={"ALPHA": 0.3, "INTERVAL": 90, "SEED": 1}, seed=1),
        record("set", settings={"ALPHA": 0.5, "INTERVAL": 50}),
    ]

    groups = grouping.group(runs)

    assert [kind.label for kind in groups] == [
        "rigl INTERVAL=50",
        "rigl INTERVAL=90",
        "set",
    ]


def test_tickets_with_densities_of_a_distribution_are_told_apart():
    runs = [
        record("random", distribution="", settings={"DISTRIBUTION": name})
        for name in ("erdos_renyi", "uniform_all")
    ]

    assert [kind.label for kind in grouping.group(runs)] == [
        "random DISTRIBUTION=erdos_renyi",
        "random DISTRIBUTION=uniform_all",
    ]


def test_a_source_of_the_same_seed_is_no_difference():
    runs = [
        record(seed=seed, settings={"SOURCE": f"runs/a/seed={seed}"})
        for seed in (0, 1)
    ]

    assert [len(group) for group in grouping.group(runs).values()] == [2]


def test_sources_are_told_apart_by_where_they_differ():
    runs = [
        record(settings={"SOURCE": f"/runs/{name}/sparsity=0.9/seed=0"})
        for name in ("sm", "sm/uniform")
    ]

    assert [kind.label for kind in grouping.group(runs)] == [
        "rigl SOURCE=sm",
        "rigl SOURCE=sm/uniform",
    ]


def test_a_record_of_before_settings_were_kept_stands_alone():
    groups = grouping.group([record(), record(settings={"ALPHA": 0.1})])

    assert [kind.label for kind in groups] == ["rigl", "rigl ALPHA=0.1"]


def test_what_is_tuned_differs_among_runs_that_are_alike():
    runs = [
        record("rigl", settings={"ALPHA": 0.3, "EPOCHS": 3, "SEED": 0}),
        record("rigl", settings={"ALPHA": 0.4, "EPOCHS": 3, "SEED": 1}),
        record("set", settings={"ALPHA": 0.3, "EPOCHS": 5}),
    ]

    assert grouping.varied_settings(runs) == ["ALPHA"]
    assert grouping.varied_settings(runs[1:]) == []
