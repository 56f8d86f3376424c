"""The runs of a sweep."""

import dataclasses
import itertools
import pathlib
import re
import statistics

from rigl_tf import results


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        task: String, a name or the path of a gin file.
        method: String, a name or the path of a gin file.
        distribution: String, or `None` for the distribution in the method's
            file.
        sparsity: Float, or `None` for a run without a sparsity.
        seed: Integer.
        settings: Tuple of additional gin bindings.
        variant: String that distinguishes the run from runs of the sweep with
            the same other attributes.
        source: The `Run` of the sweep that this run starts from, or `None`.
        tried: Tuple of tuples of `Run`: for each choice of settings, one trial
            per seed. The run uses the settings with the best mean validation
            accuracy.
        is_trial: Boolean, whether the run is such a trial. `rigl-report`
            ignores trials.
    """

    task: str
    method: str
    distribution: str | None
    sparsity: float | None
    seed: int
    settings: tuple = ()
    variant: str = ""
    source: "Run | None" = None
    tried: tuple = ()
    is_trial: bool = False

    @property
    def path(self):
        """Path of the run, relative to the sweep's directory."""
        parts = [
            pathlib.Path(name).stem if name.endswith(".gin") else name
            for name in (self.task, self.method)
        ]
        if self.is_trial:
            parts.append(results.TRIALS)
        if self.distribution is not None:
            parts.append(self.distribution)
        if self.variant:
            parts.append(re.sub(r"[^\w.,=+-]", "", self.variant))
        if self.sparsity is not None:
            parts.append(f"sparsity={self.sparsity:g}")
        return pathlib.Path(*parts, f"seed={self.seed}")

    def bindings(self, directory):
        """Returns the gin bindings of the run.

        Args:
            directory: Path of the sweep.

        Returns:
            List of strings.
        """
        bindings = [f"SEED = {self.seed}"]
        if self.sparsity is not None:
            bindings.append(f"SPARSITY = {self.sparsity}")
        if self.distribution is not None:
            bindings.append(f"DISTRIBUTION = {self.distribution!r}")
        if self.source is not None:
            source = pathlib.Path(directory) / self.source.path
            bindings.append(f"SOURCE = {str(source)!r}")
        return [*bindings, *self.settings, *self._best(directory)]

    @property
    def others(self):
        """List of the `Run` that must be finished before this run."""
        trials = [run for way in self.tried for run in way]
        return trials if self.source is None else [*trials, self.source]

    @property
    def level(self):
        """Integer, 0 without `others`, else one more than theirs."""
        return 1 + max((run.level for run in self.others), default=-1)

    def _best(self, directory):
        """Returns the settings with the best validation accuracy."""

        def accuracy(runs):
            return statistics.mean(validated(run) for run in runs)

        def validated(run):
            record = results.find(pathlib.Path(directory) / run.path)
            if record is None:
                raise ValueError(
                    f"The settings of {self.path} depend on {run.path}, which "
                    "is not finished. Train that run first."
                )
            return record.final_val_accuracy

        return max(self.tried, key=accuracy)[0].settings if self.tried else ()


def grid(
    tasks,
    methods,
    sparsities,
    seeds,
    distributions=(None,),
    settings=None,
    axes=None,
    tried=None,
    tried_at=None,
    tried_seeds=(),
):
    """Returns the runs of all combinations, in order, then the trials.

    Args:
        tasks: List of strings.
        methods: List of strings. `"dense"` has no sparsity; `"dense"` and
            `"small_dense"` have no distribution.
        sparsities: List of floats.
        seeds: List of integers.
        distributions: List of strings; `None` for the distribution in the
            method's file.
        settings: Dictionary from a method to a list of additional bindings.
        axes: Dictionary from the name of a setting, such as `'ALPHA'`, to a
            list of values; or from the names of settings that change
            together, such as `'ALPHA, INTERVAL'`, to a list of tuples.
        tried: Dictionary from a method to a list of lists of bindings, the
            same number for each method, or one list of lists for all methods.
            For each task, every list is tried; the runs of the method use the
            list with the best validation accuracy.
        tried_at: Float, the sparsity of the trials.
        tried_seeds: List of integers, the seeds of the trials. Trials do not
            use `settings`.

    Returns:
        List of `Run`.

    Raises:
        ValueError: If `settings` or `tried` have a method that is not in
            `methods`; `tried` has different numbers of lists, no seeds or no
            sparsity, or a name that other arguments set.
    """
    settings, tried = settings or {}, tried or {}
    if isinstance(tried, list):
        tried = dict.fromkeys(methods, tried)
    for name, given in (("settings", settings), ("tried", tried)):
        if not given.keys() <= set(methods):
            raise ValueError(
                f"`{name}` must be for methods of the sweep. "
                f"Received: {name}={given!r}, methods={methods!r}."
            )
    if len({len(ways) for ways in tried.values()}) > 1:
        raise ValueError(
            "`tried` must have the same number of settings for each method. "
            f"Received: tried={tried!r}."
        )
    if tried and (tried_at is None or not tried_seeds):
        raise ValueError(
            "`tried` needs the sparsity and the seeds of its trials. Received: "
            f"tried_at={tried_at}, tried_seeds={tried_seeds!r}."
        )
    others = [name.strip() for names in axes or {} for name in names.split(",")]
    if any(name is not None for name in distributions):
        others.append("DISTRIBUTION")
    for method, ways in tried.items():
        fixed = {*others, *map(_name, settings.get(method, ()))}
        if both := sorted(
            fixed & {_name(text) for way in ways for text in way}
        ):
            raise ValueError(
                f"`tried` must not have {', '.join(both)}, which another "
                f"argument sets. Received: tried={ways!r} for {method!r}."
            )
    trials = {
        (task, method): make_trials(task, method, ways, tried_at, tried_seeds)
        for task in tasks
        for method, ways in tried.items()
    }
    runs = [
        Run(
            task,
            method,
            distribution,
            sparsity,
            seed,
            settings=(*settings.get(method, ()), *point),
            variant=",".join(point).replace(" ", ""),
            tried=trials.get((task, method), ()),
        )
        for task in tasks
        for method in methods
        for distribution in (
            [None]
            if pathlib.Path(method).stem in ("dense", "small_dense")
            else distributions
        )
        for sparsity in ([None] if method == "dense" else sparsities)
        for point in _points(axes or {})
        for seed in seeds
    ]
    return [
        *runs,
        *(run for ways in trials.values() for way in ways for run in way),
    ]


def make_trials(task, method, ways, sparsity, seeds):
    """Returns the trials of settings of a method.

    Args:
        task: String.
        method: String.
        ways: List of lists of bindings.
        sparsity: Float.
        seeds: List of integers.

    Returns:
        Tuple of tuples of `Run`: for each list of bindings, one trial per seed.
    """
    return tuple(
        tuple(
            Run(
                task,
                method,
                None,
                None if method == "dense" else sparsity,
                seed,
                settings=tuple(way),
                variant=",".join(way).replace(" ", ""),
                is_trial=True,
            )
            for seed in seeds
        )
        for way in ways
    )


def _name(binding):
    """Returns the name that a gin binding sets."""
    return binding.partition("=")[0].strip()


def _points(axes):
    """Returns a list of bindings for every combination of values."""
    ways = [
        [_bound(names, value) for value in values]
        for names, values in axes.items()
    ]
    return [sum(point, []) for point in itertools.product(*ways)]


def _bound(names, value):
    names = [name.strip() for name in names.split(",")]
    values = value if len(names) > 1 else [value]
    return [f"{n} = {v!r}" for n, v in zip(names, values, strict=True)]
