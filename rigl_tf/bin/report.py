"""Prints and draws tables and figures of finished runs.

Its help and flags are in `rigl_cli.report`.
"""

import pathlib

from rigl_tf import results
from rigl_tf.bin import module_flag
from rigl_tf.bin import paper_flags
from rigl_tf.papers import paper_report
from rigl_tf.results import grouping
from rigl_tf.results import plots
from rigl_tf.results import reports
from rigl_tf.results.plots import curves
from rigl_tf.utils import files
from rigl_tf.utils import text_tables

_MAX_CURVES = 20  # in a panel
_MAX_PANELS = 40  # in a figure


def show(directory, kernel=None, form="markdown"):
    """Prints the table; writes the table and figures to the directory.

    Args:
        directory: Path of the directory that contains the records.
        kernel: String, the kernel whose masks to draw, or `None`.
        form: String, a key of `text_tables.FORMATS`.

    No file is written outside of the directory, even if its records are not
    trusted: file names come from `files.name`, and links are not followed.

    Raises:
        ValueError: If there are no records, if a record is invalid, or if no
            run has the kernel.
    """
    directory = pathlib.Path(directory)
    records = results.read_all(directory)
    if not records:
        raise ValueError(
            f"There is no finished run below {directory}. Train a run with "
            "rigl-train or rigl-sweep."
        )
    names = _kernel_names(records.values())
    if kernel is not None and kernel not in names:
        raise ValueError(
            f"No sparse run below {directory} has a kernel {kernel!r}. "
            f"Kernels: {', '.join(names)}."
        )
    tasks = {}
    for path, record in records.items():
        tasks.setdefault(files.name(record.task), {})[path] = record
    _print_conflicts(records)
    rates = {name for name in tasks if _compares_rates(name, tasks[name])}
    tables = _tables(records.values(), tasks, rates, text_tables.PRINTED[form])
    for name, text in tables.items():
        print(f"{name}:\n\n{text}\n", flush=True)
    tables = _tables(records.values(), tasks, rates, text_tables.FORMATS[form])
    for name, text in tables.items():  # the disk may refuse
        path = directory / f"{name}.{text_tables.ENDINGS[form]}"
        files.write(path, text + "\n")
        print(f"Table: {path}", flush=True)
    for name, runs in sorted(tasks.items()):
        figures = files.folder(directory, "figures", name)
        for plot in _plots(list(runs.values()), name in rates):
            _draw(plot, list(runs.values()), figures)
        if kernel in _kernel_names(runs.values()):
            path = figures / "masks.png"
            plots.masks(paper_report.load_kernels(runs, kernel), path)
            print(f"Figure: {path}")


def _print_conflicts(records):
    """Prints a line for runs that should have the same results."""
    paths = {
        id(record): text_tables.shown(str(path))
        for path, record in records.items()
    }
    for runs in grouping.conflicts(records.values()):
        print(
            f"Warning: {len(runs)} runs of seed {runs[0].seed} have the same "
            "method and settings, but different results: "
            f"{', '.join(paths[id(run)] for run in runs)}. Each counts as a "
            "seed. Move one out of the directory, or give their methods "
            "different names.\n"
        )


def _compares_rates(name, runs):
    """Returns whether the runs of a task compare learning rates."""
    records = grouping.with_learning_rate(runs.values())
    if "LEARNING_RATE" not in grouping.varied_settings(records):
        return False
    try:
        grouping.best_by_learning_rate(records)
    except ValueError as error:
        print(f"The learning rates of {name} are not compared: {error}\n")
        return False
    return True


def _tables(records, tasks, rates, format_table):
    """Returns a dictionary from the name of a table to its text."""
    texts = {
        "table": reports.table(records, format_table),
        "tickets": reports.tickets(records, format_table),
    }
    for name, runs in sorted(tasks.items()):
        if len(grouping.settings(grouping.group(runs.values()))) > 1:
            texts[_free_name(name, texts)] = reports.comparison(
                runs.values(), formatter=format_table
            )
        if name in rates:
            free = _free_name(f"{name}_learning_rates", texts)
            texts[free] = reports.learning_rates(runs.values(), format_table)
    return {name: text for name, text in texts.items() if text}


def _free_name(name, taken):
    """Returns a name like `name` that no other table has."""
    while name in taken:
        name += "_"
    return name


def _draw(plot, records, folder):
    path = folder / f"{plot.__name__}.png"
    try:
        plot(records, path)
    except Exception as error:  # Matplotlib can raise anything
        raise ValueError(
            f"{path} cannot be drawn from these records: {error}"
        ) from error
    print(f"Figure: {path}", flush=True)


def _plots(records, compares_rates):
    """Yields the functions of `results.plots` that apply to the records."""
    groups = grouping.group(records)
    panels = len(grouping.settings(groups))
    has_accuracy = all("accuracy" in record.test for record in records)
    if len(groups) <= _MAX_CURVES * panels and panels <= _MAX_PANELS:
        if has_accuracy:
            yield plots.accuracy_by_method
        yield plots.accuracy
        if any(curves.moves_masks(record) for record in records):
            yield plots.mask_changes
        if any(curves.changes(record, "flops") for record in records):
            yield plots.flops
        if any(record.densities for record in records):
            yield plots.densities
    if not has_accuracy:
        return
    if len({group.sparsity for group in groups} - {0.0}) > 1:
        yield from (plots.accuracy_by_density, plots.accuracy_by_flops)
    if len({r.sparsity for r in records if r.ticket}) > 1:
        yield plots.before_by_density
    if any(record.ticket.get("checks") for record in records):
        yield plots.checks_by_density
    if compares_rates:
        yield plots.accuracy_by_learning_rate
    if grouping.varied_settings(records) == ["ALPHA", "INTERVAL"]:
        yield plots.trials


def _kernel_names(records):
    """Returns the names of the kernels of all sparse runs, without repeats."""
    return dict.fromkeys(name for r in records for name in r.densities)


def main(flags):
    """Reports on the records that the flags select."""
    module_flag.import_all(flags)
    name, paper = paper_flags.paper(flags)
    if paper is None:
        show(flags.runs, flags.masks, flags.format)
        return
    item = paper_flags.item(flags, paper)
    paper_report.show(
        name,
        item,
        flags.runs,
        paper_flags.task(flags),
        flags.format,
        flags.masks,
    )


if __name__ == "__main__":
    from rigl_cli.report import run

    run()
