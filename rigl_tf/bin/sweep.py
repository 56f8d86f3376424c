"""Trains every run of a sweep, skipping those that are finished.

rigl-sweep --sweep=digits --list
rigl-sweep --sweep=digits --output_dir=runs
rigl-sweep --sweep=digits --output_dir=runs --index=7
"""

import dataclasses
import pathlib
import time

import gin
from absl import flags

from rigl_tf.bin import command
from rigl_tf.bin import configs
from rigl_tf.bin import report
from rigl_tf.bin import train

_SWEEP = flags.DEFINE_string("sweep", None, "A file in gin_configs/sweeps.")
_SWEEP_DIR = "output_dir"  # rigl-train's flag
_LIST = flags.DEFINE_bool("list", False, "Print the numbered runs and stop.")
_INDEX = flags.DEFINE_integer("index", None, "Do only the run of this number.")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a sweep."""

    task: str
    method: str
    distribution: str | None
    sparsity: float | None
    seed: int

    @property
    def path(self):
        """Where the run goes, below the sweep's directory."""
        parts = [self.task, self.method]
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
        return bindings


def grid(tasks, methods, sparsities, seeds, distributions=(None,)):
    """Every combination, in order.

    `"dense"` has no sparsity, and it and `"small_dense"` no distribution:
    `None` stands for what a method's file says.
    """
    return [
        Run(task, method, distribution, sparsity, seed)
        for task in tasks
        for method in methods
        for distribution in ([None] if "dense" in method else distributions)
        for sparsity in ([None] if method == "dense" else sparsities)
        for seed in seeds
    ]


def main():
    """Lists or trains the runs that the flags describe."""
    for flag in flags.FLAGS.get_flags_for_module(train):
        if flag.present and flag.name != _SWEEP_DIR:
            raise ValueError(
                f"--{flag.name} is for rigl-train. What the runs of a sweep "
                "are is written in its file in gin_configs/sweeps."
            )
    if _SWEEP.value is None:
        raise ValueError("Say which sweep: --sweep=digits. See --help.")
    with configs.parsed([configs.find("sweeps", _SWEEP.value)], []):
        runs = gin.get_configurable(grid)()
    if _LIST.value:
        for number, run in enumerate(runs):
            print(f"{number:4d}  {run.path}")
        return
    if _INDEX.value is not None:
        if not 0 <= _INDEX.value < len(runs):
            raise ValueError(
                f"--index must be between 0 and {len(runs) - 1}. "
                f"Received: {_INDEX.value}."
            )
        runs = runs[_INDEX.value :][:1]
    output_dir = flags.FLAGS[_SWEEP_DIR].value
    if output_dir is None:
        raise ValueError("Say where the runs go: --output_dir=runs.")
    output_dir = pathlib.Path(output_dir)
    start = time.monotonic()
    for number, run in enumerate(runs, 1):
        print(f"[{number}/{len(runs)}] {run.path}", end="  ", flush=True)
        record = train.run_one(
            [
                configs.find("tasks", run.task),
                configs.find("methods", run.method),
            ],
            run.bindings,
            output_dir / run.path,
            resume=True,
            verbose=0,
        )
        print(
            f"test accuracy {100 * record.test['accuracy']:.2f} %, "
            f"{record.seconds:.0f} s",
            flush=True,
        )
    print(f"{len(runs)} runs in {time.monotonic() - start:.0f} s\n")
    report.show(output_dir)


def run():
    """Entry point of `rigl-sweep`."""
    command.run(main)


if __name__ == "__main__":
    run()
