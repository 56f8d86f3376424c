"""Claims of the papers, and the runs that test them."""

import ast
import dataclasses
import tomllib
from typing import Any

from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import comparison
from rigl_tf.typing import PathLike
from rigl_tf.utils import files
from rigl_tf.utils.validation import check_choice

EXPECTED = ("higher", "lower", "same", "not lower")


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two values that a claim compares.

    Attributes:
        method: String, as for `rigl-train --method`.
        set: Dictionary from a gin macro to its value as text.
        sparsity: Tuple of floats that replaces the sparsities of the claim, or
            `None`.
        source: String, the method whose runs these runs start from, or `None`.
        metric: String, a key of `comparison.METRICS`.
        name: String for tables; by default, the method.
    """

    method: str
    set: dict = dataclasses.field(default_factory=dict)
    sparsity: tuple | None = None
    source: str | None = None
    metric: str = "accuracy"
    name: str = ""

    def __post_init__(self):
        check_choice("metric", self.metric, comparison.METRICS)


@dataclasses.dataclass(frozen=True)
class Choices:
    """The settings of methods from which validation data choose.

    Attributes:
        sparsity: Float, the sparsity of the trials.
        seeds: Tuple of integers, the seeds of the trials.
        methods: Dictionary from a method to a list of choices, each a list of
            gin bindings. `"default"` is for all other methods.
    """

    sparsity: float
    seeds: tuple
    methods: dict

    def trials(self, task: str, method: str) -> tuple:
        """Returns the trials of a method, as in `sweep_grid.Run.tried`."""
        ways = self.methods.get(method, self.methods["default"])
        return sweep_grid.make_trials(
            task, method, ways, self.sparsity, self.seeds
        )


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of a paper, as a comparison of two methods.

    Attributes:
        text: String, the claim in our words.
        where: String, the paper and its section, table or figure.
        tasks: Tuple of strings, as for `rigl-train --task`.
        sparsity: Tuple of floats.
        fits_only_these_tasks: Boolean, whether the numbers of the runs, such as
            an interval in steps, have their meaning only in `tasks`.
        first, second: `Side`, or `None` if the claim cannot be tested here.
        expected: String, how the claim expects the first value to be, compared
            with the second: one of `EXPECTED`.
        margin: Float, the largest difference that counts as the same, in the
            unit of the metric.
        untested: String, why the claim cannot be tested, or empty.
        choices: `Choices`, for the settings of all runs, or `None`.
        checks: Dictionary from a method to the list of its sanity checks.
        seeds: Integer.
    """

    text: str
    where: str
    tasks: tuple = ()
    sparsity: tuple = ()
    first: Side | None = None
    second: Side | None = None
    expected: str = "higher"
    margin: float = 1.0
    fits_only_these_tasks: bool = False
    untested: str = ""
    choices: Choices | None = None
    checks: dict = dataclasses.field(default_factory=dict)
    seeds: int = 5

    def __post_init__(self):
        check_choice("expected", self.expected, EXPECTED)
        if bool(self.untested) == bool(self.first and self.second):
            raise TypeError("a claim has `first` and `second`, or `untested`")
        for side in (self.first, self.second):
            given = side and side.sparsity
            if given and len(given) != len(self.sparsity):
                raise TypeError("`sparsity` of a side has another length")

    @property
    def cases(self) -> list[tuple[str, int]]:
        """List of pairs of a task and the index of a sparsity."""
        if self.first is None:
            return []
        return [(t, i) for t in self.tasks for i in range(len(self.sparsity))]

    def runs(self, side: Side, task: str, number: int) -> list[sweep_grid.Run]:
        """Returns the runs of a side in one case, one for each seed."""
        source = None
        if side.source is not None:
            source = dataclasses.replace(
                side, method=side.source, set={}, source=None
            )
        found = []
        for seed in range(self.seeds):
            run = self._run(side, task, number, seed)
            if source is not None:
                start = self._run(source, task, number, seed)
                run = dataclasses.replace(run, source=start)
            found.append(run)
        return found

    def all_runs(self) -> list[sweep_grid.Run]:
        """Returns all runs of the claim and those that they need."""
        runs = [
            run
            for side in (self.first, self.second)
            if side is not None
            for task, number in self.cases
            for run in self.runs(side, task, number)
        ]
        return list(dict.fromkeys(_with_others(runs)))

    def _run(self, side, task, number, seed):
        sparsity = (side.sparsity or self.sparsity)[number]
        settings = dict(side.set)
        distribution = settings.pop("DISTRIBUTION", None)
        bindings = [f"{name} = {value}" for name, value in settings.items()]
        variant = [text.replace(" ", "") for text in bindings]
        if side.source is not None:
            variant.append(f"source={side.source}")
        checks = self.checks.get(side.method)
        if checks is not None:
            bindings.append(f"CHECKS = {checks!r}")
        return sweep_grid.Run(
            task,
            side.method,
            distribution and ast.literal_eval(distribution),
            None if side.method == "dense" else sparsity,
            seed,
            settings=tuple(bindings),
            variant=",".join(variant),
            tried=self.choices.trials(task, side.source or side.method)
            if self.choices
            else (),
        )


def _with_others(runs):
    for run in runs:
        yield from _with_others(run.others)
        yield run


def read(path: PathLike | None = None) -> dict[str, Claim]:
    """Reads a file of claims.

    Args:
        path: Path of the file; by default, the claims of the three papers.

    Returns:
        Dictionary from the number of a claim, such as `"7"`, to `Claim`.

    Raises:
        ValueError: If it is not TOML, or a field is missing or unknown.
    """
    path = path or config_files.folder() / "papers" / "claims.toml"
    try:
        values = tomllib.loads(files.read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error
    claims = {}
    try:
        shared = {n: values[n] for n in ("checks", "seeds") if n in values}
        if "choices" in values:
            shared["choices"] = Choices(**_tuples(values["choices"]))
        for number, given in enumerate(values["claim"], start=1):
            for name in ("first", "second"):
                if name in given:
                    given[name] = Side(**_tuples(given[name]))
            claims[str(number)] = Claim(**shared, **_tuples(given))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}, claim {len(claims) + 1}: {error}."
        ) from error
    return claims


def _tuples(given) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
    }
