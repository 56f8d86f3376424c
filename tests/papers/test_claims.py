"""Tests of claims and of the verdicts on them."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rigl_tf.papers import claims
from rigl_tf.papers import table_runs
from rigl_tf.papers import verdicts

CLAIM = """
seeds = 3
[checks]
rigl = ["shuffle"]
[choices]
sparsity = 0.5
seeds = [7]
[choices.methods]
default = [["LEARNING_RATE = 0.1"], ["LEARNING_RATE = 0.2"]]
[[claim]]
text = "RigL is more accurate than SET."
where = "A paper, Table 1"
tasks = ["digits_mlp"]
sparsity = [0.9, 0.98]
first = { method = "rigl" }
second = { method = "set", set = { DISTRIBUTION = '"uniform_all"' } }
[[claim]]
text = "RigL trains ImageNet."
where = "A paper, Table 2"
untested = "the data are not available."
"""


@pytest.fixture
def read(tmp_path):
    def read(text=CLAIM):
        path = tmp_path / "claims.toml"
        path.write_text(text)
        return claims.read(path)

    return read


def test_the_runs_of_a_claim_are_trials_and_those_of_both_sides(read):
    runs = read()["1"].all_runs()
    paths = [str(run.path) for run in runs]

    assert paths[:3] == [
        "digits_mlp/rigl/trials/LEARNING_RATE=0.1/sparsity=0.5/seed=7",
        "digits_mlp/rigl/trials/LEARNING_RATE=0.2/sparsity=0.5/seed=7",
        "digits_mlp/rigl/sparsity=0.9/seed=0",
    ]
    assert paths[-6:] == [
        f"digits_mlp/set/uniform_all/sparsity={sparsity}/seed={seed}"
        for sparsity in (0.9, 0.98)
        for seed in range(3)
    ]
    assert len(paths) == 2 * (2 + 2 * 3)
    assert runs[2].settings == ("CHECKS = ['shuffle']",)
    assert [way[0] for way in runs[2].tried] == runs[:2]
    assert read()["2"].all_runs() == []


def test_runs_from_other_runs_come_after_them(read):
    text = CLAIM.replace(
        '{ method = "rigl" }', '{ method = "rigl_reinit", source = "rigl" }'
    )
    runs = read(text)["1"].all_runs()

    assert [run.level for run in runs[:4]] == [0, 0, 1, 2]
    assert runs[3].source == runs[2]
    assert str(runs[3].path) == (
        "digits_mlp/rigl_reinit/source=rigl/sparsity=0.9/seed=0"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rigl" }', '"rigl", metric = "luck" }', "metric='luck'"),
        ('"rigl" }', '"rigl", sparsity = [0.5] }', "has another length"),
        ("untested", "untestd", "untestd"),
        ("sparsity = [", 'expected = "x"\nsparsity = [', "expected='x'"),
        ("[[claim]]", "[claim", "is not TOML"),
        ('first = { method = "rigl" }', "", "or `untested`"),
    ],
)
def test_a_file_with_a_fault_is_refused(read, old, new, message):
    with pytest.raises(ValueError, match=message):
        read(CLAIM.replace(old, new, 1))


# As accuracies are printed: SciPy divides by the mean, which must not be tiny.
ACCURACIES = st.integers(0, 10_000).map(lambda number: number / 100)
VALUES = st.lists(ACCURACIES, min_size=2, max_size=8)


@given(VALUES, st.data())
def test_intervals_and_p_values_are_those_of_the_paired_t_test(first, data):
    same = st.lists(ACCURACIES, min_size=len(first), max_size=len(first))
    second = data.draw(same)
    found = verdicts.Difference(first, second)
    pairs = [a - b for a, b in zip(first, second, strict=True)]
    if max(pairs) - min(pairs) < 1e-3:
        return

    test = stats.ttest_rel(first, second)

    assert found.p_value == pytest.approx(test.pvalue)
    assert found.interval == pytest.approx(test.confidence_interval(0.95))
    low, high = found.interval
    assert found.shows("higher", 0) is (
        True
        if found.interval[0] > 0
        else False
        if found.interval[1] <= 0
        else None
    )
    opposite = verdicts.Difference(second, first)
    assert found.shows("higher", 1) == opposite.shows("lower", 1)


@pytest.mark.parametrize(
    ("first", "expected", "shown"),
    [
        ([5.0, 5.1, 5.2], "higher", True),
        ([5.0, 5.1, 5.2], "lower", False),
        ([5.0, 5.1, 5.2], "same", False),
        ([5.0, 5.1, 5.2], "not lower", True),
        ([-5.0, -5.1, -5.2], "not lower", False),
        ([0.0, 0.1, 0.2], "same", True),
        ([0.0, 0.1, -0.1], "higher", None),
        ([-9.0, 9.0, 0.0], "same", None),
        ([0.0, 0.0, 0.0], "same", True),
        ([0.0, 0.0, 0.0], "higher", False),
        ([9.0], "higher", None),
    ],
)
def test_what_a_difference_shows(first, expected, shown):
    found = verdicts.Difference(first, [0.0] * len(first))

    assert found.shows(expected, margin=1.0) is shown


def test_equal_differences_have_no_doubt():
    found = verdicts.Difference([1.0, 2.0], [0.0, 1.0])

    assert (found.interval, found.p_value) == ((1.0, 1.0), 0.0)
    assert verdicts.Difference([1.0], [1.0]).p_value is math.nan
    assert verdicts.Difference([1.0, 1.0], [1.0, 1.0]).p_value == 1.0


def test_verdicts():
    assert [
        verdicts.verdict(shown)
        for shown in ([True], [True, False], [None, False], [None], [])
    ] == [
        "holds",
        "holds in part",
        "does not hold",
        "undecided",
        "undecided",
    ]


def test_every_claim_has_runs_of_files_that_are_there_or_a_reason():
    runs = set()
    for number, claim in claims.read().items():
        found = claim.all_runs()
        assert bool(found) != bool(claim.untested), number
        runs |= {dataclasses.replace(run, tried=(), seed=0) for run in found}
    for run in runs:
        task, *_ = table_runs.describe(run)
        assert task == run.task
