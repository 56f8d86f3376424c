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
        distribution: String, or `None` for what the method's file says.
        sparsity: Float, or `None` where there is none.
        seed: Integer.
        settings: Tuple of further bindings.
        variant: String, what tells it from other runs of the sweep besides.
        source: The `Run` of the sweep that it starts from, or `None`.
        tried: Tuple of tuples of `Run`, each with other settings and several
            seeds. The run takes the settings with the best mean accuracy on
            validation data.
        is_trial: Whether it is one of those. `rigl-report` leaves it out.
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
        """Where the run goes, below the sweep's directory."""
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
        """What the run sets in gin, if the sweep goes to a directory."""
        bindings = [f"SEED = {self.seed}"]
        if self.sparsity is not None:
            bindings.append(f"SPARSITY = {self.sparsity}")
        if self.distribution is not None:
            bindings.append(f"DISTRIBUTION = {self.distribution!r}")
        if self.source is not None:
            place = pathlib.Path(directory) / self.source.path
            bindings.append(f"SOURCE = {str(place)!r}")
        return [*bindings, *self.settings, *self._best(directory)]

    @property
    def waits(self):
        """Whether other runs have to be finished first."""
        return self.source is not None or bool(self.tried)

    def _best(self, directory):
        """The settings of the trials that are best on validation data."""

        def accuracy(runs):
            return statistics.mean(validated(run) for run in runs)

        def validated(run):
            place = pathlib.Path(directory) / run.path
            record = results.find(place)
            if record is None:
                raise ValueError(
                    f"Settings of {self.path} are chosen by {run.path}, which "
                    "is not finished. Train that run first."
                )
            return record.validated

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
    """Every combination, in order.

    `"dense"` has no sparsity, and it and `"small_dense"` no distribution:
    `None` stands for what a method's file says. `settings` is a dictionary
    from a method to a list of further bindings. `axes` is one from the name
    of a setting, such as `'ALPHA'`, or the names of several that change
    together, such as `'ALPHA, INTERVAL'`, to a list of values or of tuples.

    `tried` is a dictionary from a method to a list of lists of bindings, as
    many for each method. For each task, they are tried at the sparsity
    `tried_at` with `tried_seeds`, without `settings`, and the runs of the
    method take those that are best on validation data.
    """
    settings, tried = settings or {}, tried or {}
    for name, given in (("settings", settings), ("tried", tried)):
        if not given.keys() <= set(methods):
            raise ValueError(
                f"`{name}` are for methods that are not in the sweep. "
                f"Received: {name}={given!r}."
            )
    if len({len(ways) for ways in tried.values()}) > 1:
        raise ValueError(
            "`tried` must have as many settings for each method. "
            f"Received: tried={tried!r}."
        )
    trials = {
        (task, method): tuple(
            tuple(
                Run(
                    task,
                    method,
                    None,
                    tried_at,
                    seed,
                    settings=tuple(way),
                    variant=",".join(way).replace(" ", ""),
                    is_trial=True,
                )
                for seed in tried_seeds
            )
            for way in ways
        )
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
        for distribution in ([None] if "dense" in method else distributions)
        for sparsity in ([None] if method == "dense" else sparsities)
        for point in _points(axes or {})
        for seed in seeds
    ]
    return [
        *runs,
        *(run for ways in trials.values() for way in ways for run in way),
    ]


def _points(axes):
    """Lists of bindings, one for every combination of values."""
    ways = [
        [_bound(names, value) for value in values]
        for names, values in axes.items()
    ]
    return [sum(point, []) for point in itertools.product(*ways)]


def _bound(names, value):
    names = [name.strip() for name in names.split(",")]
    values = value if len(names) > 1 else [value]
    return [f"{n} = {v!r}" for n, v in zip(names, values, strict=True)]
