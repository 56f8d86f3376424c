"""The runs of a sweep."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a sweep."""

    task: str
    method: str
    distribution: str | None
    sparsity: float | None
    seed: int
    settings: tuple = ()

    @property
    def path(self):
        """Where the run goes, below the sweep's directory."""
        parts = [pathlib.Path(n).stem for n in (self.task, self.method)]
        if self.distribution is not None:
            parts.append(self.distribution)
        if self.sparsity is not None:
            parts.append(f"sparsity={self.sparsity:g}")
        return pathlib.Path(*parts, f"seed={self.seed}")

    @property
    def bindings(self):
        """What the run sets in gin."""
        bindings = [f"SEED = {self.seed}"]
        if self.sparsity is not None:
            bindings.append(f"SPARSITY = {self.sparsity}")
        if self.distribution is not None:
            bindings.append(f"DISTRIBUTION = {self.distribution!r}")
        return [*bindings, *self.settings]


def grid(
    tasks, methods, sparsities, seeds, distributions=(None,), settings=None
):
    """Every combination, in order.

    `"dense"` has no sparsity, and it and `"small_dense"` no distribution:
    `None` stands for what a method's file says. `settings` is a dictionary
    from a method to a list of further bindings.
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
            tuple(settings.get(method, ())),
        )
        for task in tasks
        for method in methods
        for distribution in ([None] if "dense" in method else distributions)
        for sparsity in ([None] if method == "dense" else sparsities)
        for seed in seeds
    ]
