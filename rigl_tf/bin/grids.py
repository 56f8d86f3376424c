"""The runs of a sweep."""

import dataclasses
import itertools
import pathlib
import re


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
    """

    task: str
    method: str
    distribution: str | None
    sparsity: float | None
    seed: int
    settings: tuple = ()
    variant: str = ""
    source: "Run | None" = None

    @property
    def path(self):
        """Where the run goes, below the sweep's directory."""
        parts = [
            pathlib.Path(name).stem if name.endswith(".gin") else name
            for name in (self.task, self.method)
        ]
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
        return [*bindings, *self.settings]


def grid(
    tasks,
    methods,
    sparsities,
    seeds,
    distributions=(None,),
    settings=None,
    axes=None,
):
    """Every combination, in order.

    `"dense"` has no sparsity, and it and `"small_dense"` no distribution:
    `None` stands for what a method's file says. `settings` is a dictionary
    from a method to a list of further bindings. `axes` is one from the name
    of a setting, such as `'ALPHA'`, or the names of several that change
    together, such as `'ALPHA, INTERVAL'`, to a list of values or of tuples.
    """
    settings = settings or {}
    if not settings.keys() <= set(methods):
        raise ValueError(
            "`settings` are for methods that are not in the sweep. "
            f"Received: settings={settings!r}."
        )
    return [
        Run(
            task,
            method,
            distribution,
            sparsity,
            seed,
            settings=(*settings.get(method, ()), *point),
            variant=",".join(point).replace(" ", ""),
        )
        for task in tasks
        for method in methods
        for distribution in ([None] if "dense" in method else distributions)
        for sparsity in ([None] if method == "dense" else sparsities)
        for point in _points(axes or {})
        for seed in seeds
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
