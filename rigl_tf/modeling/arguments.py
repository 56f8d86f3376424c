"""Conversion of short argument forms, such as "rigl", to objects."""

import dataclasses
import numbers
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rigl_tf import algorithms
from rigl_tf.algorithms import Algorithm
from rigl_tf.modeling import layer_sparsities
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity.distributions import check_sparsity
from rigl_tf.sparsity.schedules import UpdateSchedule
from rigl_tf.utils.patterns import close_names
from rigl_tf.utils.validation import check_number
from rigl_tf.utils.validation import is_number

_DROP_FRACTIONS = (
    schedules.Constant,
    schedules.Cosine,
    schedules.InversePower,
    schedules.PerLayer,
    schedules.PiecewiseConstant,
)
_SPARSITIES = (
    schedules.Alternating,
    schedules.ConstantSparsity,
    schedules.PiecewiseSparsity,
    schedules.PerLayerSparsity,
    schedules.PolynomialSparsity,
)


def as_algorithm(algorithm: str | Algorithm | type[Algorithm]) -> Algorithm:
    """Returns the algorithm of a name, a class or an instance.

    Args:
        algorithm: String, a key of `rigl_tf.algorithms.ALGORITHMS` in upper or
            lower case; a class, which is called without arguments; or an
            `Algorithm`, which is returned unchanged.

    Raises:
        ValueError: If no algorithm has this name.
        TypeError: If the argument is of another kind, or if a class needs
            arguments.

    Example:

    >>> as_algorithm("rigl")
    RigL()
    >>> as_algorithm(algorithms.GradualPruning)
    GradualPruning(scope='layer', initial_sparsity=0.0)
    """
    if isinstance(algorithm, Algorithm):
        return algorithm
    if isinstance(algorithm, str):
        return algorithms.get(_algorithm_name(algorithm))
    if isinstance(algorithm, type) and issubclass(algorithm, Algorithm):
        try:
            return algorithm()
        except TypeError as error:
            name = algorithm.__name__
            raise TypeError(
                f"`algorithm` may be a class only if it needs no arguments. "
                f"Received: algorithm={name}, which says: {error}. Pass an "
                f"instance: `{name}(...)`."
            ) from error
    raise TypeError(
        "`algorithm` must be an `rigl_tf.algorithms.Algorithm` or a name, for "
        f"example `RigL()` or 'rigl'. Received: algorithm={algorithm!r}."
    )


def as_schedule(
    schedule: int | UpdateSchedule | None, algorithm: Algorithm
) -> UpdateSchedule:
    """Returns the schedule of mask updates.

    Args:
        schedule: Integer, optimizer steps between two updates: all else is as
            in the algorithm's default schedule. `None` for that default. An
            `UpdateSchedule` is returned unchanged.
        algorithm: `Algorithm`.

    Raises:
        ValueError: If the integer is less than 1.
        TypeError: If the argument is of another kind.

    Example:

    >>> as_schedule(20, algorithms.RigL()).interval
    20
    >>> as_schedule(None, algorithms.DeepR()).interval
    1
    """
    if schedule is None:
        return algorithm.default_schedule
    if isinstance(schedule, UpdateSchedule):
        return schedule
    if isinstance(schedule, numbers.Integral) and not isinstance(
        schedule, bool
    ):
        if schedule < 1:
            raise ValueError(
                "`schedule` is the number of optimizer steps between two mask "
                f"updates, at least 1. Received: schedule={schedule!r}."
            )
        return dataclasses.replace(
            algorithm.default_schedule, interval=int(schedule)
        )
    raise TypeError(
        "`schedule` must be an `UpdateSchedule` or an integer, the optimizer "
        f"steps between two mask updates. {_right_argument(schedule)}"
        f"Received: schedule={schedule!r}."
    )


def as_drop_fraction(
    drop_fraction: float | Mapping | Callable[[Any], Any] | None,
    algorithm: Algorithm,
) -> Callable[[Any], Any]:
    """Returns the schedule of drop fractions.

    Args:
        drop_fraction: Float in [0, 1], the fraction of a layer's active
            connections that the first update replaces. It falls to 0 along
            half a cosine, as in the RigL papers. `None` for the algorithm's
            default. A function from step to fraction is returned unchanged.
            Or a dictionary from names of kernels, or patterns with `*`, to
            these: the first match counts, and `"*"` comes last.
        algorithm: `Algorithm`.

    Raises:
        ValueError: If the number is not in [0, 1].
        TypeError: If the argument is of another kind.

    Example:

    >>> as_drop_fraction(0.5, algorithms.RigL())
    Cosine(initial=0.5, begin_step=None, end_step=None, final=0.0)
    """
    if drop_fraction is None:
        return algorithm.default_drop_fraction
    if isinstance(drop_fraction, Mapping):
        return schedules.PerLayer(
            {
                pattern: as_drop_fraction(fraction, algorithm)
                for pattern, fraction in drop_fraction.items()
            }
        )
    if is_number(drop_fraction):
        check_number("drop_fraction", drop_fraction, "[0, 1]")
        return schedules.Cosine(float(drop_fraction))
    belongs_elsewhere = isinstance(
        drop_fraction, (type, UpdateSchedule, *_SPARSITIES)
    )
    if belongs_elsewhere or not callable(drop_fraction):
        raise TypeError(
            "`drop_fraction` must be a number in [0, 1] or callable with a "
            f"step, for example `Cosine(0.3)`. {_right_argument(drop_fraction)}"
            f"Received: drop_fraction={drop_fraction!r}."
        )
    return drop_fraction


def as_distribution(distribution: str | Callable) -> Callable:
    """Returns the distribution of a name.

    Args:
        distribution: String such as `"erk"`, `"er"`, `"uniform"`,
            `"uniform_all"` or `"lamp"`. A function, also from
            `functools.partial`, is returned unchanged.

    Raises:
        ValueError: If no distribution has this name.
        TypeError: If the argument is of another kind.

    Example:

    >>> as_distribution("erk").__name__
    'erdos_renyi_kernel'
    """
    return distributions.get(distribution)


def as_sparsity(
    sparsity: float | Callable | Mapping[str, float],
    distribution: str | Callable,
    algorithm: Algorithm,
) -> tuple[float | Callable, Callable]:
    """Returns the global sparsity and the function that distributes it.

    In a dictionary, the first key that matches a layer gives its sparsity,
    except that `"*"` comes last wherever it stands. The value of `"*"` is the
    sparsity that the distribution shares among all other layers. Without
    `"*"`, these layers stay dense. An algorithm that moves connections between
    layers starts from these numbers and then changes them.

    Args:
        sparsity: Float in [0, 1), the fraction of zeros. Or a dictionary from
            names of layers, or patterns with `*`, to such numbers. Or, for an
            algorithm that prunes, a schedule: `PolynomialSparsity`, or any
            callable from step to the pair (whether to prune, sparsity). The
            values of a dictionary may be schedules, too.
        distribution: Function of `rigl_tf.distributions` or its name.
        algorithm: `Algorithm`.

    Returns:
        A pair. First, the sparsity: a callable for an algorithm that prunes,
        a float for all others. For a dictionary, it is the value of `"*"` if
        this is more than 0, and the largest value otherwise; with a schedule
        in the dictionary, a `PerLayerSparsity`. Second, the
        distribution, to be called with the `names` of all kernels; from a
        dictionary, it ignores the sparsity that it is called with.

    Raises:
        ValueError: If a number is not in [0, 1), a dictionary is empty, or
            the algorithm has no use for the argument. The distribution raises
            it if a key matches no layer.
        TypeError: If an argument is of another kind.

    Example:

    >>> wanted = {"conv*": 0.5, "*": 0.9}
    >>> sparsity, share = as_sparsity(wanted, "uniform", algorithms.RigL())
    >>> sparsity
    0.9
    >>> names = ["stem", "conv_1", "conv_2", "logits"]
    >>> share([(8, 8)] * 4, sparsity, names=names, first="stem")
    [0.0, 0.5, 0.5, 0.9]
    """
    distribution = as_distribution(distribution)
    if isinstance(sparsity, Mapping):
        if algorithm.follows_sparsity and algorithm.moves_between_layers:
            raise ValueError(
                f"{algorithm} ranks the weights of all layers together, so "
                "that `sparsity` must be a number or a schedule. "
                f"Received: sparsity={dict(sparsity)!r}."
            )
        wanted = dict(sparsity)
        only_prunes = algorithm.follows_sparsity and not algorithm.regrows
        if only_prunes and any(map(callable, wanted.values())):
            sparsity = _schedule_of_each_layer(wanted)
            wanted = {
                pattern: schedules.final_sparsity(each)
                for pattern, each in sparsity.schedules.items()
            }
            distribution = layer_sparsities.with_layers(distribution, wanted)
        else:
            distribution = layer_sparsities.with_layers(distribution, wanted)
            sparsity = layer_sparsities.largest(wanted)
    if not callable(sparsity):
        check_sparsity(sparsity)
        if algorithm.follows_sparsity:
            return algorithm.sparsity_schedule(float(sparsity)), distribution
        return float(sparsity), distribution
    _check_is_schedule(sparsity, "sparsity")
    if not algorithm.follows_sparsity:
        raise ValueError(
            f"{type(algorithm).__name__} keeps the sparsity constant, so "
            "`sparsity` must be a number or a dictionary. "
            f"Received: sparsity={sparsity!r}. For a schedule, use "
            "`GradualPruning()`."
        )
    if algorithm.regrows and isinstance(sparsity, schedules.PerLayerSparsity):
        raise ValueError(
            f"{type(algorithm).__name__} takes one schedule for all layers. "
            f"Received: sparsity={sparsity!r}. Use `GradualPruning()`."
        )
    return sparsity, distribution


def _schedule_of_each_layer(
    by_layer: Mapping[str, Any],
) -> schedules.PerLayerSparsity:
    """Returns the schedules of a dictionary; a number rises to itself."""
    found = {}
    for pattern, value in by_layer.items():
        name = f"sparsity[{pattern!r}]"
        if callable(value):
            _check_is_schedule(value, name)
        else:
            check_sparsity(value, name)
            value = schedules.PolynomialSparsity(float(value))
        found[pattern] = value
    return schedules.PerLayerSparsity(found)


def _check_is_schedule(value: Any, name: str) -> None:
    if isinstance(value, (type, UpdateSchedule, *_DROP_FRACTIONS)):
        raise TypeError(
            f"`{name}` must be a number in [0, 1), a dictionary from names of "
            "layers to such numbers, or a schedule, for example "
            f"`PolynomialSparsity(0.9)`. {_right_argument(value)}"
            f"Received: {name}={value!r}."
        )


def _algorithm_name(name: str) -> str:
    """Returns the registered spelling of a name."""
    key = name.lower().replace("-", "_")
    if key in algorithms.ALGORITHMS:
        return key
    close = close_names(key, list(algorithms.ALGORITHMS))
    hint = (
        f"Did you mean {close[0]!r}? "
        if close
        else "`masks` and `rigl_tf.tickets` prune a trained model at once. "
    )
    raise ValueError(
        f"`algorithm` must be one of {', '.join(algorithms.ALGORITHMS)}, or an "
        f"`Algorithm`. {hint}Received: algorithm={name!r}."
    )


def _right_argument(value: Any) -> str:
    """Returns a sentence that says where a misplaced value belongs."""
    if isinstance(value, type):
        return f"Pass an instance: `{value.__name__}(...)`. "
    for kinds, argument in (
        (UpdateSchedule, "schedule"),
        (_DROP_FRACTIONS, "drop_fraction"),
        (_SPARSITIES, "sparsity"),
    ):
        if isinstance(value, kinds):
            kind = type(value).__name__
            return f"{kind} is for the argument `{argument}`. "
    return ""
