"""Tests of sweeps."""

import dataclasses
import pathlib

import pytest

from rigl_tf import results
from rigl_tf.bin import parallel_runs
from rigl_tf.bin import sweep
from rigl_tf.bin import train
from rigl_tf.experiments import sweep_grid
from rigl_tf.gin_tools import config_files
from rigl_tf.results import grouping
from tests import records
from tests.bin import command_line

SWEEPS = sorted(
    p.stem for p in (config_files.folder() / "sweeps").glob("*.gin")
)


def test_the_grid_counts_seeds_fastest_and_gives_dense_no_sparsity():
    runs = sweep_grid.grid(["t"], ["dense", "rigl"], [0.9, 0.98], [0, 1])

    assert [str(run.path) for run in runs] == [
        "t/dense/seed=0",
        "t/dense/seed=1",
        "t/rigl/sparsity=0.9/seed=0",
        "t/rigl/sparsity=0.9/seed=1",
        "t/rigl/sparsity=0.98/seed=0",
        "t/rigl/sparsity=0.98/seed=1",
    ]


def test_runs_bind_their_seed_sparsity_and_distribution():
    methods = ["dense", "small_dense", "rigl"]
    dense, small, rigl = sweep_grid.grid(
        ["t"], methods, [0.95], [7], ["uniform"]
    )

    assert dense.bindings("runs") == ["SEED = 7"]
    assert small.bindings("runs") == ["SEED = 7", "SPARSITY = 0.95"]
    assert rigl.bindings("runs") == [
        *small.bindings("runs"),
        "DISTRIBUTION = 'uniform'",
    ]
    assert str(rigl.path) == "t/rigl/uniform/sparsity=0.95/seed=7"


def test_a_source_is_the_same_for_each_way_to_write_the_directory(
    tmp_path, monkeypatch
):
    bindings = []
    monkeypatch.setattr(
        parallel_runs.train,
        "run_one",
        lambda files, given, *_, **__: bindings.append(given) or "record",
    )
    monkeypatch.chdir(tmp_path)
    (run,) = sweep_grid.grid(["digits_mlp"], ["rigl"], [0.5], [0])
    after = dataclasses.replace(run, source=run)

    for directory in ("runs", tmp_path / "runs"):
        list(parallel_runs.train_all([after], pathlib.Path(directory)))

    first, second = bindings
    assert first == second
    assert f"SOURCE = '{tmp_path}/runs/{run.path}'" in first


def test_an_item_without_runs_says_so(tmp_path):
    given = ["--paper=rare_gems", "--table=1", f"--output_dir={tmp_path}"]

    with pytest.raises(ValueError, match="Table 1 has no run to train. .*has"):
        sweep.main(command_line.flags("sweep", *given))


def test_methods_may_have_settings_of_their_own():
    settings = {"snip": ["NUM_BATCHES = 2"]}
    snip, rigl = sweep_grid.grid(
        ["t"], ["snip", "rigl"], [0.5], [0], (None,), settings
    )

    assert snip.bindings("runs") == [
        "SEED = 0",
        "SPARSITY = 0.5",
        "NUM_BATCHES = 2",
    ]
    assert rigl.bindings("runs") == ["SEED = 0", "SPARSITY = 0.5"]
    with pytest.raises(ValueError, match="must be for methods.*grasp"):
        sweep_grid.grid(["t"], ["snip"], [0.5], [0], settings={"grasp": []})


def test_runs_take_the_settings_that_are_best_on_validation_data(tmp_path):
    run, *trials = sweep_grid.grid(
        ["t"],
        ["snip"],
        [0.5],
        [0],
        settings={"snip": ["CHECKS = []"]},
        tried={"snip": [["A = 1"], ["A = 2"]]},
        tried_at=0.9,
        tried_seeds=[5, 6],
    )
    assert [str(trial.path) for trial in trials] == [
        f"t/snip/trials/A=1/sparsity=0.9/seed={seed}" for seed in (5, 6)
    ] + [f"t/snip/trials/A=2/sparsity=0.9/seed={seed}" for seed in (5, 6)]
    assert trials[0].bindings(".") == ["SEED = 5", "SPARSITY = 0.9", "A = 1"]
    assert (run.level, run.others) == (1, trials)
    assert {trial.level for trial in trials} == {0}
    after = dataclasses.replace(run, tried=(), source=run)
    assert (after.level, after.others) == (2, [run])
    with pytest.raises(ValueError, match="depend on .*seed=5, which is not"):
        run.bindings(tmp_path)
    # The test accuracy, which the first settings have, decides nothing.
    for trial, accuracy in zip(trials, (0.9, 0.3, 0.5, 0.8), strict=True):
        place = tmp_path / trial.path
        place.mkdir(parents=True)
        results.write(
            place,
            records.record(
                accuracy=1 - accuracy,
                history={"val_accuracy": [0.1, accuracy]},
            ),
        )
    assert run.bindings(tmp_path) == [
        "SEED = 0",
        "SPARSITY = 0.5",
        "CHECKS = []",
        "A = 2",
    ]
    assert results.read_all(tmp_path) == {}, "Trials are not reported on."
    assert len(results.read_all(tmp_path / "t" / "snip" / "trials")) == 4


def test_as_many_settings_are_tried_for_each_method():
    with pytest.raises(
        ValueError, match="same number of settings for each method"
    ):
        sweep_grid.grid(
            ["t"],
            ["snip", "imp"],
            [0.5],
            [0],
            tried={"snip": [["A = 1"], ["A = 2"]], "imp": [[]]},
        )


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"axes": {"ALPHA, RATE": [(1, 2)]}}, "must not have RATE"),
        ({"settings": {"snip": ["RATE = 1"]}}, "must not have RATE"),
        ({"distributions": ["erdos_renyi"]}, "must not have DISTRIBUTION"),
        ({"tried_seeds": []}, "needs the sparsity and the seeds"),
        ({"tried_at": None}, "needs the sparsity and the seeds"),
    ],
)
def test_what_is_tried_is_set_nowhere_else(others, message):
    arguments = {
        "tried": [["RATE = 3", "DISTRIBUTION = 'uniform'"]],
        "tried_at": 0.9,
        "tried_seeds": [5],
        **others,
    }
    with pytest.raises(ValueError, match=message):
        sweep_grid.grid(["digits_mlp"], ["snip"], [0.9], [0], **arguments)


def test_a_path_is_no_name_of_a_method():
    methods = ["densenet/rigl.gin", "small_dense"]
    runs = sweep_grid.grid(
        ["digits_mlp"], methods, [0.9], [0], distributions=["a", "b"]
    )

    assert [run.distribution for run in runs] == ["a", "b", None]


def test_settings_may_be_tried_for_all_methods():
    def runs(tried):
        return sweep_grid.grid(
            ["t"],
            ["dense", "snip"],
            [0.5],
            [0],
            tried=tried,
            tried_at=0.9,
            tried_seeds=[5],
        )

    ways = [["A = 1"], ["A = 2"]]
    assert runs(ways) == runs({"dense": ways, "snip": ways})


def test_tasks_come_before_methods():
    runs = sweep_grid.grid(["a", "b"], ["x", "y"], [0.5], [0])

    assert [(run.task, run.method) for run in runs] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_lists_runs_of_files_that_are_there(name, capsys):
    sweep.main(command_line.flags("sweep", f"--sweep={name}", "--list"))

    lines = capsys.readouterr().out.splitlines()
    numbers, paths = zip(*(line.split() for line in lines), strict=True)
    assert list(numbers) == [str(i) for i in range(len(lines))]
    assert len(set(paths)) == len(paths)
    for path in paths:
        task, method, *_ = path.split("/")
        config_files.find("tasks", task)
        config_files.find("methods", method)


def test_an_index_does_that_run_only(tmp_path, monkeypatch):
    done = []

    def run_one(files, bindings, output_dir, *args, **kwargs):
        done.append(([path.stem for path in files], bindings, output_dir))
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "run_one", run_one)
    given = ["--sweep=digits", "--index=4", f"--output_dir={tmp_path}"]

    with pytest.raises(KeyboardInterrupt):
        sweep.main(command_line.flags("sweep", *given))

    assert done == [
        (
            ["digits_mlp", "static"],
            ["SEED = 1", "SPARSITY = 0.98"],
            tmp_path / "digits_mlp/static/sparsity=0.98/seed=1",
        )
    ]


def test_a_sweep_of_trials_alone_ends_without_a_table(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(parallel_runs, "train_all", lambda *args: [])
    given = ["--sweep=fashion_dst", "--only=*/trials/*"]

    sweep.main(command_line.flags("sweep", *given, f"--output_dir={tmp_path}"))

    assert capsys.readouterr().out.endswith("which tables leave out.\n")


def test_only_some_runs_are_listed_by_their_numbers(capsys):
    given = ["--sweep=digits", "--list", "--only=*/set/*/seed=[02]"]

    sweep.main(command_line.flags("sweep", *given))

    assert capsys.readouterr().out.split() == [
        "6",
        "digits_mlp/set/sparsity=0.98/seed=0",
        "8",
        "digits_mlp/set/sparsity=0.98/seed=2",
    ]


def two_runs_at_once(directory, epochs):
    """The flags of a sweep of one's own."""
    (directory / "short.gin").write_text(
        f"include 'tasks/digits_mlp.gin'\nEPOCHS = {epochs}\n"
    )
    (directory / "mine.gin").write_text(
        "from __gin__ import dynamic_registration\n"
        "from rigl_tf.experiments import sweep_grid\n"
        f"sweep_grid.grid.tasks = ['{directory}/short.gin']\n"
        "sweep_grid.grid.methods = ['dense', 'static']\n"
        "sweep_grid.grid.sparsities = [0.9]\n"
        "sweep_grid.grid.seeds = [0]\n"
    )
    sweep_file = f"--sweep={directory}/mine.gin"
    return sweep_file, "--jobs=2", f"--output_dir={directory}"


def test_a_sweep_of_ones_own_trains_two_runs_at_once(
    tmp_path, tmp_path_factory, capsys, monkeypatch
):
    given = two_runs_at_once(tmp_path, epochs=1)
    program = tmp_path_factory.mktemp("bin") / "rigl-export"
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(program.with_name("rigl-sweep"))])

    sweep.main(command_line.flags("sweep", *given))

    records = results.read_all(tmp_path).values()
    assert [str(grouping.group_key(record)) for record in records] == [
        "dense",
        "static 0.9 ERK",
    ]
    printed = capsys.readouterr().out
    assert "[2/2] short/" in printed
    assert f"To export one: {program} {tmp_path}/short/" in printed
    assert "| static " in printed


@pytest.mark.slow
def test_a_run_that_fails_in_another_process_is_named(tmp_path, capfd):
    given = two_runs_at_once(tmp_path, epochs=-1)

    with pytest.raises(ChildProcessError, match="2 of 2 runs failed: short/"):
        sweep.main(command_line.flags("sweep", *given))

    said = capfd.readouterr().err
    for run in ("dense/seed=0", "static/sparsity=0.9/seed=0"):
        assert f"error: short/{run}: `epochs` must be" in said
    assert "Traceback" not in said


def test_the_other_runs_are_trained_if_one_fails(tmp_path, monkeypatch, capsys):
    runs = sweep_grid.grid(["digits_mlp"], ["set"], [0.9], [0, 1, 2])

    def run_one(files, bindings, *args, **kwargs):
        if "SEED = 1" in bindings:
            raise ZeroDivisionError("Not one example.")
        if "SEED = 2" in bindings:
            raise KeyError("name")
        return records.record()

    monkeypatch.setattr(train, "run_one", run_one)
    found = parallel_runs.train_all(runs, tmp_path)

    assert next(found) == (runs[0], records.record())
    with pytest.raises(ChildProcessError, match="2 of 3 runs failed.*seed=1,"):
        next(found)
    first, second = capsys.readouterr().err.splitlines()
    start = f"error: {runs[1].path}: ZeroDivisionError: Not one example. ["
    assert first.startswith(f"{start}{__file__}:")
    assert second.startswith(f"error: {runs[2].path}: KeyError: 'name' [")


def test_a_process_trains_the_seeds_of_one_setting_in_a_row():
    waiting = sweep_grid.grid(["t"], ["rigl"], [0.9, 0.98], [0, 1, 2])
    first, *_, last = waiting

    def pop(last, active):
        return str(parallel_runs._pop(waiting, last, active).path)

    assert pop(None, []) == "t/rigl/sparsity=0.9/seed=0"
    assert pop(None, [first]) == "t/rigl/sparsity=0.98/seed=0"
    assert pop(first, [last]) == "t/rigl/sparsity=0.9/seed=1"
    assert pop(last, [first]) == "t/rigl/sparsity=0.98/seed=1"
    assert pop(last, [first]) == "t/rigl/sparsity=0.98/seed=2"
    assert pop(last, [first]) == "t/rigl/sparsity=0.9/seed=2"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "was killed by SIGKILL. Check whether memory ran out."),
        (75, "was stopped and saved."),
        (1, "ended with exit code 1."),
    ],
)
def test_a_process_that_ends_without_a_word_is_named(
    code, words, tmp_path, capsys
):
    (run,) = sweep_grid.grid(["digits_mlp"], ["set"], [0.9], [0])

    assert parallel_runs._outcome(run, tmp_path, code) is None

    assert capsys.readouterr().err == f"error: {run.path}: {words}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Pass either --sweep"),
        (["--sweep=digits"], "Pass a directory for the runs"),
        (["--sweep=nope", "--list"], "There is no sweep 'nope'"),
        (["--sweep=nope.gin", "--list"], "There is no file nope.gin"),
        (
            ["--sweep=digits", "--index=99"],
            "between 0 and 11.*Received: --index=99",
        ),
        (["--sweep=digits", "--only=x"], "must match the path.*--only='x'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sweep.main(command_line.flags("sweep", *arguments))
