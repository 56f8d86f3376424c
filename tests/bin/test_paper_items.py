"""Every table and figure of every paper, through every program."""

import dataclasses
import functools
import math

import pytest

from rigl_tf import papers
from rigl_tf import results
from rigl_tf.analysis import flops
from rigl_tf.bin import paper_flags
from rigl_tf.bin import papers as listing
from rigl_tf.bin import report
from rigl_tf.bin import sweep
from rigl_tf.experiments import run_costs
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs
from tests.bin import command_line
from tests.records import record

PAPERS = {
    path.parent.name: papers.read(path)
    for path in sorted((config_files.folder() / "papers").glob("*/tables.toml"))
}
ALL = [(name, item) for name in PAPERS for item in PAPERS[name].items]
# No table of it takes a run, or each has its own test.
TRAINED = [(name, item) for name, item in ALL if PAPERS[name].items[item].rows]
described = functools.cache(table_runs.describe)


def kernel(name, shape, uses):
    return flops.KernelCost(
        name, shape, math.prod(shape), uses, uses, shape[-1], True
    )


# In place of the networks, whose FLOPs take seconds to count.
NETWORK = flops.ModelCost(
    (
        kernel("conv1", (3, 3, 3, 16), 1024),
        kernel("block/conv2", (3, 3, 16, 32), 256),
        kernel("logits", (32, 10), 1),
    ),
    attention=0,
    other_parameters=10,
)


def flags_of(name, item):
    kind, _, number = item.partition(" ")
    if kind not in ("Table", "Figure"):
        kind, number = "Table", item
    return f"--paper={name}", f"--{kind.lower()}={number}"


@pytest.mark.parametrize(("name", "item"), ALL)
def test_every_item_lists_a_command_for_every_run(
    name, item, monkeypatch, capsys
):
    monkeypatch.setattr(
        listing, "cost", lambda *_: run_costs.RunCost(search=2e9, training=3e9)
    )
    listing.main(command_line.flags("papers", *flags_of(name, item)))

    lines = capsys.readouterr().out.splitlines()
    rows = PAPERS[name].items[item].rows
    count = sum(len(row.settings) for row in rows)
    assert sum(line.startswith("rigl-train ") for line in lines) == count
    assert sum("5e+09 FLOPs per seed" in line for line in lines) == count


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--table=2"], "--table, .* need a paper: pass --paper, one of .*ggr"),
        (["--paper=gg"], "--paper must be one of .*ggr.*Received: --paper=gg"),
        (
            ["--paper=ggr", "--figure=99"],
            "--figure must be .* has: Figure 1.*Received: --figure=99",
        ),
        (
            ["--paper=ggr", "--table=1", "--figure=1"],
            "One of --table and --figure must be set.* has: Figure 1",
        ),
    ],
)
def test_an_item_that_no_paper_has_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        listing.main(command_line.flags("papers", *given))


@pytest.mark.parametrize(("name", "item"), TRAINED)
def test_every_item_lists_its_runs_as_a_sweep(name, item, capsys):
    sweep.main(command_line.flags("sweep", *flags_of(name, item), "--list"))

    lines = capsys.readouterr().out.splitlines()
    paper = PAPERS[name].items[item]
    count = sum(len(row.settings) for row in paper.rows) * paper.seeds
    assert len({line.split(maxsplit=1)[1] for line in lines}) == len(lines)
    assert len(lines) == count


@pytest.mark.few(15)
@pytest.mark.parametrize(("name", "item"), TRAINED)
def test_every_item_reports_a_run_in_its_row_and_in_no_other(
    name, item, tmp_path, monkeypatch, capsys
):
    paper = PAPERS[name].items[item]
    monkeypatch.setattr(table_runs, "describe", described)
    # Drawing is tested elsewhere; one sparsity tells as much as all.
    monkeypatch.setattr(
        paper_flags,
        "item",
        lambda _, of: dataclasses.replace(
            of.items[item], figures=(), rows=tuple(map(first, paper.rows))
        ),
    )
    row = paper.rows[len(paper.rows) // 2]
    run = table_runs.make_run(first(row), 0, 0, rows=paper.rows)
    task, method, settings = described(run)
    if run.source is not None:
        settings = settings | {"SOURCE": f"/elsewhere/{run.source.path}"}
    sparsity = run.sparsity or 0.0
    done = record(method, sparsity, task=task, settings=settings)
    place = tmp_path / run.path
    place.mkdir(parents=True)
    results.write(place, done)

    given = [*flags_of(name, item), f"--runs={tmp_path}"]
    report.main(command_line.flags("report", *given))

    lines = capsys.readouterr().out.splitlines()
    cells = [line for line in lines if line.startswith("|")][2:]
    assert sum("90.00" in line for line in cells) == 1
    others = [line for line in cells if "90.00" not in line]
    assert all("not run" in line for line in others)


def first(row):
    """The row at its first sparsity."""
    return dataclasses.replace(
        row,
        sparsity=row.sparsity[:1],
        reported={name: values[:1] for name, values in row.reported.items()},
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("name", PAPERS)
def test_every_method_of_a_paper_has_a_cost(name, monkeypatch):
    monkeypatch.setattr(listing, "_network_cost", lambda *_: NETWORK)
    listing.cost.cache_clear()
    rows = {
        (row.task, row.method): row
        for item in PAPERS[name].items.values()
        for row in item.rows
        if not row.method.endswith("small_dense")  # builds its network
    }
    for row in rows.values():
        cost = listing.cost(row.task, row.method, row.settings[0], 10_000)
        assert cost.training > 0
        assert cost.search >= 0
    listing.cost.cache_clear()
