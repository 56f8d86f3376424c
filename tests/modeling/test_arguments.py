import dataclasses
import functools

import numpy as np
import pytest

from rigl_tf import algorithms
from rigl_tf.modeling.arguments import as_algorithm
from rigl_tf.modeling.arguments import as_distribution
from rigl_tf.modeling.arguments import as_drop_fraction
from rigl_tf.modeling.arguments import as_schedule
from rigl_tf.modeling.arguments import as_sparsity
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.schedules import UpdateSchedule

RIGL = algorithms.RigL()
PRUNING = algorithms.GradualPruning()


def tenth(step):
    return 0.1


@dataclasses.dataclass(frozen=True)
class NeedsArguments(algorithms.Algorithm):
    power: float

    def grow(self, view):
        return view.weight


@pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))
def test_every_algorithm_has_a_name(name):
    assert as_algorithm(name) == algorithms.get(name)


@pytest.mark.parametrize(
    "written, algorithm",
    [
        ("RigL", RIGL),
        ("RigL-SG", algorithms.RigLSG()),
        (algorithms.RigL, RIGL),
        (algorithms.Rewire, algorithms.Rewire()),
        (NeedsArguments(2.0), NeedsArguments(2.0)),
    ],
)
def test_an_algorithm_may_be_a_name_a_class_or_an_instance(written, algorithm):
    assert as_algorithm(written) == algorithm


@pytest.mark.parametrize(
    "written, error, helps",
    [
        ("rigll", ValueError, "mean 'rigl'.*algorithm='rigll'"),
        ("GradualPruning", ValueError, "mean 'gradual_pruning'"),
        ("zzz", ValueError, "one of static, set, rigl.*algorithm='zzz'"),
        ("wanda", ValueError, "rigl_tf.tickets` prune a trained.*'wanda'"),
        ("magnitude", ValueError, "`masks` and .* prune a trained model"),
        (NeedsArguments, TypeError, r"'power'.*NeedsArguments\(\.\.\.\)"),
        (algorithms.Algorithm, TypeError, "algorithm=Algorithm.*abstract"),
        (None, TypeError, "'rigl'.*algorithm=None"),
        (dict, TypeError, "algorithm=<class 'dict'>"),
    ],
)
def test_another_algorithm_is_refused(written, error, helps):
    with pytest.raises(error, match=helps):
        as_algorithm(written)


@pytest.mark.parametrize("interval", [7, np.int64(7)])
@pytest.mark.parametrize(
    "algorithm", [RIGL, algorithms.DeepR(), algorithms.GGR()]
)
def test_an_integer_changes_the_interval_alone(interval, algorithm):
    schedule = as_schedule(interval, algorithm)

    default = algorithm.default_schedule
    assert schedule.interval == 7
    assert dataclasses.replace(schedule, interval=default.interval) == default


def test_a_schedule_is_taken_as_it_is_and_none_is_the_default():
    schedule = UpdateSchedule(3, end_step=9)

    assert as_schedule(schedule, RIGL) is schedule
    assert as_schedule(None, algorithms.GGR()).end_fraction == 0.5


@pytest.mark.parametrize(
    "written, error, helps",
    [
        (0, ValueError, "at least 1.*schedule=0"),
        (True, TypeError, "an integer.*schedule=True"),
        (100.0, TypeError, "an integer.*schedule=100.0"),
        ("100", TypeError, "an integer.*schedule='100'"),
        (UpdateSchedule, TypeError, r"an instance: `UpdateSchedule\("),
        (schedules.Cosine(), TypeError, "argument `drop_fraction`"),
        (schedules.PolynomialSparsity(0.9), TypeError, "argument `sparsity`"),
    ],
)
def test_another_schedule_is_refused(written, error, helps):
    with pytest.raises(error, match=helps):
        as_schedule(written, RIGL)


@pytest.mark.parametrize(
    "written, fraction",
    [
        (0.5, schedules.Cosine(0.5)),
        (0, schedules.Cosine(0.0)),
        (np.float64(1), schedules.Cosine(1.0)),
        (None, RIGL.default_drop_fraction),
        (schedules.Constant(0.2), schedules.Constant(0.2)),
        (tenth, tenth),
    ],
)
def test_a_number_is_the_start_of_a_cosine(written, fraction):
    assert as_drop_fraction(written, RIGL) == fraction


def test_a_drop_fraction_of_none_is_the_default_of_the_algorithm():
    assert as_drop_fraction(None, algorithms.GGR()).initial == 0.1


@pytest.mark.parametrize(
    "written, error, helps",
    [
        (30, ValueError, r"\[0, 1\].*drop_fraction=30"),
        (-0.1, ValueError, "drop_fraction=-0.1"),
        (True, TypeError, "drop_fraction=True"),
        ("0.3", TypeError, "drop_fraction='0.3'"),
        (schedules.Cosine, TypeError, r"an instance: `Cosine\(\.\.\.\)`"),
        (UpdateSchedule(), TypeError, "argument `schedule`"),
        (schedules.ConstantSparsity(0.5), TypeError, "argument `sparsity`"),
    ],
)
def test_another_drop_fraction_is_refused(written, error, helps):
    with pytest.raises(error, match=helps):
        as_drop_fraction(written, RIGL)


def test_a_distribution_may_be_a_name_or_any_function():
    partial = functools.partial(distributions.erdos_renyi_kernel, power=2)

    assert as_distribution("ER") is distributions.erdos_renyi
    assert as_distribution(partial) is partial
    with pytest.raises(ValueError, match="mean 'uniform'"):
        as_distribution("unifrom")


def test_a_number_stays_a_number_unless_the_algorithm_prunes():
    sparsity, distribution = as_sparsity(np.float32(0.5), "erk", RIGL)
    assert (type(sparsity), sparsity) == (float, 0.5)
    assert distribution is distributions.erdos_renyi_kernel

    schedule, _ = as_sparsity(0.5, "erk", PRUNING)
    assert schedule == schedules.PolynomialSparsity(0.5)


@pytest.mark.parametrize(
    "schedule",
    [schedules.PolynomialSparsity(0.9, 0.5), lambda step: (True, 0.9)],
)
def test_a_schedule_is_for_algorithms_that_prune(schedule):
    assert as_sparsity(schedule, "erk", PRUNING)[0] is schedule
    with pytest.raises(ValueError, match="RigL keeps.*GradualPruning"):
        as_sparsity(schedule, "erk", RIGL)


@pytest.mark.parametrize(
    "written, error, helps",
    [
        (90, ValueError, r"\[0, 1\).*sparsity=90"),
        (None, ValueError, "sparsity=None"),
        (schedules.PolynomialSparsity, TypeError, "Pass an instance"),
        (schedules.Cosine(), TypeError, "argument `drop_fraction`"),
        (UpdateSchedule(), TypeError, "argument `schedule`"),
        ({}, ValueError, "at least one layer"),
        ({"a": 90}, ValueError, r"sparsity\['a'\]=90"),
    ],
)
@pytest.mark.parametrize("algorithm", [RIGL, PRUNING])
def test_another_sparsity_is_refused(written, error, helps, algorithm):
    with pytest.raises(error, match=helps):
        as_sparsity(written, "uniform", algorithm)


@pytest.mark.parametrize(
    "by_layer, overall",
    [
        ({"a": 0.5, "*": 0.9}, 0.9),
        ({"a": 0.9, "*": 0.5}, 0.5),
        ({"a": 0.9, "*": 0}, 0.9),
        ({"a": 0.5, "b": 0.7}, 0.7),
    ],
)
def test_pruning_by_layer_rises_to_a_number_that_is_not_0(by_layer, overall):
    assert as_sparsity(by_layer, "erk", RIGL)[0] == overall
    schedule, _ = as_sparsity(by_layer, "erk", PRUNING)
    assert schedule == schedules.PolynomialSparsity(overall)


def test_a_global_ranking_has_no_sparsity_of_single_layers():
    with pytest.raises(ValueError, match="scope='global'.*all layers together"):
        as_sparsity({"a": 0.5}, "erk", algorithms.GradualPruning("global"))
