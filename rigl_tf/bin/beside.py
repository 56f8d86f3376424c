"""A table or figure of a paper from our records."""

import collections
import functools
import json
import pathlib

import keras

from rigl_tf import comparisons
from rigl_tf import kinds
from rigl_tf import plots
from rigl_tf import results
from rigl_tf import tables
from rigl_tf.bin import items


def show(name, item, directory, task=None, form="markdown", kernel=None):
    """Prints a paper's table beside our numbers; writes it and its figures.

    Args:
        name: String, the paper's.
        item: `papers.Item`.
        directory: Path below which the records are.
        task: String, the task that was trained instead of the paper's.
        form: String, a key of `tables.FORMATS`.
        kernel: String, the kernel whose masks to draw, or `None` for the
            first that is masked.

    Raises:
        ValueError: If it takes no training.
    """
    if not item.rows:
        raise ValueError(
            f"{item.name} takes no training: {item.test} has its numbers."
        )
    directory = pathlib.Path(directory)
    paths = results.read_all(directory)
    found = _finder(item, paths, directory, task)
    rows = comparisons.compare(
        item,
        lambda row, number: [paths[path] for path in found(row, number)],
        with_difference=task is None,
    )
    text = tables.FORMATS[form](rows)
    print(text)
    stem = f"{name} {item.name}".lower().replace(" ", "_")
    directory.mkdir(parents=True, exist_ok=True)
    table = directory / f"{stem}.{tables.ENDINGS[form]}"
    table.write_text(text + "\n", encoding="utf-8")
    print(f"\nTable: {table}")
    by_task = collections.defaultdict(dict)
    for row in item.rows:
        for number in range(len(row.settings)):
            for path in found(row, number):
                by_task[paths[path].task][path] = paths[path]
    for trained, runs in by_task.items():
        for figure in item.figures:
            path = directory / "figures" / f"{stem}_{figure}_{trained}.png"
            if figure == "masks":
                plots.masks(kernels(runs, kernel), path)
            else:
                getattr(plots, figure)(list(runs.values()), path)
            print(f"Figure: {path}")


def kernels(records, name=None):
    """A kernel in the first run of each kind.

    Args:
        records: Dictionary from the path of a run to its `Record`.
        name: String, or `None` for the first kernel that is masked.

    Returns:
        Dictionary from a kind, as a string, to the `SparseKernel` in it.
    """
    first = {}
    for path, record in records.items():
        if record.densities and name in (None, *record.densities):
            first.setdefault(str(kinds.of(record)), path)
    found = {}
    for kind, path in first.items():
        model = keras.saving.load_model(path / "model.keras")
        named = {kernel.name: kernel for kernel in model.kernels}
        found[kind] = named[name or next(iter(records[path].densities))]
    return found


def _finder(item, paths, directory, task):
    """Function of a row and the number of a sparsity to paths of runs."""
    by_settings = collections.defaultdict(list)
    for path, record in paths.items():
        key = _key(record.task, record.method, record.settings, directory)
        by_settings[key].append(path)

    @functools.cache
    def of(number_of_row, number):
        row = item.rows[number_of_row]
        run = items.run(row, number, 0, task, item.rows)
        return by_settings[_key(*items.described(run), directory)]

    return lambda row, number: of(item.rows.index(row), number)


def _key(task, method, settings, directory):
    """What runs of a row have in common."""
    settings = {n: v for n, v in settings.items() if n != "SEED"}
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
