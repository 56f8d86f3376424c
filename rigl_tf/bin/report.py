"""Prints a table of all records below a directory and plots them.

rigl-report --runs=runs
rigl-report --runs=runs --masks=dense2

A table or figure of a paper from such records, compared with the paper:

rigl-report --paper=rigl_reproduction --table=2 --runs=runs
rigl-report --paper=rigl_reproduction --table=2 --runs=runs --format=latex
"""

import pathlib

from absl import flags

from rigl_tf import results
from rigl_tf.bin import cli
from rigl_tf.bin import paper_flags
from rigl_tf.papers import paper_report
from rigl_tf.results import grouping
from rigl_tf.results import plots
from rigl_tf.results import reports
from rigl_tf.utils import files
from rigl_tf.utils import text_tables

_RUNS = flags.DEFINE_string("runs", "runs", "Directory of the runs.")
_MASKS = flags.DEFINE_string(
    "masks", None, "Kernel whose mask is drawn for the first run of each group."
)


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
    format_table = text_tables.FORMATS[form]
    texts = {
        "table": reports.table(records.values(), format_table),
        "tickets": reports.tickets(records.values(), format_table),
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
        if len(grouping.settings(grouping.group(runs.values()))) > 1:
            texts[_free_name(name, texts)] = reports.comparison(
                runs.values(), formatter=format_table
            )
        if "LEARNING_RATE" in grouping.varied_settings(
            grouping.with_learning_rate(runs.values())
        ):
            free = _free_name(f"{name}_learning_rates", texts)
            texts[free] = reports.learning_rates(runs.values(), format_table)
    texts = {name: text for name, text in texts.items() if text}
    for name, text in texts.items():
        print(f"{name}:\n\n{text}\n", flush=True)
    for name, text in texts.items():  # the disk may refuse
        path = directory / f"{name}.{text_tables.ENDINGS[form]}"
        files.write(path, text + "\n")
    for name, runs in sorted(tasks.items()):
        figures = files.folder(directory, "figures", name)
        for plot in _plots(list(runs.values())):
            _draw(plot, list(runs.values()), figures)
        if kernel in _kernel_names(runs.values()):
            plots.masks(
                paper_report.load_kernels(runs, kernel), figures / "masks.png"
            )
    print(f"Figures: {directory / 'figures'}")


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


def _plots(records):
    """Yields the functions of `results.plots` that apply to the records."""
    groups = grouping.group(records)
    tuned = grouping.varied_settings(records)
    panels = len(grouping.settings(groups))
    if len(groups) <= _MAX_CURVES * panels and panels <= _MAX_PANELS:
        yield from (
            plots.accuracy,
            plots.flops,
            plots.densities,
            plots.active,
        )
    if any("accuracy" not in record.test for record in records):
        return
    if len({group.sparsity for group in groups} - {0.0}) > 1:
        yield from (plots.accuracy_by_density, plots.accuracy_by_flops)
        if any(record.ticket for record in records):
            yield plots.before_by_density
    if any(record.ticket.get("checks") for record in records):
        yield plots.checks_by_density
    if "LEARNING_RATE" in grouping.varied_settings(
        grouping.with_learning_rate(records)
    ):
        yield plots.accuracy_by_learning_rate
    if tuned == ["ALPHA", "INTERVAL"]:
        yield plots.trials


def _kernel_names(records):
    """Returns the names of the kernels of all sparse runs, without repeats."""
    return dict.fromkeys(name for r in records for name in r.densities)


def main():
    """Reports on the records that the flags select."""
    name, paper = paper_flags.paper()
    form = cli.formats(text_tables.FORMATS, max_formats=1)[0]
    if paper is None:
        show(_RUNS.value, _MASKS.value, form)
        return
    item = paper_flags.item(paper)
    paper_report.show(
        name, item, _RUNS.value, paper_flags.task(), form, _MASKS.value
    )


def run():
    """Entry point of `rigl-report`."""
    cli.run(main)


if __name__ == "__main__":
    run()
