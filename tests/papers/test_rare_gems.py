"""Tests of the settings of Rare Gems against what the paper prints."""

import collections
import contextlib
import functools
import itertools
import re

import gin
import numpy as np
import pytest

from rigl_tf import experiments
from rigl_tf import papers
from rigl_tf.datasets import prepared
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs
from rigl_tf.tickets.random import smart_ratio
from rigl_tf.training.trainer import Trainer
from tests.papers.printed_in_rare_gems import FINDERS
from tests.papers.printed_in_rare_gems import GEM_MINER
from tests.papers.printed_in_rare_gems import IMAGES
from tests.papers.printed_in_rare_gems import IMP
from tests.papers.printed_in_rare_gems import PRINTED
from tests.papers.printed_in_rare_gems import SEARCHES
from tests.papers.printed_in_rare_gems import SIZES
from tests.papers.printed_in_rare_gems import TRAINING

PAPER = papers.read(table_runs.table_files()["rare_gems"])


def row_of(item, name):
    (row,) = (row for row in PAPER.items[item].rows if row.name == name)
    return row


def per_cent(sparsity):
    return f"{100 * (1 - sparsity):.4g}"


def is_mined(row):
    return row.method.split("/")[-1].startswith("gem_miner")


@contextlib.contextmanager
def made(row, number=0):
    """The task, with data that are made up, and the method of a row."""
    files = [
        config_files.find("tasks", row.task),
        config_files.find("methods", row.method),
    ]
    set_ = list(row.settings[number])
    with config_files.parsed(files, set_), prepared.mock_data(8):
        method = gin.query_parameter("experiments.train.method")
        task = gin.get_configurable(experiments.Task)()
        yield task, method and method.scoped_configurable_fn()


def check_rates(optimizer, kind, expected):
    assert type(optimizer).__name__ == kind
    for step, rate in expected.items():
        optimizer.iterations.assign(step)
        found = float(optimizer.learning_rate)
        assert found == pytest.approx(rate, rel=1e-5, abs=1e-12), step


@pytest.mark.few(3)
@pytest.mark.parametrize("table", SEARCHES)
def test_gem_miner_searches_and_trains_as_in_the_tables(table):
    network, *printed = SEARCHES[table]
    epochs, batch_size, rate, milestones, *rate_at_50 = TRAINING[network]
    steps = -(-IMAGES.get(network, 50_000) // batch_size)
    first, second = (milestone * steps for milestone in milestones)
    is_pretrained = table == "Table 14"
    other_weights = "kaiming" if is_pretrained else "reinitialize"
    found = [
        (row, number)
        for row in PAPER.items[table].rows
        for number in range(len(row.sparsity))
    ]
    for (row, number), expected in zip(found, printed, strict=True):
        density, period, optimizer, search_rate, decay = expected
        assert row.task == f"rare_gems/{network}"
        assert per_cent(row.sparsity[number]) == density
        rates = rate_at_50 if density == "50" and rate_at_50 else [rate]
        with made(row, number) as (task, method):
            finder = method.finder
            assert (finder.period, finder.regularization) == (period, decay)
            assert (finder.norm, finder.epochs) == (2, None)
            check_rates(
                finder.optimizer(100), optimizer, {0: search_rate, 100: 0}
            )
            weights = "own" if is_pretrained else "signed_constant"
            assert finder.weights == weights
            assert method.checks == ["shuffle", other_weights, "invert"]
            assert method.optimizer is None
            assert (task.epochs, task.training_multiplier) == (epochs, 1)
            assert task.dataset.batch_size == batch_size
            assert task.optimizer().momentum == 0.9
            check_rates(
                task.optimizer(),
                "SGD",
                {
                    first - 1: rates[0],
                    first: rates[0] / 10,
                    second - 1: rates[0] / 10,
                    second: rates[0] / 100,
                },
            )


def test_rows_print_what_the_paper_prints():
    found = {
        (item.name, row.name): (
            per_cent(row.sparsity[0]),
            {metric: values[0] for metric, values in row.reported.items()},
        )
        for item in PAPER.items.values()
        for row in item.rows
        if row.reported
    }
    assert found == PRINTED


@pytest.mark.parametrize(("item", "name"), FINDERS)
def test_rows_search_as_the_text_says(item, name):
    with made(row_of(item, name)) as (_, method):
        for field, expected in FINDERS[item, name].items():
            if field == "rate" and is_mined(row_of(item, name)):
                check_rates(method.finder.optimizer(9), "SGD", {0: expected})
            else:
                assert getattr(method.finder, field) == expected


def test_prospr_is_trained_for_200_epochs():
    with made(row_of("Table 2", "ProsPr")) as (task, _):
        assert task.epochs == 200
        rates = {39_099: 0.1, 39_100: 0.01, 58_650: 0.001}  # 391 an epoch
        check_rates(task.optimizer(), "SGD", rates)


@pytest.mark.parametrize(
    ("item", "densities"),
    [
        ("Figure 1", ["0.5"]),
        ("Figure 7", ["0.59", "1.44", "3.73", "50"]),
        ("Figure 9", ["0.5", "1.4"]),
    ],
)
def test_every_method_of_a_figure_has_its_densities(item, densities):
    found = collections.defaultdict(set)
    for row in PAPER.items[item].rows:
        found[row.name].update(map(per_cent, row.sparsity))
    for name in found:
        assert sorted(found[name], key=float) == densities, name


@pytest.mark.parametrize("figure", ["Figure 3", "Figure 4", "Figure 8"])
def test_baselines_have_the_densities_of_gem_miner(figure):
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for row in PAPER.items[figure].rows:
        kind = "gem_miner" if is_mined(row) else row.method
        found[row.task][kind].update(row.sparsity)
    for methods in found.values():
        assert methods.pop("dense") == set()
        mined = methods.pop("gem_miner")
        baselines = {"imp", "lr_rewinding", "edge_popup", "smart_ratio"}
        assert methods == dict.fromkeys(baselines, mined)


def paths(rows):
    return {
        table_runs.make_run(row, number, 0).path
        for row in rows
        for number in range(len(row.settings))
    }


def test_gem_miner_in_figures_is_that_of_the_tables():
    tables = {
        f"rare_gems/{network}": paths(PAPER.items[table].rows)
        for table, (network, *_) in SEARCHES.items()
    }
    others = {
        name for name in FINDERS if name[0] not in ("Table 3", "Figure 10")
    }
    others -= {("Figure 2", "lambda 3e-6"), ("Figure 2", "lambda 7e-6")}
    others -= {("Figure 9", "Gem-Miner, rate 0.01")}
    shown = collections.defaultdict(set)
    for item in PAPER.items.values():
        for row in filter(is_mined, item.rows):
            if (item.name, row.name) not in others and row.task in tables:
                assert paths([row]) <= tables[row.task], (item.name, row.name)
                if item.name in ("Figure 3", "Figure 4"):
                    shown[row.task] |= paths([row])
    assert shown == tables


def test_smart_ratios_of_vgg_have_their_own_shape():
    rows = [
        row
        for item in PAPER.items.values()
        for row in item.rows
        if row.method == "smart_ratio"
    ]
    assert {row.set.get("SHAPE") for row in rows if "vgg" in row.task} == {
        '"vgg"'
    }
    assert all("SHAPE" not in row.set for row in rows if "vgg" not in row.task)


@pytest.mark.parametrize("version", [2, 4, 5, 6])
def test_smart_ratios_start_from_what_the_authors_recorded(version):
    with made(row_of("Table 16", f"version {version}")) as (_, method):
        finder = getattr(method.finder, "start", method.finder)
        if version in (2, 5):
            found, expected = [finder.first, finder.last], GEM_MINER
        else:
            found = list(finder.centre.values())
            expected = [k / n for k, n in zip(IMP, SIZES, strict=True)]
    assert found == pytest.approx(expected, abs=1e-6)


class Began(Exception):
    """A search began to train."""


class Untrained(Trainer):
    """Training that only says that it was asked for."""

    def __call__(self, *_, **__):
        raise Began


# Settings that do not matter for the start of a search.
LATER = ("LEARNING_RATE", "SEARCH_RATE", "REGULARIZATION", "CHECKS")


def searches():
    """A row of each way to search; ProsPr does not train, and takes long."""
    found = {}
    for item in PAPER.items.values():
        for row in item.rows:
            told = {n: v for n, v in row.set.items() if n not in LATER}
            if row.method not in ("dense", "prospr", "smart_ratio"):
                key = " ".join([row.method, *map(str, told.items())])
                found.setdefault(key, row)
    return found


@functools.cache
def resnet20():
    with made(row_of("Table 2", "ProsPr")) as (task, _):
        return task.network()


def test_kernels_begin_kaiming_normal():
    rows = {row.task: row for i in PAPER.items.values() for row in i.rows}
    del rows["rare_gems/resnet50_caltech101"]  # is pretrained
    assert rows.keys() | {"rare_gems/resnet50_caltech101"} == {*PAPER.examples}
    for row in rows.values():
        with made(row):
            kinds = re.findall(r"initializer = (.*)", gin.config_str())
        assert set(kinds) == {"'kaiming_normal'"}
    kernel = np.array(resnet20().get_layer("block3_0_conv2").kernel)
    deviation = (2 / 576) ** 0.5
    assert kernel.std() == pytest.approx(deviation, rel=0.03)
    assert abs(kernel).max() > 3 * deviation  # not truncated


@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:Gem-Miner without a `period`")
@pytest.mark.parametrize("row", searches().values(), ids=[*searches()])
def test_every_search_begins(row):
    with made(row) as (task, method):
        trainer = Untrained(
            task.dataset, task.epochs, task.optimizer, task.loss
        )
        density = round(1 - method.sparsity, 6)
        with pytest.raises(Began):
            method.finder.find(resnet20(), task.dataset, density, 0, trainer)


def test_vgg_16_has_room_for_its_smart_ratios():
    channels = [3, 64, 64, 128, 128, 256, 256, 256, *[512] * 6]  # Table 6
    sizes = [9 * a * b for a, b in itertools.pairwise(channels)] + [5120]
    assert sum(sizes) == 14_715_584
    for density in (0.5, 0.05, 0.025, 0.014, 0.005):
        wanted = smart_ratio.densities(sizes, density, shape="vgg")
        kept = sum(d * n for d, n in zip(wanted, sizes, strict=True))
        assert kept == pytest.approx(density * sum(sizes))
        assert wanted[0] == 1.0
