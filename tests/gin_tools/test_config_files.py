"""Tests of the gin files and of how they are read."""

import dataclasses
import logging

import gin
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import experiments
from rigl_tf import tickets
from rigl_tf.bin import train
from rigl_tf.gin_tools import config_files
from rigl_tf.sparsity import schedules

TASKS = sorted(p.stem for p in (config_files.folder() / "tasks").glob("*.gin"))
SWEEPS = sorted(
    p.stem for p in (config_files.folder() / "sweeps").glob("*.gin")
)


def files(task="digits_mlp", method="rigl"):
    return [
        config_files.find("tasks", task),
        config_files.find("methods", method),
    ]


def error_of(bindings, paths=None):
    """The message of the error that a run ends with before it trains."""
    with pytest.raises(ValueError) as caught:
        with config_files.parsed(paths or files(), bindings):
            gin.get_configurable(experiments.Method)()
    assert "\n" not in str(caught.value)
    assert gin.config_str() == ""
    return str(caught.value)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", sorted(algorithms.ALGORITHMS))
def test_every_task_composes_with_every_algorithm(task, name):
    with config_files.parsed(files(task, name), ["SPARSITY = 0.9"]):
        method = gin.get_configurable(experiments.Method)()
        trained = gin.query_parameter("experiments.train.task")

    assert (method.name, method.sparsity) == (name, 0.9)
    assert isinstance(method.algorithm, algorithms.ALGORITHMS[name])
    assert trained.selector.endswith("Task")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", sorted(tickets.TICKETS))
def test_every_task_composes_with_every_finder(task, name):
    bindings = ["SPARSITY = 0.9", 'CHECKS = ["kaiming"]']
    if name == "smart_ratio_search":
        bindings.append('CENTRE = {"logits": 0.5}')
    with config_files.parsed(files(task, name), bindings):
        method = gin.get_configurable(experiments.TicketMethod)()

    assert (method.name, method.sparsity) == (name, 0.9)
    assert method.checks == ["kaiming"]
    finder = method.finder
    if name in ("wanda", "sparse_gpt"):  # of the trained network
        assert isinstance(finder, tickets.AfterTraining)
        finder = finder.finder
    assert isinstance(finder, tickets.TICKETS[name])


@pytest.mark.parametrize("name", ["rigl", "set"])
def test_itop_moves_connections_until_the_end_of_training(name):
    with config_files.parsed(
        files(method=f"{name}_itop"), ["SPARSITY = 0.9", "INTERVAL = 100"]
    ):
        method = gin.get_configurable(experiments.Method)()
    updates = dataclasses.replace(method.schedule, end_step=1000)

    fraction = schedules.resolve_steps(method.drop_fraction, updates)

    assert (method.name, method.schedule.end_fraction) == (f"{name}_itop", 1.0)
    assert method.algorithm == algorithms.get(name)
    # Half a cosine from 0.5 to 0.005, whose mean is in the middle.
    values = [float(fraction(step)) for step in (0, 500, 1000)]
    assert values == pytest.approx([0.5, 0.2525, 0.005])


def test_a_finder_takes_what_its_file_offers():
    bindings = ["SPARSITY = 0.9", "SEARCH_RATE = 0.25", "PERIOD = 3"]
    with config_files.parsed(files(method="gem_miner"), bindings):
        finder = gin.get_configurable(experiments.TicketMethod)().finder
        optimizer = finder.optimizer(100)

    assert finder.period == 3
    assert float(optimizer.learning_rate) == 0.25


def test_a_ticket_can_be_trained_in_steps_of_the_learning_rate():
    bindings = [
        "SPARSITY = 0.9",
        "FINE_TUNING = @tickets.optimizers.multi_step",
        "FINE_TUNING_RATE = 0.05",
    ]
    with config_files.parsed(files(method="snip"), bindings):
        method = gin.get_configurable(experiments.TicketMethod)()
        rate = method.optimizer(150).learning_rate

    assert float(rate) == pytest.approx(0.05)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_composes_with_the_dense_baseline(task):
    with config_files.parsed(files(task, "dense"), []):
        assert gin.query_parameter("experiments.train.method") is None


def test_the_digits_task_is_named_like_its_file():
    with config_files.parsed(files(method="dense"), ["EPOCHS = 2"]):
        task = gin.get_configurable(experiments.Task)()

    assert (task.name, task.epochs) == ("digits_mlp", 2)


@pytest.mark.parametrize(
    ("use", "is_shared"), [(["EPOCHS = 1"], True), (["EPOCHS = %SEED"], False)]
)
def test_seeds_share_a_model_only_if_nothing_else_has_the_seed(
    use, is_shared, tmp_path
):
    traced = experiments.TracedModel()
    bindings = ["SEED = 1", *use]

    train.run_one(
        files(method="dense"), bindings, tmp_path, smoke=True, traced=traced
    )

    assert (traced._model is not None) == is_shared


def test_configs_are_forgotten_afterwards():
    with config_files.parsed(files(), ["SPARSITY = 0.9"]):
        assert "SPARSITY = 0.9" in gin.config_str()

    assert gin.config_str() == ""


def test_paths_may_start_from_the_folder_of_configs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    with config_files.parsed(["tasks/digits_mlp.gin"], ["EPOCHS = 2"]):
        assert gin.get_configurable(experiments.Task)().epochs == 2


def test_an_include_starts_at_the_working_directory(monkeypatch, tmp_path):
    (tmp_path / "b.gin").write_text("include 'tasks/digits_mlp.gin'\n")
    path = tmp_path / "a.gin"
    path.write_text("include 'b.gin'\n")

    with pytest.raises(ValueError, match="Unable to open file: b.gin"):
        with config_files.parsed([path], []):
            pass
    monkeypatch.chdir(tmp_path)
    with config_files.parsed([path], []):
        assert gin.get_configurable(experiments.Task)().epochs == 30


def test_parsing_logs_nothing_about_the_search(caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the include is not in this directory

    with caplog.at_level(logging.ERROR):
        with config_files.parsed(files(), ["SPARSITY = 0.9"]):
            pass

    assert caplog.records == []
    assert not logging.getLogger().filters


def test_a_macro_of_sparse_methods_is_refused_for_the_dense_one():
    message = error_of(["SPARSITY = 0.9"], files(method="dense"))

    assert "The macro SPARSITY is set but not used. Macros" in message


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        (
            "Cosine.initial = 0.2",
            "Cosine.initial has the value of the macro ALPHA. Set the macro "
            "instead: ALPHA = 0.2. In bindings string line 2 Cosine",
        ),
        (
            "experiments.Task:\n  epochs = 3",
            "Task.epochs has the value of the macro EPOCHS. Set the macro "
            "instead: EPOCHS = 3. In bindings",
        ),
    ],
)
def test_a_parameter_with_a_macro_is_set_by_its_macro(binding, message):
    assert message in error_of(["SPARSITY = 0.9", binding])


def interval(*paths, bindings=()):
    with config_files.parsed(paths, ["SPARSITY = 0.9", *bindings]):
        return gin.get_configurable(experiments.Method)().schedule.interval


def test_the_interval_is_that_of_the_library_unless_a_task_has_another():
    rigl, deepr, ggr = (
        config_files.find("methods", name)
        for name in ("rigl", "deepr", "ggr/ggr")
    )
    assert interval(rigl) == rigl_tf.schedules.UpdateSchedule().interval
    of_tasks = dict.fromkeys(TASKS, 100)
    of_tasks |= {task: 50 for task in TASKS if task.startswith("digits")}
    of_tasks["fashion_mlp_1568"] = None
    for task, expected in of_tasks.items():
        task = config_files.find("tasks", task)
        assert interval(task, rigl) == expected
        assert interval(task, rigl, bindings=["INTERVAL = 7"]) == 7
        # A method with an interval of its own keeps it.
        assert interval(task, deepr) == 1
        assert interval(task, ggr) is None


@pytest.mark.parametrize("name", ["dense", "snip"])
def test_the_interval_of_a_task_is_no_setting_of_a_method_without_updates(name):
    bindings = [] if name == "dense" else ["SPARSITY = 0.9"]
    with config_files.parsed(files(method=name), bindings):
        assert "INTERVAL" not in config_files.settings(bindings)
    message = error_of([*bindings, "INTERVAL = 7"], files(method=name))
    assert "The macro INTERVAL is set but not used." in message


def test_parameters_that_bindings_set_are_settings():
    bindings = [
        "SPARSITY = 0.9",
        "algorithms.GraNet.initial_sparsity = 0.0",
        "experiments.Method.exclude = ['logits']",
    ]
    with config_files.parsed(files(method="granet"), bindings):
        settings = config_files.settings(bindings)

    assert settings["GraNet.initial_sparsity"] == 0.0
    assert settings["Method.exclude"] == "['logits']"
    assert settings["SPARSITY"] == 0.9


def test_lines_of_bindings_that_set_no_parameter_are_no_settings():
    bindings = [
        "SPARSITY = 0.9",
        "# a.b = 3",
        "import rigl_tf.algorithms",
        "experiments.Method:\n  exclude = ['logits']\n  reuse = 'masks'",
    ]
    with config_files.parsed(files(), bindings):
        settings = config_files.settings(bindings)

    assert {name for name in settings if "." in name} == {
        "Method.exclude",
        "Method.reuse",
    }


@pytest.mark.parametrize("binding", ["SPARSITY", "SPARSITY =", "A = 1 2"])
def test_a_binding_that_is_no_gin_is_refused(binding):
    assert "line 1" in error_of([binding])


def test_a_missing_include_is_named_once_with_its_search_path(tmp_path):
    path = tmp_path / "a.gin"
    path.write_text("include 'methods/nope.gin'\n")

    message = error_of([], [path])

    assert "methods/nope.gin" in message
    assert message.count(str(config_files.folder())) == 1


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("SPARSITY = 'a'", "`sparsity`.*number in.*sparsity='a'"),
        ("SPARSITY = 1.5", "`sparsity`.*number in.*sparsity=1.5"),
        ("EPOCHS = 'a'", "`epochs` must be an integer.*epochs='a'"),
        ("INTERVAL = 'a'", "`interval` counts steps.*interval='a'"),
        ("ALPHA = 2", r"`initial` .* in \[0, 1\].*initial=2"),
        ("BATCH_SIZE = 0", "`batch_size` must be at least 1.*batch_size=0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(tmp_path, binding, message):
    bindings = ["SPARSITY = 0.9", binding]

    with pytest.raises(ValueError, match=message):
        train.run_one(files(), bindings, tmp_path / "run", verbose=0)

    assert gin.config_str() == ""
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("methods", "rigel", "no method 'rigel'. Did you mean 'rigl'?.*set"),
        ("tasks", "zzz", "There is no task 'zzz'. Tasks: .*digits_mlp"),
        ("sweeps", "digit", "no sweep 'digit'. Did you mean 'digits'?"),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(kind, name, message):
    with pytest.raises(ValueError, match=message):
        config_files.find(kind, name)


def test_a_file_in_the_folder_is_proposed_for_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.gin").touch()

    with pytest.raises(ValueError, match=r"Did you mean the file 'mine[.]gin'"):
        config_files.find("methods", "mine")


@pytest.mark.parametrize(
    ("received", "is_located"), [("'mlp'", False), ("'rigl'", True)]
)
def test_only_the_line_with_the_received_value_is_named(received, is_located):
    with pytest.raises(ValueError) as caught:
        with config_files.parsed(files(), ["SPARSITY = 0.9"]):
            raise ValueError(f"`name` is wrong. Received: name={received}.")

    assert ("rigl.gin" in str(caught.value)) == is_located


def test_a_module_that_is_not_found_asks_for_its_folder(tmp_path, monkeypatch):
    (tmp_path / "own_method_of_a_user.py").touch()
    file = tmp_path / "mine.gin"
    file.write_text(
        "from __gin__ import dynamic_registration\n"
        "import own_method_of_a_user\n"
    )

    with pytest.raises(ValueError, match="set PYTHONPATH to its folder"):
        with config_files.parsed([file], []):
            pass

    monkeypatch.syspath_prepend(tmp_path)
    with config_files.parsed([file], []):
        pass


def test_there_is_a_sweep():
    assert "digits" in SWEEPS


def test_a_folder_of_configs_is_inside_the_package_or_missed(
    tmp_path, monkeypatch
):
    package = tmp_path / "rigl_tf"
    monkeypatch.setattr(config_files, "_PACKAGE", package)

    with pytest.raises(FileNotFoundError, match=f"inside {package}. Reinstall"):
        config_files.folder()
    (package / "gin_configs").mkdir(parents=True)

    assert config_files.folder() == package / "gin_configs"


def test_a_folder_with_the_name_of_ours_is_not_in_the_way(
    tmp_path, monkeypatch
):
    for name in ("methods", "tasks"):
        (tmp_path / name).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    file = config_files.find("methods", "rigl_original/rigl")

    with config_files.parsed([file], ["SPARSITY = 0.5"]):
        assert config_files.parameter("experiments.Method.name") == "rigl"
