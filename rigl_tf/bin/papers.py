"""Lists the tables and figures of the papers, and their runs.

Its help and flags are in `rigl_cli.papers`.
"""

import contextlib
import functools
import shlex
import sys

import gin

from rigl_tf import experiments
from rigl_tf import papers
from rigl_tf.analysis import flops_estimates
from rigl_tf.bin import paper_flags
from rigl_tf.datasets import prepared
from rigl_tf.experiments import run_costs
from rigl_tf.experiments import smoke_test
from rigl_tf.experiments import tuning
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs
from rigl_tf.utils import text_tables

_RUNS = "runs"  # directory of runs in the printed commands


def main(flags):
    """Prints the list or the commands that the flags select."""
    name, paper = paper_flags.paper(flags)
    if paper_flags.has_item(flags):
        print(commands(name, paper, paper_flags.item(flags, paper)))
        return
    for other, path in table_runs.table_files().items():
        if name in (None, other):
            paper = papers.read(path)
            text = paper_table(paper, has_flops=name is not None)
            about = f"--paper={other}: {paper.title}, {paper.url}"
            print(f"{about}\n\n{text}\n", flush=True)


def paper_table(paper, has_flops=False):
    """Returns a table of the tables and figures of a paper.

    Args:
        paper: `Paper`.
        has_flops: Boolean, whether to add the FLOPs of all runs. For that,
            networks are built, which takes minutes for large networks.

    Returns:
        String.
    """
    rows = [("", "shows", "runs", "needs", "here", "FLOPs")]
    for item in paper.items.values():
        runs = _all_runs(item)
        total = ""
        if has_flops and runs:
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[Kcounting FLOPs: {item.name}\r")
            total = f"{sum(_flops(paper, *run) for run in runs):.2g}"
        rows.append(
            (
                item.name,
                item.description,
                str(len(runs)) if runs else "",
                ", ".join(
                    dict.fromkeys(_data_status(row) for row in item.rows)
                ),
                item.small_scale or item.test or "",
                total,
            )
        )
    if sys.stderr.isatty():
        sys.stderr.write("\033[K")
    return text_tables.printed(
        rows if has_flops else [row[:-1] for row in rows]
    )


def commands(name, paper, item):
    """Returns the commands of all runs of a table or figure.

    Args:
        name: String, name of the paper.
        paper: `Paper`.
        item: `PaperItem` of it.

    Returns:
        String.
    """
    lines = [f"# {item.name} of {paper.title}: {item.description}."]
    if item.test:
        lines.append(f"# No training is needed: {item.test} has its numbers.")
    several = len({row.task for row in item.rows}) > 1
    for row in item.rows:
        for number, set_ in enumerate(row.settings):
            cost = _flops(paper, row, set_)
            words = [row.name]
            words += [row.task] if several else []
            if row.sparsity:
                words.append(f"sparsity {row.sparsity[number]:g}")
            lines.append(f"\n# {', '.join(words)}: {cost:.2g} FLOPs per seed")
            if row.source is not None:
                lines.append(
                    f"# This run starts from {row.source}: train that first."
                )
            one = table_runs.make_run(row, number, 0, rows=item.rows)
            parts = [f"--task={row.task}", f"--method={row.method}"]
            for setting in one.bindings(_RUNS):
                quoted = shlex.quote(setting.replace("'", '"'))
                parts += ["--set", quoted]
            parts.append(shlex.quote(f"--output_dir={_RUNS}/{one.path}"))
            lines.append(" ".join(["rigl-train", *parts]))
    if item.rows:
        category, _, number = item.name.partition(" ")
        which = f"--{category.lower()}={number}"
        if category not in ("Table", "Figure"):
            which = f"--table={item.name!r}"
        lines.append(
            f"\n# {item.seeds} seeds each. To try a run, replace --output_dir "
            "by --smoke.\n\n# All runs, and the table:\n"
            f"rigl-sweep --paper={name} {which} --output_dir={_RUNS}\n"
            f"rigl-report --paper={name} {which} --runs={_RUNS}"
        )
    if item.study:
        runs = _all_runs(item)
        total = sum(_flops(paper, *run) for run in runs)
        lines.append(
            f"\n# The study that tunes {', '.join(_tuned(item))}: {len(runs)} "
            f"runs, {total:.2g} FLOPs. The table then shows the best of all "
            f"trials:\nrigl-study --study={item.study} --output_dir={_RUNS}"
        )
    return "\n".join(lines)


def _data_status(row):
    """Returns the data set of a row, and whether it must be prepared."""
    name = _data_set(row.task, _weights(row.settings[0]))
    if name not in prepared.SOURCES or prepared.is_prepared(name):
        return name
    return f"{name} (not prepared)"


@functools.cache
def _data_set(task, settings):
    with _configured(task, "dense", settings):
        return gin.get_configurable(experiments.Task)().dataset.name


def _all_runs(item):
    """Returns pairs of a row and its settings, one for each run of an item.

    A study replaces the rows that it tunes by trials. The values of trials are
    unknown, so their cost is computed with the default settings of the method.
    """
    runs = [
        (row, set_)
        for row in item.rows
        if not (item.study and row.tuned)
        for set_ in row.settings
    ] * item.seeds
    if not item.study:
        return runs
    study = tuning.read(item.study)
    for distribution, sparsity in study.spaces:
        trial = papers.TableRow(
            name="trial",
            task=study.task,
            method=study.method,
            sparsity=(sparsity,),
            set={"DISTRIBUTION": repr(distribution)} if distribution else {},
        )
        count = study.num_trials * len(study.seeds)
        runs += [(trial, trial.settings[0])] * count
    return runs


def _tuned(item):
    return dict.fromkeys(name for row in item.rows for name in row.tuned)


def _flops(paper, row, settings):
    examples = row.examples or paper.examples[row.task]
    return cost(row.task, row.method, settings, examples).total


@functools.cache
def cost(task, method, settings, examples):
    """Returns the `RunCost` of a run that was not trained.

    Args:
        task: String, name of a task.
        method: String, name of a method.
        settings: Tuple of bindings.
        examples: Integer, examples in an epoch.
    """
    with _configured(task, method, settings):
        include = getattr(_method(), "include", ())
    network = _network_cost(task, _weights(settings), tuple(include))
    with _configured(task, method, settings):
        built_task = gin.get_configurable(experiments.Task)()
        return run_costs.run_cost(network, built_task, _method(), examples)


def _method():
    reference = gin.query_parameter("experiments.train.method")
    return reference and reference.scoped_configurable_fn()


@functools.cache
def _network_cost(task, settings, include):
    with _configured(task, "dense", settings):
        return flops_estimates.prunable_cost(
            gin.get_configurable(experiments.Task)().network(), include
        )


def _weights(settings):
    """Returns the settings that a task needs to build its network."""
    return tuple(s for s in settings if s.startswith("WEIGHTS"))


@contextlib.contextmanager
def _configured(task, method, settings):
    files = [
        config_files.find("tasks", task),
        config_files.find("methods", method),
    ]
    with prepared.mock_data(smoke_test.EXAMPLES):
        with config_files.parsed(files, list(settings)):
            yield


if __name__ == "__main__":
    from rigl_cli.papers import run

    run()
