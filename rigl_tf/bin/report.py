"""Prints the table of all records below a directory and draws them.

rigl-report --runs=runs
rigl-report --runs=runs --masks=dense2
"""

import pathlib

import keras
from absl import flags

from rigl_tf import plots
from rigl_tf import results
from rigl_tf.bin import command

_RUNS = flags.DEFINE_string("runs", "runs", "Directory of the runs.")
_MASKS = flags.DEFINE_string(
    "masks", None, "Draw this kernel's mask in the first run of each kind."
)


def show(directory, kernel=None):
    """Prints the table; writes it and figures into the directory.

    Args:
        directory: Path below which the records are.
        kernel: String, the kernel whose masks to draw, or `None`.

    Raises:
        ValueError: If there are no records, or a model has no such kernel.
    """
    directory = pathlib.Path(directory)
    records = results.read_all(directory)
    if not records:
        raise ValueError(
            f"There is no finished run below {directory}. Train one with "
            "rigl-train or rigl-sweep."
        )
    report = [results.table(records.values())]
    report += filter(None, [results.tickets(records.values())])
    names = _kernel_names(records.values())
    if kernel is not None and kernel not in names:
        raise ValueError(
            f"No sparse run below {directory} has a kernel {kernel!r}. "
            f"Kernels: {', '.join(names)}."
        )
    figures = directory / "figures"
    for task in sorted({record.task for record in records.values()}):
        runs = {p: r for p, r in records.items() if r.task == task}
        if len(results.settings(results.group(runs.values()))) > 1:
            report += [f"{task}:", results.comparison(runs.values())]
        for draw in (
            plots.accuracy,
            plots.flops,
            plots.densities,
            plots.active,
        ):
            draw(list(runs.values()), figures / task / f"{draw.__name__}.png")
        if kernel in _kernel_names(runs.values()):
            plots.masks(_kernels(runs, kernel), figures / task / "masks.png")
    text = "\n\n".join(report)
    print(text)
    (directory / "table.md").write_text(text + "\n", encoding="utf-8")
    print(f"\nFigures: {figures}")


def _kernel_names(records):
    """Those of all sparse runs, each once."""
    return dict.fromkeys(name for r in records for name in r.densities)


def _kernels(records, name):
    """The kernel of a name in the first run of each kind that has one."""
    first = {}
    for path, record in records.items():
        if name in record.densities:
            first.setdefault(str(record.kind), path)
    found = {}
    for kind, path in first.items():
        model = keras.saving.load_model(path / "model.keras")
        kernels = {kernel.name: kernel for kernel in model.kernels}
        found[kind] = kernels[name]
    return found


def main():
    """Reports on the directory that the flags name."""
    show(_RUNS.value, _MASKS.value)


def run():
    """Entry point of `rigl-report`."""
    command.run(main)


if __name__ == "__main__":
    run()
