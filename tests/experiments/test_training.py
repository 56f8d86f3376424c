"""Tests of whole runs, small ones."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import datasets
from rigl_tf import experiments
from rigl_tf import results
from rigl_tf import tickets
from rigl_tf.analysis import flops
from rigl_tf.experiments import run
from rigl_tf.experiments import run_record
from rigl_tf.results import grouping
from rigl_tf.sparsity import schedules
from rigl_tf.training.trainer import Trainer

EPOCHS = 4
RIGL = experiments.Method(
    name="rigl",
    algorithm=rigl_tf.algorithms.RigL(),
    sparsity=0.8,
    schedule=schedules.UpdateSchedule(interval=3),
)


def network(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(16, activation="relu", name="dense1")(inputs)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="out")(x))


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 8))
    y = (x[:, 0] > 0).astype(int)
    return experiments.Task(
        name="signs",
        dataset=datasets.from_arrays(
            "signs",
            train=(x[:64], y[:64]),
            validation=(x[64:80], y[64:80]),
            test=(x[80:], y[80:]),
            num_classes=2,
            batch_size=16,
        ),
        model=network,
        optimizer=lambda: keras.optimizers.Adam(0.01),
        epochs=EPOCHS,
    )


def method(name):
    if name == "dense":
        return None
    algorithm = rigl_tf.algorithms.get(name)
    return dataclasses.replace(RIGL, name=name, algorithm=algorithm)


@pytest.fixture(scope="module")
def whole_run(task, tmp_path_factory):
    """Directory and record of the uninterrupted run of a method."""

    @functools.cache
    def run(name):
        place = tmp_path_factory.mktemp(name) / "run"
        return place, experiments.train(place, task, method(name), verbose=0)

    return run


@pytest.fixture(scope="module")
def rigl_run(whole_run):
    """A directory and the record of an uninterrupted run."""
    return whole_run("rigl")


def numbers(record):
    """Returns a record without its wall time."""
    return dataclasses.replace(record, seconds=0.0)


def weights(directory):
    model = keras.saving.load_model(directory / "model.keras")
    return [np.array(v) for v in model.weights + model.optimizer.variables]


def assert_same_weights(a, b):
    for one, other in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dense_run_records_a_dense_model(task, tmp_path):
    record = experiments.train(tmp_path, task, seed=3, verbose=0)

    assert (record.task, record.method) == ("signs", "dense")
    assert (record.sparsity, record.seed) == (0.0, 3)
    assert record.steps == EPOCHS * 4
    assert len(record.history["val_accuracy"]) == EPOCHS
    assert set(record.test) == {"accuracy", "loss"}
    assert record.densities == {}
    assert record.parameters == {"active": 178, "dense": 178}
    per_example = 2 * (8 * 16 + 16 * 2)
    assert record.flops == {
        "inference": per_example,
        "inference_dense": per_example,
        "search": 0.0,
        "training": 3 * per_example,
        "training_dense": 3 * per_example,
        "convention": "macs2",
    }
    versions = {"python", "rigl_tf", "tensorflow", "keras", "numpy"}
    assert set(record.versions) == versions
    figures = [path.name for path in (tmp_path / "figures").iterdir()]
    assert figures == ["accuracy.png"]
    assert results.read(tmp_path / "record.json") == record


def test_a_sparse_run_records_a_sparse_model(rigl_run):
    directory, record = rigl_run
    model = keras.saving.load_model(directory / "model.keras")

    # 128 - 102 connections, 32 - 25, and 18 biases.
    assert record.parameters == {"active": 33 + 18, "dense": 178}
    assert list(record.densities) == ["dense1", "out"]
    assert record.flops["inference"] == 2 * 33
    assert record.flops["training"] == pytest.approx(
        flops.training("rigl", 66, 320, interval=3)
    )
    assert record.history["sparsity"] == pytest.approx([1 - 33 / 160] * EPOCHS)
    assert sum(record.history["changed"]) > 0
    assert record.steps == int(model.step) == EPOCHS * 4
    for kernel in model.kernels:
        inactive = ~np.array(kernel.mask)
        assert not np.array(kernel.variable)[inactive].any()
    figures = {path.name for path in (directory / "figures").iterdir()}
    names = ("accuracy", "densities", "mask_changes", "mask")
    assert figures == {f"{name}.png" for name in names}
    assert list((directory / "logs").rglob("events*"))


def test_gradual_pruning_pays_for_the_sparsity_of_each_epoch(task, tmp_path):
    method = dataclasses.replace(
        RIGL,
        name="gradual_pruning",
        algorithm=rigl_tf.algorithms.GradualPruning(),
    )

    record = experiments.train(tmp_path, task, method, verbose=0)

    ratios = record.history["flops"]
    assert ratios[0] > ratios[-1]
    assert record.flops["inference"] == pytest.approx(320 * ratios[-1])
    assert record.flops["training"] == pytest.approx(960 * np.mean(ratios))


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("finder", "rounds"),
    [
        (tickets.OneShotLottery(epochs=2), 2),
        # A round for each half: densities 1 and 0.2^(1/2).
        (tickets.IMP(rate=0.5, epochs=1), 2),
    ],
    ids=["lottery", "imp"],
)
def test_a_ticket_pays_for_its_search(finder, rounds, task, tmp_path):
    method = experiments.TicketMethod("found", finder, sparsity=0.8)

    record = experiments.train(tmp_path, task, method, verbose=0)

    measured = record.ticket["search"]["flops"]
    assert len(measured) == rounds
    assert measured[0] > measured[-1]
    # Two epochs of search and four of training: for one example of an epoch.
    assert record.flops["search"] == pytest.approx(960 * sum(measured) / EPOCHS)
    assert record.flops["training"] == pytest.approx(960 * 32 / 160)
    relative = record.relative_flops
    assert relative["total"] == relative["search"] + relative["training"]


def test_a_record_has_the_full_name_of_a_distribution(task, tmp_path):
    method = dataclasses.replace(
        RIGL, distribution="erk", schedule=schedules.UpdateSchedule(interval=2)
    )
    brief = dataclasses.replace(task, epochs=1)

    record = experiments.train(tmp_path, brief, method, verbose=0)

    assert record.distribution == "erdos_renyi_kernel"


def test_the_same_seed_gives_the_same_numbers(task, rigl_run, tmp_path):
    directory, record = rigl_run

    again = experiments.train(tmp_path, task, RIGL, verbose=0)

    assert numbers(again) == numbers(record)
    assert_same_weights(tmp_path, directory)


def test_another_seed_gives_other_numbers(task, rigl_run, tmp_path):
    other = experiments.train(tmp_path, task, RIGL, seed=1, verbose=0)

    assert other.history["loss"] != rigl_run[1].history["loss"]


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["dense", *rigl_tf.algorithms.ALGORITHMS])
def test_a_traced_model_trains_with_another_seed(
    name, task, whole_run, tmp_path
):
    directory, record = whole_run(name)
    traced = experiments.TracedModel()
    faster = dataclasses.replace(task, steps_per_execution=3)

    runs = [
        experiments.train(
            tmp_path / str(seed),
            faster,
            method(name),
            seed,
            verbose=0,
            traced=traced,
            reports=False,
        )
        for seed in (1, 0)
    ]

    assert numbers(runs[0]) != numbers(record)
    assert numbers(runs[1]) == numbers(record)
    assert_same_weights(tmp_path / "0", directory)
    assert not (tmp_path / "0" / "figures").exists()


def test_a_traced_model_keeps_its_number_of_connections(task):
    def model(sparsity, storage="dense"):
        changed = dataclasses.replace(RIGL, sparsity=sparsity, storage=storage)
        sparse = changed.build(task.network(), seed=0)
        sparse.compile("sgd", "mse")
        return sparse

    traced = experiments.TracedModel()
    first = traced.with_state_of(model(0.8))

    assert traced.with_state_of(model(0.8)) is first
    for other in (model(0.5), model(0.5, "active"), model(0.5, "active")):
        assert traced.with_state_of(other) is other


@pytest.mark.parametrize(
    "other",
    [
        {"algorithm": rigl_tf.algorithms.get("set")},
        {"grow_init": rigl_tf.grow_init.GrowInit("random")},
    ],
)
def test_a_traced_model_keeps_its_method(task, other):
    traced = experiments.TracedModel()
    for method in (RIGL, dataclasses.replace(RIGL, **other)):
        sparse = method.build(task.network(), seed=0)
        sparse.compile("sgd", "mse")
        assert traced.with_state_of(sparse) is sparse


def test_a_call_has_at_most_one_update(task):
    def steps(most, interval):
        schedule = schedules.UpdateSchedule(interval)
        changed = dataclasses.replace(RIGL, schedule=schedule)
        trainer = Trainer(
            task.dataset,
            EPOCHS,
            task.optimizer,
            task.loss,
            steps_per_execution=most,
        )
        sparse = changed.build(task.network(), seed=0)
        return trainer.compile(sparse).steps_per_execution

    # An epoch has four steps.
    assert [steps(most, 10) for most in (1, 2, 3, 4, 10)] == [1, 2, 2, 4, 4]
    assert [steps(10, interval) for interval in (2, 3, 4)] == [2, 2, 4]


def test_a_finished_run_keeps_no_checkpoints(task, tmp_path, monkeypatch):
    kept = []
    write = results.write

    def seen(directory, record):
        kept.extend((directory / "checkpoints").iterdir())
        write(directory, record)

    monkeypatch.setattr(results, "write", seen)

    experiments.train(tmp_path, task, verbose=0, checkpoint_every=3)

    assert len(kept) == 2
    assert not (tmp_path / "checkpoints").exists()


def test_a_run_goes_on_only_with_the_configuration_it_began_with(
    task, tmp_path
):
    record = experiments.train(tmp_path, task, verbose=0, config="SEED = 0\n")

    with pytest.raises(
        FileExistsError, match="configuration: SEED = 0. Received: SEED = 1"
    ):
        experiments.train(tmp_path, task, resume=True, config="SEED = 1\n")
    assert (
        experiments.train(tmp_path, task, resume=True, config="SEED = 0\n")
        == record
    )


def test_a_run_that_could_not_begin_leaves_its_directory_free(task, tmp_path):
    wrong = dataclasses.replace(RIGL, distribution="unknown")

    with pytest.raises(ValueError, match="unknown"):
        experiments.train(
            tmp_path / "run", task, wrong, config="SPARSITY = 0.5"
        )

    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_refused(task, rigl_run):
    with pytest.raises(FileExistsError, match="--resume"):
        experiments.train(rigl_run[0], task, RIGL, verbose=0)


def test_a_finished_run_is_only_read(task, rigl_run, monkeypatch):
    directory, record = rigl_run
    monkeypatch.setattr(run, "Trainer", None)

    assert experiments.train(directory, task, RIGL, resume=True) == record


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 7}, "a finished run with seed=0. Received: seed=7"),
        ({"method": None}, "method='rigl'. Received: method='dense'"),
        (
            {"method": dataclasses.replace(RIGL, sparsity=0.75)},
            "Received: sparsity=0.75",
        ),
    ],
)
def test_another_finished_run_is_refused(task, rigl_run, changed, message):
    directory, _ = rigl_run

    with pytest.raises(FileExistsError, match=message):
        experiments.train(
            directory, **{"task": task, "method": RIGL, **changed}, resume=True
        )


def stop_after(step, monkeypatch):
    """Makes a run stop after a number of steps."""
    on_train_batch_end = rigl_tf.Checkpoint.on_train_batch_end

    def stopping(checkpoint, batch, logs=None):
        on_train_batch_end(checkpoint, batch, logs)
        if 4 * checkpoint.epoch + checkpoint.batch == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(rigl_tf.Checkpoint, "on_train_batch_end", stopping)


# There are four steps in an epoch and updates at 3, 6 and 9.
@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "step"),
    [("rigl", step) for step in (2, 3, 4, 13)]
    + [(name, 6) for name in ("dense", "snfs", "dsr", "deepr")]
    + [("gradual_pruning", 7)],
)
def test_a_stopped_run_ends_like_one_that_was_not(
    task, whole_run, tmp_path, name, step, monkeypatch
):
    place, expected = whole_run(name)
    train = functools.partial(
        experiments.train,
        tmp_path,
        task,
        method(name),
        verbose=0,
        checkpoint_every=1,
    )
    with monkeypatch.context() as patch:
        stop_after(step, patch)
        with pytest.raises(KeyboardInterrupt):
            train()

    record = train(resume=True)

    assert numbers(record) == numbers(expected)
    assert_same_weights(tmp_path, place)


def test_a_run_with_nothing_but_one_epoch_left_only_tests(
    task, rigl_run, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(run_record, "build", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            experiments.train(
                tmp_path, task, RIGL, verbose=0, checkpoint_every=1
            )

    record = experiments.train(tmp_path, task, RIGL, verbose=0, resume=True)

    assert numbers(record) == numbers(rigl_run[1])
    assert_same_weights(tmp_path, rigl_run[0])


@pytest.mark.parametrize(
    ("part", "value"),
    [("dataset", "digits"), ("model", 3), ("optimizer", "adam")],
)
def test_a_task_refuses_parts_of_the_wrong_kind(task, part, value):
    with pytest.raises(TypeError, match=f"`{part}` must.*{part}={value!r}"):
        dataclasses.replace(task, **{part: value})


@pytest.mark.parametrize("arguments", [("task", None), (None, "rigl")])
def test_a_run_refuses_what_is_no_task_or_method(task, tmp_path, arguments):
    arguments = [argument or task for argument in arguments]

    with pytest.raises(TypeError, match="must be a `(Task|Method)`"):
        experiments.train(tmp_path, *arguments)


@pytest.mark.parametrize("epochs", ["a", 0, 1.5, None])
def test_a_task_refuses_epochs_that_cannot_be_counted(task, epochs):
    with pytest.raises(ValueError, match="`epochs`.*Received: epochs="):
        dataclasses.replace(task, epochs=epochs)


def test_small_dense_is_compared_with_the_network_it_is_small_for(
    task, tmp_path
):
    record = experiments.train(
        tmp_path, task, experiments.SmallDense("small_dense", 0.75), verbose=0
    )

    # Of 8 x 16 + 16 x 2 weights a quarter, and 16 + 2 biases: at most 58.
    # Five hidden units: 8 x 5 + 5 x 2 and 5 + 2.
    assert record.parameters == {"active": 57, "dense": 178}
    assert record.flops["inference"] == 2 * (40 + 10)
    assert record.flops["inference_dense"] == 320
    assert (
        record.flops["training"] / record.flops["training_dense"] == 100 / 320
    )
    assert record.densities == record.structure == {}


def test_a_longer_training_ends_later_and_starts_as_before(task, tmp_path):
    longer = dataclasses.replace(
        task,
        epochs=1,
        training_multiplier=3,
        optimizer=lambda: keras.optimizers.SGD(
            keras.optimizers.schedules.PiecewiseConstantDecay([2], [1.0, 0.5])
        ),
    )
    method = dataclasses.replace(
        RIGL, schedule=rigl_tf.schedules.UpdateSchedule(2, 1, 3)
    )

    record = experiments.train(tmp_path, longer, method, verbose=0)

    model = keras.saving.load_model(tmp_path / "model.keras")
    assert record.steps == int(model.step) == 12
    assert str(grouping.group_key(record)) == "rigl_3x 0.8 ERK"
    assert (model.schedule.begin_step, model.schedule.end_step) == (1, 9)
    assert (model.drop_fraction.begin_step, model.drop_fraction.end_step) == (
        1,
        9,
    )
    rates = model.optimizer._learning_rate
    assert [float(rates(step)) for step in (6, 7)] == [1.0, 0.5]
    once = flops.training("rigl", 66, 320, interval=2)
    assert record.flops["training"] == pytest.approx(3 * once)


@pytest.mark.parametrize("training_multiplier", [0, -1, float("nan"), "2"])
def test_a_training_multiplier_out_of_range_is_named(task, training_multiplier):
    with pytest.raises(ValueError, match="`training_multiplier`.*Received"):
        dataclasses.replace(task, training_multiplier=training_multiplier)


@pytest.mark.parametrize(
    "method",
    [
        functools.partial(experiments.Method, "m", rigl_tf.algorithms.RigL()),
        functools.partial(experiments.SmallDense, "m"),
        functools.partial(experiments.TicketMethod, "m", tickets.SNIP()),
    ],
    ids=lambda method: method.func.__name__,
)
@pytest.mark.parametrize("sparsity", [schedules.PolynomialSparsity(0.9), 1.0])
def test_a_sparsity_that_a_record_cannot_have_is_refused_first(
    method, sparsity
):
    with pytest.raises(ValueError, match="`sparsity` must be a number in"):
        method(sparsity=sparsity)


@pytest.mark.parametrize("reuse", ["masks", "densities"])
def test_a_run_may_start_from_what_another_ended_with(task, rigl_run, reuse):
    directory, record = rigl_run
    method = dataclasses.replace(RIGL, source=str(directory), reuse=reuse)

    model = method.build(network((8,), 2), seed=5)

    other = keras.saving.load_model(directory / "model.keras")
    same = []
    for kernel, source in zip(model.kernels, other.kernels, strict=True):
        mask = np.array(kernel.mask)
        assert mask.mean() == record.densities[kernel.name]
        same.append(np.array_equal(mask, source.mask))
    assert model.budgets == [mask.sum() for mask in map(_mask, model.kernels)]
    assert all(same) == (reuse == "masks")


def _mask(kernel):
    return np.array(kernel.mask)


def test_a_source_of_another_sparsity_is_refused(rigl_run):
    method = dataclasses.replace(RIGL, sparsity=0.5, source=str(rigl_run[0]))

    with pytest.raises(ValueError, match="must be 0.8, .*sparsity=0.5"):
        method.build(network((8,), 2), seed=5)


@pytest.mark.parametrize(
    ("problem", "change"),
    [
        ("`method` must be 1 to 200 characters", {"name": ""}),
        ("`method` must be 1 to 200 characters", {"name": "m" * 201}),
        ("`method` must be 1 to 200 characters", {"name": None}),
        ("`seed` must be a whole number", {"seed": 1.5}),
        (r"`seed` must be a number in \[0, 4294967296\)", {"seed": -1}),
        ("`settings.ALPHA` must be a number", {"settings": {"ALPHA": [1]}}),
    ],
)
def test_what_no_record_can_hold_is_refused_before_training(
    task, tmp_path, problem, change
):
    change = dict(change)
    given = dataclasses.replace(method("set"), name=change.pop("name", "set"))

    with pytest.raises(ValueError, match=problem):
        experiments.train(tmp_path / "run", task, given, verbose=0, **change)

    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_recorded_as_numbers(task, tmp_path):
    settings = {"ALPHA": np.float32(0.5), "INTERVAL": np.int64(3)}
    experiments.train(
        tmp_path,
        task,
        seed=np.int64(2),
        verbose=0,
        settings=settings,
        checkpoint_every=1,
    )

    record = results.find(tmp_path)
    assert record.seed == 2
    assert record.settings == {"ALPHA": 0.5, "INTERVAL": 3}
