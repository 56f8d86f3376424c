"""A sparsity schedule for each layer."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf.modeling.arguments import as_sparsity
from rigl_tf.sparsity.schedules import PerLayerSparsity
from rigl_tf.sparsity.schedules import PolynomialSparsity
from rigl_tf.sparsity.schedules import UpdateSchedule

PRUNING = algorithms.GradualPruning()
LINEAR = PolynomialSparsity(0.5, begin_step=0, end_step=4, power=1)


def in_one_step(step):
    return step == 3, 0.4


def three_layers():
    return keras.Sequential(
        [keras.Input((10,))]
        + [keras.layers.Dense(10, name=name) for name in "abc"]
    )


def counts_after_each_step(model, num_steps=8):
    counts = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: counts.append(
            [int(kernel.count()) for kernel in model.kernels]
        )
    )
    x = np.random.default_rng(0).normal(size=(num_steps, 10))
    model.compile("sgd", "mse")
    model.run_eagerly = True  # most of a graph's time is its making
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[record])
    return counts


def test_each_layer_is_pruned_when_and_as_much_as_its_schedule_says():
    model = rigl_tf.sparsify(
        three_layers(),
        PRUNING,
        sparsity={"a": LINEAR, "b": in_one_step},
        schedule=UpdateSchedule(2, end_step=7),
    )

    counts = counts_after_each_step(model)

    assert model.budgets == [50, 60, 100]
    assert counts == [
        [100, 100, 100],
        [100, 100, 100],
        [75, 100, 100],  # halfway
        [75, 60, 100],
        *[[50, 60, 100]] * 4,
    ]


def test_numbers_and_open_schedules_follow_the_update_schedule():
    model = rigl_tf.sparsify(
        three_layers(),
        PRUNING,
        sparsity={"*": 0.9, "a": PolynomialSparsity(0.5, power=1)},
        distribution="uniform_all",
        schedule=UpdateSchedule(2, end_step=7),
    )

    counts = counts_after_each_step(model)

    assert counts[-1] == model.budgets == [50, 10, 10]
    # Updates at steps 2, 4 and 6.
    assert [count[0] for count in counts[2::2]] == [84, 67, 50]


def test_blocks_have_schedules_too():
    model = rigl_tf.sparsify(
        three_layers(),
        PRUNING,
        sparsity={"a": LINEAR, "b": in_one_step},
        schedule=UpdateSchedule(2, end_step=7),
        structure=rigl_tf.structures.Blocks(2, 2),
    )

    counts = counts_after_each_step(model)

    assert counts[2] == [76, 100, 100] and counts[-1] == [48, 60, 100]


def test_schedules_of_layers_are_saved(tmp_path):
    model = rigl_tf.sparsify(
        three_layers(),
        PRUNING,
        sparsity={"a": LINEAR, "*": PolynomialSparsity(0.9)},
    )
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert loaded.sparsity == model.sparsity
    assert loaded.sparsity.schedules_of(["a"]) == [LINEAR]


def test_the_first_match_counts_and_the_star_comes_last():
    other = PolynomialSparsity(0.9, begin_step=0, end_step=4)
    schedule, _ = as_sparsity({"*": other, "a*": LINEAR}, "erk", PRUNING)

    assert isinstance(schedule, PerLayerSparsity)
    assert schedule.schedules_of(["ab", "b"]) == [LINEAR, other]
    assert float(schedule(4)) == pytest.approx(0.9)


def test_a_schedule_follows_the_layer_whose_sparsity_it_has():
    # A key that is a whole path selects only this path.
    block = keras.Sequential([keras.layers.Dense(10, name="a")], name="block")
    network = keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(10, name="a"), block]
    )
    at_once = PolynomialSparsity(0.9, 0.9, begin_step=0, end_step=4)
    model = rigl_tf.sparsify(
        network,
        PRUNING,
        sparsity={"a": at_once, "*": LINEAR},
        schedule=UpdateSchedule(2, end_step=7),
    )

    assert counts_after_each_step(model)[2] == [10, 75]


def test_a_sparsity_of_one_layer_must_not_fall():
    falling = PolynomialSparsity(0.1, 0.5, allow_decrease=True)
    with pytest.raises(ValueError, match="the sparsity cannot fall"):
        rigl_tf.sparsify(three_layers(), PRUNING, sparsity={"a": falling})


@pytest.mark.parametrize(
    ("algorithm", "sparsity", "error", "problem"),
    [
        ("rigl", {"a": LINEAR}, ValueError, "Only an algorithm that prunes"),
        (PRUNING, {"x": LINEAR}, ValueError, "`sparsity` matches no layer"),
        (PRUNING, {"a": LINEAR, "b": 90}, ValueError, r"sparsity\['b'\]=90"),
        (PRUNING, {"a": PolynomialSparsity}, TypeError, "Pass an instance"),
        ("ac_dc", {"a": LINEAR}, ValueError, "ranks the weights|Only an algo"),
        (
            algorithms.GradualPruning("global"),
            {"a": LINEAR},
            ValueError,
            "ranks the weights of all layers",
        ),
    ],
)
def test_schedules_that_do_not_fit_are_refused(
    algorithm, sparsity, error, problem
):
    with pytest.raises(error, match=problem):
        rigl_tf.sparsify(three_layers(), algorithm, sparsity=sparsity)


def test_a_schedule_of_no_layer_is_refused_before_training():
    with pytest.raises(ValueError, match="matches no layer.*typo"):
        rigl_tf.sparsify(
            three_layers(), PRUNING, sparsity=PerLayerSparsity({"typo": LINEAR})
        )


@pytest.mark.parametrize("schedules", [{}, {"a": 0.5}, LINEAR])
def test_a_value_without_schedules_is_refused(schedules):
    with pytest.raises(TypeError, match="to sparsity schedules"):
        PerLayerSparsity(schedules)
