"""A table or figure of a paper from our records."""

import collections
import functools
import json
import pathlib

from rigl_tf import results
from rigl_tf.experiments.run_model import load_model
from rigl_tf.papers import comparison
from rigl_tf.papers import table_runs
from rigl_tf.results import grouping
from rigl_tf.results import plots
from rigl_tf.utils import files
from rigl_tf.utils import text_tables


def show(name, item, directory, task=None, form="markdown", kernel=None):
    """Prints a paper's table beside our numbers; writes it and its figures.

    Args:
        name: String, the paper's.
        item: `papers.Item`.
        directory: Path below which the records are.
        task: String, the task that was trained instead of the paper's.
        form: String, a key of `tables.FORMATS`.
        kernel: String, the kernel whose masks to draw, or `None` for the
            one that the figure shows.

    Raises:
        ValueError: If it takes no training.
    """
    if not item.rows:
        raise ValueError(
            f"{item.name} takes no training: {item.test} has its numbers."
        )
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(
            f"There is no directory {directory}. Train runs with rigl-sweep "
            "and the same --paper, or say where they are: --runs."
        )
    item = table_runs.on(item, task)
    paths = results.read_all(directory)
    found = _finder(item, paths, directory, task)
    rows = comparison.compare(
        item,
        lambda row, number: [paths[path] for path in found(row, number)],
        with_difference=task is None,
    )
    text = text_tables.FORMATS[form](rows)
    print(text)
    stem = f"{name} {item.name}".lower().replace(" ", "_")
    table = directory / f"{stem}.{text_tables.ENDINGS[form]}"
    files.write(table, text + "\n")
    print(f"\nTable: {table}")
    by_task = collections.defaultdict(dict)
    for row in item.rows:
        for number in range(len(row.settings)):
            for path in found(row, number):
                by_task[paths[path].task][path] = paths[path]
    if item.figures and not by_task:
        print("No figure: nothing of it was run.")
    for trained, runs in by_task.items():
        for figure in item.figures:
            drawn = f"{stem}_{figure}_{files.name(trained)}.png"
            path = files.folder(directory, "figures") / drawn
            if figure == "masks":
                shown = kernel or (item.kernel if task is None else None)
                plots.masks(kernels(runs, shown), path)
            elif figure == "trials":
                names, values = _reference(item, found, paths)
                plots.trials(list(runs.values()), path, *names, values)
            else:
                getattr(plots, figure)(list(runs.values()), path)
            print(f"Figure: {path}")


def _reference(item, found, paths):
    """Names of what is tuned, and the values in rows that are not, if run."""
    names = next(row.tuned for row in item.rows if row.tuned)
    for row in item.rows:
        for path in () if row.tuned else found(row, 0):
            return names, [paths[path].settings[name] for name in names]
    return names, None


def kernels(records, name=None):
    """A kernel in the first run of each kind.

    Args:
        records: Dictionary from the path of a run to its `Record`.
        name: String, or `None` for the first kernel that is masked.

    Returns:
        Dictionary from a kind, as a string, to the `SparseKernel` in it.

    Raises:
        ValueError: If no run has such a kernel.
    """
    names = dict.fromkeys(n for r in records.values() for n in r.densities)
    if name not in (None, *names):
        raise ValueError(
            f"No run has a kernel {name!r}. Kernels: {', '.join(names)}."
        )
    first = {}
    for path, record in records.items():
        if record.densities and name in (None, *record.densities):
            first.setdefault(str(grouping.of(record)), path)
    found = {}
    for kind, path in first.items():
        wanted = name or next(iter(records[path].densities))
        model = load_model(path)
        named = {k.name: k for k in getattr(model, "kernels", ())}
        if wanted not in named:
            raise ValueError(
                f"The model in {path} has no kernel {wanted!r}, and its record "
                f"has. Kernels: {', '.join(named)}."
            )
        found[kind] = named[wanted]
    return found


def _finder(item, paths, directory, task):
    """Function of a row and the number of a sparsity to paths of runs."""

    @functools.cache
    def by_settings(tuned):
        found = collections.defaultdict(dict)
        for path, record in sorted(paths.items()):
            values = [record.settings.get(name) for name in tuned]
            if not all(type(value) in (int, float) for value in values):
                continue
            key = _key(
                record.task, record.method, record.settings, directory, tuned
            )
            # A run may be there twice, for several tables.
            told = [record.settings.get(n) for n in ("SEED", *tuned)]
            found[key].setdefault(tuple(told), path)
        return found

    @functools.cache
    def of(number_of_row, number):
        row = item.rows[number_of_row]
        run = table_runs.run(row, number, 0, task, item.rows)
        key = _key(*table_runs.described(run), directory, row.tuned)
        there = by_settings(row.tuned)[key].values()
        return [path for path in there if path not in elsewhere(row.tuned)]

    @functools.cache
    def elsewhere(tuned):
        """Runs that are no trials, but in rows of their own."""
        rows = enumerate(item.rows) if tuned else ()
        return {
            path
            for place, row in rows
            if not row.tuned
            for number in range(len(row.settings))
            for path in of(place, number)
        }

    return lambda row, number: of(item.rows.index(row), number)


def _key(task, method, settings, directory, tuned):
    """What runs of a row have in common."""
    left_out = ("SEED", *tuned)
    settings = {n: v for n, v in settings.items() if n not in left_out}
    if "SOURCE" in settings:
        settings["SOURCE"] = _below(directory, settings["SOURCE"])
    return task, method, json.dumps(settings, sort_keys=True)


def _below(directory, source):
    """Where a source is in a directory, wherever that was; without its seed."""
    _, *parts = pathlib.Path("/", source).parts
    for start in range(len(parts)):
        if directory.joinpath(*parts[start:], results.RECORD).exists():
            parts = parts[start:]
            break
    return "/".join(parts[:-1])
