"""Schedules, against the numbers that the original codes printed."""

import inspect
import json
import math
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import rigl_tf
from rigl_tf.modeling import schedule_resolution
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.schedules import Alternating
from rigl_tf.sparsity.schedules import Constant
from rigl_tf.sparsity.schedules import ConstantSparsity
from rigl_tf.sparsity.schedules import Cosine
from rigl_tf.sparsity.schedules import InversePower
from rigl_tf.sparsity.schedules import PerLayer
from rigl_tf.sparsity.schedules import PiecewiseConstant
from rigl_tf.sparsity.schedules import PiecewiseSparsity
from rigl_tf.sparsity.schedules import PolynomialSparsity
from rigl_tf.sparsity.schedules import UpdateSchedule
from rigl_tf.training import longer_training

ROOT = pathlib.Path(__file__).parents[2]

few = settings(max_examples=60, deadline=None, derandomize=True)


def values(schedule, steps):
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize(
    "schedule, expected",
    [
        # Of the original code.
        (
            Cosine(0.3, 0, 100),
            {0: 0.3, 10: 0.2926585, 25: 0.256066, 50: 0.15, 75: 0.043934}
            | {90: 0.0073415, 100: 0, 101: 0, 10**9: 0},
        ),
        (
            Cosine(0.3, end_step=25000),
            {100: 0.2999882, 12500: 0.15, 24900: 1.18e-5},
        ),
        (
            InversePower(0.3, 1, 0, 100),
            {0: 0.3, 25: 0.225, 50: 0.15, 75: 0.075, 100: 0},
        ),
        (
            InversePower(0.3, 3, 0, 100),
            {0: 0.3, 25: 0.1265625, 50: 0.0375, 75: 0.0046875, 100: 0},
        ),
        (InversePower(0.3, 3, 20, 100), {20: 0.3, 60: 0.0375, 100: 0}),
        (InversePower(0.3, 0.5, 0, 100), {75: 0.15, 200: 0}),
        (
            PolynomialSparsity(0.98, 0, 2000, 30000),
            {0: 0, 2000: 0, 9000: 0.5665625, 16000: 0.8575}
            | {23000: 0.9646875, 30000: 0.98, 99999: 0.98},
        ),
        (PolynomialSparsity(0.9, 0, 20000, 75000), {47500: 0.7875}),
        (PolynomialSparsity(0.95, 0, 3000, 7000), {5000: 0.83125}),
        # Of the reproduction.
        (
            Cosine(0.3, 0, 65918),
            {0: 0.3, 99: 0.29999833, 16479: 0.25606854, 32959: 0.15}
            | {49438: 0.04393651, 65917: 1.7e-10},
        ),
        (
            PolynomialSparsity(0.9, 0, 700, 65918),
            {800: 0.00413362, 17004: 0.52030086, 33309: 0.7875}
            | {49613: 0.88593621, 65898: 0.9},
        ),
        (Constant(0.4), {0: 0.4, 10**9: 0.4}),
        # Worked out by hand.
        (
            Cosine(0.3, 0, 100, final=0.1),
            {0: 0.3, 50: 0.2, 100: 0.1, 10**9: 0.1},
        ),
        (
            Cosine(0.1, 0, 100, final=0.5),  # rises
            {0: 0.1, 50: 0.3, 100: 0.5},
        ),
        (
            InversePower(0.5, 2, 0, 100, final=0.1),
            {0: 0.5, 50: 0.2, 100: 0.1, 10**9: 0.1},
        ),
        (
            PiecewiseConstant({0: 0.3, 100: 0.1, 200: 0.0}),
            {0: 0.3, 99: 0.3, 100: 0.1, 199: 0.1, 200: 0, 10**9: 0},
        ),
        (
            PiecewiseConstant({50: 0.2, 0: 0.4}),
            {49: 0.4, 50: 0.2},
        ),  # in any order
        (ConstantSparsity(0.9), {0: 0.9, 10**9: 0.9}),
    ],
    ids=str,
)
def test_values_equal_those_of_the_original_codes(schedule, expected):
    # Their digits end at the sixth to the eighth.
    assert values(schedule, expected) == pytest.approx(
        list(expected.values()), rel=1e-7, abs=6e-7
    )


def test_the_cosine_starts_at_begin_step_unlike_the_originals():
    # The original measures from step 0, so that at step 20 it is down to
    # 0.256066, and 0 from step 80 on.
    schedule = Cosine(0.3, begin_step=20, end_step=100)

    assert values(schedule, [0, 20, 60, 100]) == pytest.approx(
        [0.3, 0.3, 0.15, 0], abs=1e-12
    )


@pytest.mark.parametrize(
    "schedule, due",
    [
        (UpdateSchedule(2, 3, 7), [4, 6]),
        (UpdateSchedule(3, 1, 5), [3]),
        (UpdateSchedule(1, 0, 4), [1, 2, 3]),  # never at 0
        (UpdateSchedule(4, 4, 8), [4]),  # end_step is left out
        (UpdateSchedule(4, 4, 9), [4, 8]),
        (UpdateSchedule(5), [5, 10]),
        (UpdateSchedule(1, 6, 6), []),
        (UpdateSchedule(20), []),
    ],
    ids=str,
)
def test_updates_are_due_at_multiples_of_the_interval(schedule, due):
    assert [step for step in range(12) if schedule(step)] == due
    assert list(schedule.steps(0, 12)) == due


def test_the_reproduction_updates_659_times():
    schedule = UpdateSchedule(interval=100, end_step=65918)

    due = schedule.steps(0, 88_000)

    assert (len(due), due[0], due[-1]) == (659, 100, 65900)


steps = st.integers(0, 60)


@few
@given(st.integers(1, 15), steps, steps | st.none(), steps, steps)
def test_the_steps_listed_are_those_that_are_due(interval, a, b, start, stop):
    begin, end = (a, b) if b is None or a <= b else (b, a)
    schedule = UpdateSchedule(interval, begin, end)

    assert list(schedule.steps(start, stop)) == [
        step for step in range(start, stop) if schedule(step)
    ]


@pytest.mark.few(8)
@pytest.mark.parametrize(
    "schedule",
    [
        UpdateSchedule(3, 4, 20),
        UpdateSchedule(2),
        Constant(0.2),
        Cosine(0.3, 3, 17),
        InversePower(0.3, 0.7, 3, 17),
        Cosine(0.3, 3, 17, final=0.05),
        InversePower(0.3, 0.7, 3, 17, final=0.05),
        PiecewiseConstant({0: 0.3, 7: 0.123456789, 20: 0.0}),
        PerLayer(
            {
                "conv": Cosine(0.3, 3, 17),
                "*": PiecewiseConstant({0: 0.2, 9: 0.1}),
            }
        ),
        ConstantSparsity(0.9),
        PolynomialSparsity(0.9, 0.1, 3, 17, power=2.5),
        PolynomialSparsity(0.9, 0.1, 5, 5),
    ],
    ids=str,
)
def test_a_tensor_in_a_graph_gives_what_a_number_gives(schedule):
    graph = tf.function(
        schedule.__call__,
        input_signature=[tf.TensorSpec([], tf.int64)],
    )

    for step in range(22):
        expected = pytest.approx(float(schedule(step)), rel=1e-12, abs=1e-15)
        assert float(graph(step)) == expected
        assert float(schedule(np.int64(step))) == expected


@pytest.mark.parametrize("schedule", [Constant(0.7), ConstantSparsity(0.7)])
def test_a_constant_is_not_rounded_to_32_bits_by_a_cast(schedule):
    # A fraction of 0.7 in 32 bits is less than that: floor gives 6, not 7.
    fraction = tf.cast(schedule(0), tf.float64)

    assert float(tf.floor(fraction * 10)) == 7


@pytest.mark.parametrize(
    "schedule",
    [
        UpdateSchedule(7, 1, 9),
        Constant(0.2),
        Cosine(0.3),
        InversePower(0.3, 2.0, 3),
        Cosine(0.3, final=0.1),
        InversePower(0.3, final=0.1),
        PiecewiseConstant({0: 0.3, 1000: 0.1}),
        PerLayer(
            {"conv*": PiecewiseConstant({0: 0.3, 1000: 0.1}), "*": Cosine(0.2)}
        ),
        ConstantSparsity(0.9),
        PolynomialSparsity(0.5, 0.9, 3, 17, 2.5, True),
        PiecewiseSparsity({0: 0.5, 10: 0.8}),
    ],
    ids=str,
)
def test_a_schedule_comes_back_from_its_keras_configuration(schedule):
    saved = json.dumps(keras.saving.serialize_keras_object(schedule))

    assert keras.saving.deserialize_keras_object(json.loads(saved)) == schedule


def test_schedules_of_layers_and_steps_come_back_from_a_file(data, tmp_path):
    drop_fraction = PerLayer(
        {
            "first": PiecewiseConstant({0: 0.3, 3: 0.1}),
            "*": Cosine(0.2, final=0.1),
        }
    )
    network = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Dense(20, name="first"),
            keras.layers.Dense(2),
        ]
    )
    model = rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.SET(),
        sparsity=0.5,
        schedule=UpdateSchedule(2, end_step=40),
        drop_fraction=drop_fraction,
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(*data, batch_size=40, verbose=0)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    # The first `fit` has filled in the steps of the cosine.
    assert loaded.drop_fraction == PerLayer(
        {
            "first": PiecewiseConstant({0: 0.3, 3: 0.1}),
            "*": Cosine(0.2, 0, 40, final=0.1),
        }
    )
    loaded.fit(*data, batch_size=40, verbose=0)
    assert int(loaded.num_updates) == 4
    # At step 10, the cosine is above the 0.1 of the first layer.
    assert 0.15 < loaded.current_drop_fraction() < 0.2


def test_the_first_pattern_that_matches_a_kernel_counts():
    schedule = PerLayer(
        {"block": Constant(0.1), "b*": Constant(0.2), "*": Constant(0.3)}
    )

    names = ["block/conv", "block", "bottom", "dense"]
    values = schedules.fractions(schedule, 0, names)

    assert [float(value) for value in values] == [0.1, 0.1, 0.2, 0.3]


def test_without_a_name_the_largest_fraction_is_given():
    schedule = PerLayer(
        {"a": Constant(0.1), "*": PiecewiseConstant({0: 0.0, 5: 0.4})}
    )

    assert values(schedule, [0, 5]) == [0.1, 0.4]


def test_a_longer_training_ends_later_in_all_layers():
    schedule = PerLayer(
        {"a": PiecewiseConstant({0: 0.3, 5: 0.1}), "*": Cosine(0.2, 1, 7)}
    )

    assert longer_training.scale_schedule(schedule, 3) == PerLayer(
        {"a": PiecewiseConstant({0: 0.3, 15: 0.1}), "*": Cosine(0.2, 1, 21)}
    )


def test_one_schedule_is_that_of_every_kernel():
    found = schedules.fractions(lambda step: step / 10, 7, ["a", "b"])

    assert [float(value) for value in found] == [0.7, 0.7]


@pytest.mark.parametrize(
    ("value", "used"), [(-0.1, 0), (1.5, 1), (math.nan, 0), (math.inf, 1)]
)
def test_a_drop_fraction_is_used_within_0_and_1(value, used):
    (found,) = schedules.fractions(lambda step: value, 0, ["a"])

    assert float(found) == used


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("drop_fraction", "message"),
    [
        ({"Dense": Constant(0.1), "*": Constant(0.3)}, "no layer.*'Dense'"),
        ({"first": Constant(0.1)}, "no schedule for kernel 'second'"),
        ({"first": 0.1}, "no schedule for kernel 'second'"),
        ({"*": "0.1"}, "must be a number.*'0.1'"),
        ({}, "to schedules, such as"),
    ],
)
def test_a_drop_fraction_that_misses_a_layer_is_refused(drop_fraction, message):
    dense = [keras.layers.Dense(4, name=name) for name in ("first", "second")]

    with pytest.raises((TypeError, ValueError), match=message):
        rigl_tf.sparsify(
            keras.Sequential([keras.Input((4,)), *dense]),
            rigl_tf.algorithms.SET(),
            sparsity=0.5,
            drop_fraction=drop_fraction,
        )


def test_open_steps_are_those_of_the_updates():
    updates = UpdateSchedule(10, 20, 75)

    assert schedules.resolve_steps(Cosine(0.2), updates) == Cosine(0.2, 20, 75)
    assert schedules.resolve_steps(
        InversePower(0.2, 3, end_step=50), updates
    ) == InversePower(0.2, 3, 20, 50)
    assert schedules.resolve_steps(
        PerLayer({"a": Cosine(0.2, final=0.1), "*": Constant(0.1)}), updates
    ) == PerLayer({"a": Cosine(0.2, 20, 75, final=0.1), "*": Constant(0.1)})
    # An end before the updates begin leaves nothing.
    assert schedules.resolve_steps(Cosine(end_step=5), updates) == Cosine(
        0.3, 5, 5
    )


def test_an_open_end_of_a_later_fit_counts_from_its_first_step():
    updates, drop_fraction, _, _ = schedule_resolution.complete(
        UpdateSchedule(10),
        Cosine(),
        sparsity=None,
        start=100,
        num_steps=40,
        steps_per_epoch=4,
    )

    assert updates == UpdateSchedule(10, end_step=130)
    assert drop_fraction == Cosine(0.3, 0, 130)


def test_the_last_update_reaches_the_final_sparsity():
    updates = UpdateSchedule(10, 20, 75)

    schedule = schedules.resolve_steps(PolynomialSparsity(0.9), updates)

    assert schedule == PolynomialSparsity(0.9, 0.0, 20, 70)
    assert schedule(updates.steps(0, 100)[-1]) == 0.9


def test_what_has_no_steps_comes_back_unchanged():
    updates = UpdateSchedule(10, 20, 75)

    for schedule in (Constant(), ConstantSparsity(0.9), lambda step: (True, 0)):
        assert schedules.resolve_steps(schedule, updates) is schedule


def test_a_schedule_without_an_end_says_what_to_do():
    with pytest.raises(ValueError, match="Pass a number of steps"):
        Cosine()(5)


@pytest.mark.parametrize("step", [0, 99, 100, 101])
def test_one_shot_pruning_is_never_nan(step):
    schedule = PolynomialSparsity(0.9, 0.5, begin_step=100, end_step=100)

    expected = 0.9 if step >= 100 else 0.5
    assert schedule(step) == pytest.approx(expected)
    assert float(schedule(tf.constant(step))) == pytest.approx(expected)


@few
@given(st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 40), steps, steps)
def test_sparsity_rises_from_initial_to_final(a, b, begin, length, step):
    low, high = min(a, b), max(a, b)
    schedule = PolynomialSparsity(high, low, begin, begin + length)

    now, then = schedule(step), schedule(step + 1)

    assert low - 1e-12 <= now <= then + 1e-12 <= high + 2e-12


@pytest.mark.parametrize(
    "schedule, decides, lowest, final",
    [
        (ConstantSparsity(0.8), False, 0.8, 0.8),
        (PolynomialSparsity(0.9), False, 0.0, 0.9),  # not completed yet
        (PolynomialSparsity(0.7, 0.1, 5, 5), False, 0.1, 0.7),
        (lambda step: (step > 5, 0.6), True, 0.0, 0.6),
    ],
)
def test_pruning_schedules_say_where_they_are_lowest_and_where_they_end(
    schedule, decides, lowest, final
):
    assert schedules.decides_when(schedule) is decides
    assert schedules.lowest_sparsity(schedule) == lowest
    assert schedules.final_sparsity(schedule) == final


def agrees_with_tfmot():
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

    # Arguments: initial, final, begin, end, power, frequency.
    theirs = PolynomialDecay(0.1, 0.9, 200, 1000, 3, 100)
    ours = schedules.PolynomialSparsity(0.9, 0.1, 200, 1000)

    assert schedules.decides_when(theirs)
    assert schedules.resolve_steps(theirs, UpdateSchedule(end_step=5)) is theirs
    assert abs(schedules.final_sparsity(theirs) - 0.9) < 1e-6
    for step in range(200, 1001, 50):
        due, sparsity = theirs(tf.constant(step))
        assert bool(due) == (step % 100 == 0)
        assert abs(float(sparsity) - ours(step)) < 1e-6


@pytest.mark.slow
def test_the_schedule_of_tfmot_is_accepted_and_agrees():
    # In a process of its own: importing tfmot makes tf.keras Keras 2.
    program = "\n".join(
        [
            "import tensorflow as tf",
            "from rigl_tf.sparsity import schedules",
            "from rigl_tf.sparsity.schedules import UpdateSchedule",
            inspect.getsource(agrees_with_tfmot),
            "agrees_with_tfmot()",
        ]
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: UpdateSchedule(0), "`interval` must be at least 1.*=0"),
        (lambda: UpdateSchedule(-5), "interval=-5"),
        (lambda: UpdateSchedule(100.0), "`interval` counts.*interval=100.0"),
        (lambda: UpdateSchedule(True), "interval=True"),
        (lambda: UpdateSchedule(1, -1), "`begin_step` must.*begin_step=-1"),
        (lambda: UpdateSchedule(1, 0, -1), "end_step=-1"),
        (lambda: UpdateSchedule(1, None, "9"), "end_step='9'"),
        (lambda: UpdateSchedule(1, 9, 8), "begin_step=9, end_step=8"),
        (lambda: Cosine(0.3, 9, 8), "begin_step=9, end_step=8"),
        (lambda: InversePower(0.3, 1, 9, 8), "begin_step=9, end_step=8"),
        (lambda: PolynomialSparsity(0.9, 0, 9, 8), "begin_step=9, end_step=8"),
        (lambda: InversePower(0.3, 0), r"`power` .* in \(0, inf\).*power=0"),
        (lambda: InversePower(0.3, math.nan), "power=nan"),
        (lambda: Cosine(final=1.5), r"`final`.*\[0, 1\].*final=1.5"),
        (lambda: InversePower(final=-0.1), r"final=-0.1"),
        (
            lambda: PiecewiseConstant({}),
            r"such as \{0: 0.3, 1000: 0.1\}.*=\{\}",
        ),
        (
            lambda: PiecewiseConstant({5: 0.1}),
            r"one for step 0.*fractions=\{5: 0.1\}",
        ),
        (lambda: PiecewiseConstant(0.3), r"such as .*fractions=0.3"),
        (lambda: PiecewiseConstant({0: 1.3}), r"\[0, 1\].*fractions=1.3"),
        (lambda: PiecewiseConstant({0: 0.3, "5": 0.1}), r"such as"),
        (lambda: PiecewiseConstant({0: 0.3, 1.5: 0.1}), r"counts steps.*=1.5"),
        (lambda: PiecewiseConstant({0: 0.3, -1: 0.1}), r"at least 0.*=-1"),
        (lambda: PiecewiseSparsity({5: 0.1}), r"step 0.*sparsities=\{5: 0.1\}"),
        (lambda: PiecewiseSparsity({0: 1.0}), r"`sparsities`.*\[0, 1\)"),
        (lambda: Alternating(0.9, period=0), "`period` .*period=0"),
        (lambda: Alternating(1.0), r"`final`.*\[0, 1\)"),
        (lambda: Alternating(0.9)(3), "must have a `period`"),
        (lambda: PolynomialSparsity(0.9, end_fraction=0), "end_fraction=0"),
        (lambda: PolynomialSparsity(0.9, power=-1), "power=-1"),
        (lambda: PolynomialSparsity(0.9, power="3"), "power='3'"),
        (
            lambda: PolynomialSparsity(0.5, 0.8),
            "initial=0.8, final=0.5.*`allow_decrease=True`",
        ),
    ],
)
def test_impossible_steps_are_named_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("schedule", [Constant, Cosine, InversePower])
@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan, math.inf, "0.3"])
def test_a_fraction_out_of_range_is_named(schedule, fraction):
    with pytest.raises(ValueError, match=r"\[0, 1\].*initial="):
        schedule(fraction)


@pytest.mark.parametrize("sparsity", [-0.1, 1, 1.5, math.nan, "0.9", None])
def test_a_sparsity_out_of_range_is_named(sparsity):
    with pytest.raises(ValueError, match=r"`sparsity`.*\[0, 1\).*Received"):
        ConstantSparsity(sparsity)
    with pytest.raises(ValueError, match=r"`final`.*Received: final="):
        PolynomialSparsity(sparsity)
    with pytest.raises(ValueError, match=r"`initial`.*Received: initial="):
        PolynomialSparsity(0.9, sparsity)


def test_sparsity_may_fall_where_that_is_wanted():
    schedule = PolynomialSparsity(0.5, 0.8, 0, 10, 1, allow_decrease=True)

    assert values(schedule, [0, 5, 10]) == pytest.approx([0.8, 0.65, 0.5])
    assert schedules.falls(schedule)
    assert not schedules.falls(PolynomialSparsity(0.5, initial=0.5))


def test_sparsity_may_change_in_steps_and_knows_its_range():
    rises = PiecewiseSparsity({0: 0.88, 90: 0.89, 120: 0.9})
    falls = PiecewiseSparsity({0: 0.0, 10: 0.9, 20: 0.5})

    steps = [0, 89, 90, 119, 120, 10**6]
    assert values(rises, steps) == [0.88, 0.88, 0.89, 0.89, 0.9, 0.9]
    assert not schedules.falls(rises) and schedules.falls(falls)
    assert schedules.initial_sparsity(rises) == 0.88
    assert schedules.lowest_sparsity(falls) == 0.0
    assert schedules.final_sparsity(falls) == 0.5


def test_sparsity_may_alternate():
    schedule = Alternating(0.9, period=10, end_step=50)

    # Sparse at 50, so dense from 40, sparse from 30, and so on.
    steps = [9, 10, 19, 20, 30, 39, 40, 49, 50, 1000]
    expected = [0.0, 0.9, 0.9, 0.0, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9]
    assert values(schedule, steps) == expected
    assert [float(schedule(tf.constant(step))) for step in steps] == expected
    assert schedules.falls(schedule)
    assert schedules.final_sparsity(schedule) == 0.9
    assert schedules.initial_sparsity(Alternating(0.9)) == 0.0


def test_a_polynomial_may_end_before_the_last_update():
    schedule = schedules.resolve_steps(
        PolynomialSparsity(0.9, end_fraction=0.5),
        UpdateSchedule(100, begin_step=200, end_step=1000),
    )

    # Updates from 200 to 900, and half of them is 550.
    assert (schedule.begin_step, schedule.end_step) == (200, 550)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.6, 0.9])
def test_layers_reach_their_budgets_in_proportion(sparsity):
    counts = schedules.budgets_at(sparsity, 0.9, [1000, 500], [50, 100])

    parts = [950 * sparsity / 0.9, 400 * sparsity / 0.9]
    assert [int(count) for count in counts] == [
        1000 - int(parts[0] + 1e-6),
        500 - int(parts[1] + 1e-6),
    ]


@pytest.mark.parametrize("part", [0, 1.5, math.nan, "half"])
def test_an_end_fraction_out_of_range_is_named(part):
    with pytest.raises(ValueError, match="end_fraction="):
        UpdateSchedule(end_fraction=part)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("density", "mean"),
    [(0.05, 0.23380), (0.1, 0.27413), (0.2, 0.35478), (0.5, 0.59674)],
)
def test_the_mean_density_of_the_cubic_schedule_is_the_reproductions(
    density, mean
):
    """87,891 steps, pruned from 700 to 65,918."""
    schedule = PolynomialSparsity(1 - density, begin_step=700, end_step=65_918)

    densities = [1 - schedule(step) for step in range(87_891)]

    assert np.mean(densities) == pytest.approx(mean, abs=5e-5)
