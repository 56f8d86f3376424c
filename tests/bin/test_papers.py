"""Every configuration of the papers parses, builds and has its schedule."""

import ast
import contextlib
import dataclasses
import re
import shlex

import gin
import keras
import pytest

from rigl_tf import experiments
from rigl_tf import papers
from rigl_tf.bin import papers as listing
from rigl_tf.bin import train
from rigl_tf.datasets import prepared
from rigl_tf.gin_tools import config_files
from rigl_tf.sparsity import schedules

PAPERS = sorted(p for p in (config_files.folder() / "papers").iterdir())
# What files leave open.
OPEN = {
    "SPARSITY": "0.9",
    "SOURCE": "'runs/other'",
    "WEIGHTS": "'resnet50.weights.h5'",
    "CENTRE": "{}",
}


def names(kind):
    return [
        f"{paper.name}/{path.stem}"
        for paper in PAPERS
        for path in sorted((paper / kind).glob("*.gin"))
    ]


TASKS, METHODS = names("tasks"), names("methods")
TASK_OF = {
    "ggr": "ggr/cifar100_resnet18",
    "rare_gems": "rare_gems/resnet20",
    "rigl_original": "rigl_original/cifar10",
    "rigl_reproduction": "rigl_reproduction/cifar10",
}


def bindings(*files):
    text = "".join(file.read_text() for file in files)
    wanted = set(re.findall(r"^(\w+) = %gin.REQUIRED", text, re.MULTILINE))
    for name in re.findall(r"^include '(.*)'", text, re.MULTILINE):
        wanted.update(
            one.split(" = ")[0]
            for one in bindings(config_files.folder() / name)
        )
    filled = set(re.findall(r"^(\w+) = [^%]", text, re.MULTILINE))
    return [f"{name} = {OPEN[name]}" for name in sorted(wanted - filled)]


@contextlib.contextmanager
def built(task, method="dense", *more):
    """The task and the method, of faked data."""
    files = [
        config_files.find("tasks", task),
        config_files.find("methods", method),
    ]
    set_ = [*bindings(*files), *more]
    with config_files.parsed(files, set_), prepared.mock_data(8):
        made = gin.get_configurable(experiments.Task)()
        method = gin.query_parameter("experiments.train.method")
        yield made, method and method.scoped_configurable_fn()


@pytest.mark.few(2)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_makes_its_network_and_optimizer(task):
    with built(task) as (made, method):
        assert method is None
        network = made.network()
        assert network.output_shape[-1] == made.dataset.num_classes
        assert isinstance(made.optimizer(), keras.optimizers.Optimizer)
        assert any(v.regularizer for v in network.trainable_variables)
        assert made.dataset.name in task or made.name in task


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_made_of_its_file(name):
    with built(TASK_OF[name.split("/")[0]], name) as (task, method):
        assert method.sparsity == 0.9
        assert isinstance(task, experiments.Task)


@pytest.mark.few(11)
@pytest.mark.parametrize("task", TASKS)
def test_every_generic_method_goes_with_every_task(task):
    for method in ("rigl", "gem_miner", "imp", "snip"):
        with built(task, method) as (_, made):
            assert made.name == method


# Steps: iterations done before, from 0.
@pytest.mark.parametrize(
    ("task", "rates"),
    [
        (
            "rigl_reproduction/cifar10",
            {0: 0.1, 29_999: 0.1, 30_000: 0.02, 60_000: 0.004, 87_999: 0.004},
        ),
        (
            "rigl_reproduction/cifar100",
            {0: 0, 352: 0.05, 704: 0.1, 20_704: 0.02, 80_704: 1.6e-4},
        ),
        (
            "rigl_original/cifar10",
            {0: 0.1, 30_000: 0.02, 60_000: 0.004, 90_000: 8e-4},
        ),
        (
            "rigl_original/imagenet_resnet50",
            {0: 1.6, 9_389: 1.6, 9_390: 0.16, 28_170: 1.6e-3},
        ),
        (
            "rigl_original/imagenet_mobilenet_v1",
            {0: 0, 1_252: 0.8, 2_504: 1.6, 12_520: 0.16},
        ),
        (
            "ggr/cifar100_resnet18",
            {0: 0, 391: 0.1, 11_730: 0.02, 23_460: 0.004, 31_280: 8e-4},
        ),
        (
            "ggr/tiny_imagenet_vgg16",
            {0: 0, 782: 0.1, 46_920: 0.02, 93_840: 0.004, 125_120: 8e-4},
        ),
        ("rare_gems/resnet20", {0: 0.1, 31_279: 0.1, 31_280: 0.01}),
        ("rare_gems/mobilenet_v2", {0: 0.1, 58_650: 0.01, 97_750: 1e-3}),
        ("rare_gems/vgg16", {0: 0.05, 39_100: 5e-3, 58_650: 5e-4}),
        ("rare_gems/tiny_resnet18", {0: 0.1, 39_100: 0.01, 58_650: 1e-3}),
        ("rare_gems/resnet50_caltech101", {0: 1e-4, 6_520: 1e-5}),
    ],
)
def test_learning_rates_are_those_of_the_papers(task, rates):
    with built(task) as (made, _):
        optimizer = made.optimizer()
        for step, expected in rates.items():
            optimizer.iterations.assign(step)
            assert float(optimizer.learning_rate) == pytest.approx(expected)


def test_masks_of_the_reproduction_change_659_times():
    with built("rigl_reproduction/cifar10", "rigl_reproduction/rigl") as (
        _,
        method,
    ):
        steps = method.schedule.steps(0, 88_000)
        assert (len(steps), steps[0], steps[-1]) == (659, 100, 65_900)
        drop = schedules.resolve_steps(method.drop_fraction, method.schedule)
        assert float(drop(0)) == pytest.approx(0.3)
        assert float(drop(32_959)) == pytest.approx(0.15, abs=1e-5)
        assert float(drop(65_918)) == pytest.approx(0, abs=1e-9)


def test_twice_as_long_changes_masks_twice_as_often():
    with built(
        "rigl_reproduction/cifar10",
        "rigl_reproduction/rigl",
        "TRAINING_MULTIPLIER = 2",
    ) as (task, method):
        assert task.total_epochs == 500
        model = method.build(task.network(), 0, task.training_multiplier)
        assert model.schedule.end_step == 2 * 65_918
        optimizer = task.scaled_optimizer()
        optimizer.iterations.assign(60_000)
        assert float(optimizer.learning_rate) == pytest.approx(0.02)


def test_pruning_follows_the_cubic_schedule_of_the_reproduction():
    """But for its end: ours is the last update, at 65,900 and not 65,918."""
    with built("rigl_reproduction/cifar10", "rigl_reproduction/pruning") as (
        task,
        method,
    ):
        model = method.build(task.network(), 0)
        sparsity = schedules.resolve_steps(model.sparsity, model.schedule)
        for step, expected in (
            (700, 0),
            (800, 0.00413362),
            (17_004, 0.52030086),
            (33_309, 0.7875),
            (49_613, 0.88593621),
            (65_918, 0.9),
        ):
            assert float(sparsity(step)) == pytest.approx(expected, abs=1.5e-4)


@pytest.mark.parametrize(
    ("settings", "freezings", "kept"),
    [  # Table 8: density, T; counts as in the reference, ours exact
        (["SPARSITY = 0.9856", "PERIOD = 5"], 29, 3864),
        (["SPARSITY = 0.9941", "PERIOD = 5"], 29, 1583),
        (["SPARSITY = 0.5", "PERIOD = 8"], 18, 134_168),
    ],
)
def test_gem_miner_freezes_as_in_the_paper(settings, freezings, kept):
    from rigl_tf.tickets.search import pruning_counts

    with built("rare_gems/resnet20", "gem_miner", *settings) as (task, method):
        size = sum(
            int(v.shape.num_elements())
            for v in task.network().trainable_variables
        )
        steps = pruning_counts.within_epochs(
            size,
            round(1 - method.sparsity, 6),
            task.total_epochs,
            method.finder.period,
        )
        assert (size, len(steps), steps[-1]) == (268_336, freezings, kept)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("rigl_reproduction/cifar10", "rigl_reproduction/rigl"),
        ("rare_gems/resnet20", "rare_gems/gem_miner_adam"),
        ("ggr/cifar100_mobilenet_v2", "ggr/ggr"),
        ("rigl_original/characters", "rigl_original/snfs"),
    ],
)
def test_a_run_of_a_paper_can_be_tried(task, method, tmp_path):
    files = [
        config_files.find("tasks", task),
        config_files.find("methods", method),
    ]
    record = train.run_one(
        files, bindings(*files), tmp_path / "run", smoke=True, verbose=0
    )
    kept = record.parameters["active"] / record.parameters["dense"]
    assert 0.08 < kept < 0.2
    assert record.steps >= 3


# Tables and figures.


TABLES = {
    path.parent.name: papers.read(path)
    for path in sorted((config_files.folder() / "papers").glob("*/tables.toml"))
}


def test_every_table_and_figure_is_listed():
    numbers = {
        "ggr": (4, 3),
        "rare_gems": (16, 10),
        "rigl_reproduction": (7, 6),
    }
    for paper, (num_tables, num_figures) in numbers.items():
        items = TABLES[paper].items
        names = {*items} - {"Tables 5 to 7"}
        if "Tables 5 to 7" in items:
            names |= {"Table 5", "Table 6", "Table 7"}
        assert names == {
            *(f"Table {i + 1}" for i in range(num_tables)),
            *(f"Figure {i + 1}" for i in range(num_figures)),
        }


@pytest.mark.few(1)
@pytest.mark.parametrize("paper", TABLES)
def test_every_row_composes(paper):
    for item in TABLES[paper].items.values():
        assert item.rows or (config_files.folder().parent / item.test).is_file()
        for name in [item.small_scale] * bool(item.small_scale):
            places = [
                config_files.folder() / kind / f"{name}.gin"
                for kind in ("sweeps", "studies")
            ]
            assert any(place.is_file() for place in places)
        assert not item.study or config_files.find("studies", item.study)
        for row in item.rows:
            assert row.task in TABLES[paper].examples
            files = [
                config_files.find("tasks", row.task),
                config_files.find("methods", row.method),
            ]
            with config_files.parsed(files, list(row.settings[0])):
                made = gin.query_parameter("experiments.train.method")
                method = made and made.scoped_configurable_fn()
            assert (method is None) == (row.method == "dense")
            assert method is None or method.sparsity == row.sparsity[0]


DENSE = 250 * 45_000 * 3 * 315_460_096  # WRN-22-2


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("method", "settings", "ratio"),
    [
        ("dense", (), 1),
        ("rigl_reproduction/rigl", ("SPARSITY = 0.9",), 0.1763),
        (
            "rigl_reproduction/rigl",
            ("SPARSITY = 0.9", 'DISTRIBUTION = "uniform"'),
            0.1055,
        ),
        (
            "rigl_reproduction/rigl",
            ("SPARSITY = 0.8", "TRAINING_MULTIPLIER = 2"),
            2 * 0.3542,
        ),
        ("rigl_reproduction/set", ("SPARSITY = 0.8",), 0.3521),
        ("rigl_reproduction/snfs", ("SPARSITY = 0.9",), 0.4490),
        ("rigl_reproduction/small_dense", ("SPARSITY = 0.9",), 0.0983),
        # E[density] of the cubic schedule; the ticket comes after it.
        ("rigl_reproduction/pruning", ("SPARSITY = 0.9",), 0.2741),
        ("rigl_reproduction/lottery", ("SPARSITY = 0.9",), 0.2741 + 0.1025),
        ("snip", ("SPARSITY = 0.9",), 0.1 + 128 / 45_000 / 250),
        # Ten rounds: the sum of 0.1^(j / 10) is 0.9 / (1 - 0.1^0.1).
        ("imp", ("SPARSITY = 0.9",), 4.3759 + 0.1),
    ],
)
def test_runs_cost_what_the_papers_say(method, settings, ratio):
    cost = listing.cost("rigl_reproduction/cifar10", method, settings, 45_000)
    assert cost.total / DENSE == pytest.approx(ratio, abs=2e-4)


def test_a_table_gives_its_commands():
    paper = TABLES["rare_gems"]
    text = listing.commands("rare_gems", paper, paper.items["Table 8"])
    assert text.count("rigl-train") == 5
    assert "# Gem-Miner, sparsity 0.9856" in text
    assert "--set 'SPARSITY = 0.9856'" in text
    assert "rigl-sweep --paper=rare_gems --table=8 --output_dir=runs" in text


def test_commands_can_be_pasted_into_a_shell():
    paper = TABLES["rigl_reproduction"]
    text = listing.commands("rigl_reproduction", paper, paper.items["Table 5"])
    commands = [
        shlex.split(line)
        for line in text.splitlines()
        if line.startswith("rigl-train")
    ]
    assert """'DISTRIBUTION = "uniform"'""" in text
    places = {command[-1] for command in commands}
    assert len(places) == len(commands) == 32
    sources = [
        ast.literal_eval(setting.removeprefix("SOURCE = "))
        for command in commands
        for setting in command
        if setting.startswith("SOURCE")
    ]
    assert len(sources) == 8
    assert {f"--output_dir={source}" for source in sources} <= places


@pytest.mark.slow
def test_a_table_that_is_tuned_names_its_study():
    paper = TABLES["rigl_reproduction"]
    text = listing.commands("rigl_reproduction", paper, paper.items["Table 4"])
    assert "rigl-study --study=rigl_reproduction/updates" in text


def test_a_list_says_what_is_needed_and_what_it_costs():
    paper = TABLES["rigl_reproduction"]
    only = {name: paper.items[name] for name in ("Table 6", "Figure 5")}
    paper = dataclasses.replace(paper, items=only)
    rows = listing.paper_table(paper, has_flops=True).splitlines()
    assert "tests/models/test_papers.py" in rows[2]
    cells = [cell.strip() for cell in rows[3].split("|")]
    assert cells[3] == "8"
    assert cells[4].startswith("cifar10")
    assert cells[5] == "digits_dst"
    assert float(cells[6]) == pytest.approx(2.5e16, rel=0.05)
    assert "FLOPs" not in listing.paper_table(paper).splitlines()[0]


def test_an_unknown_key_names_the_file(tmp_path):
    path = tmp_path / "tables.toml"
    path.write_text(
        'title = ""\nurl = ""\n[examples]\n[[item]]\nname = "Table 1"\n'
    )
    with pytest.raises(ValueError, match="tables.toml.*description"):
        papers.read(path)
