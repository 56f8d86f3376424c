"""Prints the table of all records below a directory and draws them.

rigl-report --runs=runs
rigl-report --runs=runs --masks=dense2

A table or figure of a paper from such records, beside the paper's numbers:

rigl-report --paper=rigl_reproduction --table=2 --runs=runs
rigl-report --paper=rigl_reproduction --table=2 --runs=runs --format=latex
"""

import pathlib

from absl import flags

from rigl_tf import files
from rigl_tf import kinds
from rigl_tf import plots
from rigl_tf import reports
from rigl_tf import results
from rigl_tf import tables
from rigl_tf.bin import beside
from rigl_tf.bin import command
from rigl_tf.bin import items

_RUNS = flags.DEFINE_string("runs", "runs", "Directory of the runs.")
_MASKS = flags.DEFINE_string(
    "masks", None, "Draw this kernel's mask in the first run of each kind."
)


_MOST_CURVES = 20  # in a panel
_MOST_PANELS = 40  # in a figure


def show(directory, kernel=None, form="markdown"):
    """Prints the table; writes it and figures into the directory.

    Args:
        directory: Path below which the records are.
        kernel: String, the kernel whose masks to draw, or `None`.
        form: String, a key of `tables.FORMATS`.

    Nothing is written outside of the directory, whoever made it: names are
    those of `files.name`, and links are not followed.

    Raises:
        ValueError: If there are no records, one is not what it should be, or
            a model has no such kernel.
    """
    directory = pathlib.Path(directory)
    records = results.read_all(directory)
    if not records:
        raise ValueError(
            f"There is no finished run below {directory}. Train one with "
            "rigl-train or rigl-sweep."
        )
    layout = tables.FORMATS[form]
    found = {
        "table": reports.table(records.values(), layout),
        "tickets": reports.tickets(records.values(), layout),
    }
    names = _kernel_names(records.values())
    if kernel is not None and kernel not in names:
        raise ValueError(
            f"No sparse run below {directory} has a kernel {kernel!r}. "
            f"Kernels: {', '.join(names)}."
        )
    tasks = {}
    for path, record in records.items():
        tasks.setdefault(files.name(record.task), {})[path] = record
    for name, runs in sorted(tasks.items()):
        if len(kinds.settings(kinds.group(runs.values()))) > 1:
            free = _free(name, found)
            found[free] = reports.comparison(runs.values(), layout=layout)
        if "LEARNING_RATE" in kinds.tuned(kinds.rated(runs.values())):
            free = _free(f"{name}_learning_rates", found)
            found[free] = reports.learning_rates(runs.values(), layout)
    found = {name: text for name, text in found.items() if text}
    for name, text in found.items():
        print(f"{name}:\n\n{text}\n", flush=True)
    for name, text in found.items():  # if the disk lets itself be written to
        files.write(directory / f"{name}.{tables.ENDINGS[form]}", text + "\n")
    for name, runs in sorted(tasks.items()):
        figures = files.folder(directory, "figures", name)
        for draw in _figures(list(runs.values())):
            _drawn(draw, list(runs.values()), figures)
        if kernel in _kernel_names(runs.values()):
            plots.masks(beside.kernels(runs, kernel), figures / "masks.png")
    print(f"Figures: {directory / 'figures'}")


def _free(name, taken):
    """A name like this that no other table has, whatever tasks are called."""
    while name in taken:
        name += "_"
    return name


def _drawn(draw, records, folder):
    path = folder / f"{draw.__name__}.png"
    try:
        draw(records, path)
    except Exception as error:  # Matplotlib raises anything
        raise ValueError(
            f"{path} cannot be drawn of these records: {error}"
        ) from error


def _figures(records):
    """The functions of `rigl_tf.plots` that say something about records."""
    groups = kinds.group(records)
    tuned = kinds.tuned(records)
    panels = len(kinds.settings(groups))
    if len(groups) <= _MOST_CURVES * panels and panels <= _MOST_PANELS:
        yield from (
            plots.accuracy,
            plots.flops,
            plots.densities,
            plots.active,
        )
    if any("accuracy" not in record.test for record in records):
        return
    if len({kind.sparsity for kind in groups} - {0.0}) > 1:
        yield from (plots.accuracy_by_density, plots.accuracy_by_flops)
        if any(record.ticket for record in records):
            yield plots.before_by_density
    if any(record.ticket.get("checks") for record in records):
        yield plots.checks_by_density
    if "LEARNING_RATE" in kinds.tuned(kinds.rated(records)):
        yield plots.accuracy_by_learning_rate
    if tuned == ["ALPHA", "INTERVAL"]:
        yield plots.trials


def _kernel_names(records):
    """Those of all sparse runs, each once."""
    return dict.fromkeys(name for r in records for name in r.densities)


def main():
    """Reports on what the flags name."""
    name, paper = items.paper()
    form = command.formats(tables.FORMATS, most=1)[0]
    if paper is None:
        show(_RUNS.value, _MASKS.value, form)
        return
    item = items.item(paper)
    beside.show(name, item, _RUNS.value, items.task(), form, _MASKS.value)


def run():
    """Entry point of `rigl-report`."""
    command.run(main)


if __name__ == "__main__":
    run()
