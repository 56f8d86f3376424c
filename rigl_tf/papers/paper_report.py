"""Report of a paper's table or figure from our records."""

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


def show(
    name, item, directory, task=None, table_format="markdown", kernel=None
):
    """Prints a paper's table with our numbers; writes it and its figures.

    Args:
        name: String, the name of the paper.
        item: `papers.PaperItem`.
        directory: Path of the directory that contains the runs.
        task: String, the task of the runs if they do not train the paper's
            task, or `None`.
        table_format: String, a key of `text_tables.FORMATS`.
        kernel: String, the name of the kernel whose masks to draw, or `None`
            for the kernel in the paper's figure.

    Raises:
        ValueError: If the item needs no training, there is no directory, or
            there is a kernel but no figure of masks.
    """
    if not item.rows:
        raise ValueError(
            f"{item.name} needs no training: {item.test} has its numbers."
        )
    if kernel is not None and "masks" not in item.figures:
        raise ValueError(
            f"--masks must not be set, because {item.name} has no figure of "
            f"masks. Received: --masks={kernel}. Remove it, or remove --paper."
        )
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(
            f"--runs must be a directory. Received: --runs={directory}. Train "
            "runs with rigl-sweep and the same --paper, or pass their "
            "directory."
        )
    item = table_runs.for_task(item, task)
    paths = results.read_all(directory)
    find_paths = _path_finder(item, paths, directory, task)
    rows = comparison.compare(
        item,
        lambda row, number: [paths[path] for path in find_paths(row, number)],
        with_difference=task is None,
    )
    print(text_tables.PRINTED[table_format](rows))
    stem = f"{name} {item.name}".lower().replace(" ", "_")
    table_stem = f"{stem}_{files.name(task)}" if task else stem
    table = directory / f"{table_stem}.{text_tables.ENDINGS[table_format]}"
    files.write(table, text_tables.FORMATS[table_format](rows) + "\n")
    print(f"\nTable: {table}")
    by_task = collections.defaultdict(dict)
    for row in item.rows:
        for number in range(len(row.settings)):
            for path in find_paths(row, number):
                by_task[paths[path].task][path] = paths[path]
    if not by_task:
        tasks = sorted({record.task for record in paths.values()})
        hint = f" Its runs train {', '.join(tasks)}: see --on." if tasks else ""
        print(f"No finished run below {directory} is in this table.{hint}")
    for trained, runs in by_task.items():
        for figure in item.figures:
            filename = f"{stem}_{figure}_{files.name(trained)}.png"
            path = files.folder(directory, "figures") / filename
            if figure == "masks":
                drawn = kernel or (item.kernel if task is None else None)
                plots.masks(load_kernels(runs, drawn), path)
            elif figure == "trials":
                (x, y), values = _reference(item, find_paths, paths)
                plots.trials(list(runs.values()), path, x, y, values)
            else:
                getattr(plots, figure)(list(runs.values()), path)
            print(f"Figure: {path}")


def _reference(item, find_paths, paths):
    """Returns the names of the tuned settings and their reference values.

    The reference is a finished run of a row that is not tuned. Without such a
    run, the values are `None`.
    """
    names = next(row.tuned for row in item.rows if row.tuned)
    for row in item.rows:
        for path in () if row.tuned else find_paths(row, 0):
            return names, [paths[path].settings[name] for name in names]
    return names, None


def load_kernels(records, name=None):
    """Loads a kernel from the first run of each group.

    Args:
        records: Dictionary from the path of a run to its `Record`.
        name: String, the name of the kernel, or `None` for the first masked
            kernel.

    Returns:
        Dictionary from a group, as a string, to its `SparseKernel`.

    Raises:
        ValueError: If no run has a kernel of that name.
    """
    names = dict.fromkeys(n for r in records.values() for n in r.densities)
    if name not in (None, *names):
        raise ValueError(
            f"The kernel must be one of {', '.join(names)}. Received: {name!r}."
        )
    first = {}
    for path, record in records.items():
        if record.densities and name in (None, *record.densities):
            first.setdefault(str(grouping.group_key(record)), path)
    loaded = {}
    for group, path in first.items():
        wanted = name or next(iter(records[path].densities))
        model = load_model(path)
        named = {k.name: k for k in getattr(model, "kernels", ())}
        if wanted not in named:
            raise ValueError(
                f"The model in {path} must have the kernel {wanted!r} of its "
                f"record. Received a model with: {', '.join(named)}."
            )
        loaded[group] = named[wanted]
    return loaded


def _path_finder(item, paths, directory, task):
    """Returns a function from a row and a sparsity index to paths of runs."""

    @functools.cache
    def by_settings(tuned):
        groups = collections.defaultdict(dict)
        for path, record in sorted(paths.items()):
            values = [record.settings.get(name) for name in tuned]
            if not all(type(value) in (int, float) for value in values):
                continue
            key = _key(
                record.task, record.method, record.settings, directory, tuned
            )
            # Several tables may contain the same run.
            values = [record.settings.get(n) for n in ("SEED", *tuned)]
            groups[key].setdefault(tuple(values), path)
        return groups

    @functools.cache
    def find_paths(index, number):
        row = item.rows[index]
        run = table_runs.make_run(row, number, 0, task, item.rows)
        key = _key(*table_runs.describe(run), directory, row.tuned)
        matching = by_settings(row.tuned)[key].values()
        return [path for path in matching if path not in untuned(row.tuned)]

    @functools.cache
    def untuned(tuned):
        """Returns the paths of runs in rows that are not tuned."""
        rows = enumerate(item.rows) if tuned else ()
        return {
            path
            for index, row in rows
            if not row.tuned
            for number in range(len(row.settings))
            for path in find_paths(index, number)
        }

    return lambda row, number: find_paths(item.rows.index(row), number)


def _key(task, method, settings, directory, tuned):
    """Returns a key that is the same for all runs of a row."""
    left_out = ("SEED", *tuned)
    settings = {n: v for n, v in settings.items() if n not in left_out}
    if "SOURCE" in settings:
        settings["SOURCE"] = _relative_source(directory, settings["SOURCE"])
    return task, method, json.dumps(settings, sort_keys=True)


def _relative_source(directory, source):
    """Returns the path of a source in a directory, without its seed.

    The directory may have been moved since the run.
    """
    _, *parts = pathlib.Path("/", source).parts
    for start in range(len(parts)):
        if directory.joinpath(*parts[start:], results.RECORD).exists():
            parts = parts[start:]
            break
    return "/".join(parts[:-1])
