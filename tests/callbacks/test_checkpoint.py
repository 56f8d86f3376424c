"""Tests of the callback that saves everything."""

import os
import re
import shutil
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import callbacks
from rigl_tf import datasets
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks import signals
from tests.callbacks.test_checkpoint_files import rewritten

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 16))
DATA = datasets.from_arrays(
    "signs",
    train=(X, (X[:, 0] > 0).astype(int)),
    test=(X, (X[:, 0] > 0).astype(int)),
    num_classes=2,
    batch_size=10,
)
STEPS = 6


def compiled(
    optimizer="adam",
    algorithm="rigl",
    sparsity=0.5,
    schedule=2,
    seed=0,
    **kwargs,
):
    keras.utils.set_random_seed(0)
    model = rigl_tf.sparsify(
        keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(2),
            ]
        ),
        algorithm,
        sparsity=sparsity,
        schedule=rigl_tf.schedules.UpdateSchedule(schedule),
        seed=seed,
    )
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **kwargs,
    )
    return model


class At(keras.callbacks.Callback):
    """Does something after so many batches."""

    def __init__(self, batch, action):
        super().__init__()
        self._left = batch
        self._action = action

    def on_train_batch_end(self, batch, logs=None):
        self._left -= 1
        if self._left == 0:
            self._action()


def fit(model, checkpoint, *others, epochs=2, **kwargs):
    return model.fit(
        DATA.train(0, checkpoint.epoch, checkpoint.batch),
        epochs=epochs,
        steps_per_epoch=STEPS,
        shuffle=False,
        verbose=0,
        callbacks=[*others, checkpoint],
        **kwargs,
    )


def values(model):
    variables = model.variables + model.optimizer.variables
    return [np.array(v) for v in variables]


def assert_equal(model, other):
    for one, two in zip(values(model), values(other), strict=True):
        np.testing.assert_array_equal(one, two)


def raise_signal(number=signal.SIGTERM):
    return lambda: os.kill(os.getpid(), number)


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stopped")
    with pytest.raises(SystemExit):
        with rigl_tf.Checkpoint(directory, every=1) as checkpoint:
            fit(compiled(), checkpoint, At(8, raise_signal()))
    return directory


@pytest.fixture
def stopped(stopped_once, tmp_path):
    """A directory with the checkpoints of steps 7 and 8 of 12."""
    return shutil.copytree(stopped_once, tmp_path / "stopped")


@pytest.mark.few(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_at_the_next_step_and_exits(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as stop:
        with rigl_tf.Checkpoint(tmp_path) as checkpoint:
            fit(compiled(), checkpoint, At(8, raise_signal(number)))

    assert stop.value.code == callbacks.STOPPED == 75
    (path,) = checkpoint_files.paths(tmp_path)
    facts = checkpoint_files.read_facts(path)
    assert (facts["epoch"], facts["batch"]) == (1, 2)
    assert signal.getsignal(number) is before


def test_a_signal_in_the_last_step_of_an_epoch_waits_for_its_end(tmp_path):
    with pytest.raises(SystemExit):
        with rigl_tf.Checkpoint(tmp_path) as checkpoint:
            fit(compiled(), checkpoint, At(6, raise_signal()))

    facts = checkpoint_files.read_facts(checkpoint_files.paths(tmp_path)[-1])
    assert (facts["epoch"], facts["batch"]) == (1, 0)
    assert len(facts["history"]["loss"]) == 1


def twice():
    raise_signal()()
    raise_signal()()


def test_a_second_signal_exits_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(signals, "_AT_ONCE", 0)
    with pytest.raises(SystemExit) as stop:
        with rigl_tf.Checkpoint(tmp_path) as checkpoint:
            fit(compiled(run_eagerly=True), checkpoint, At(2, twice))

    assert stop.value.code == 128 + signal.SIGTERM
    assert checkpoint_files.paths(tmp_path) == []


@pytest.mark.parametrize("when", ["together", "while saving"])
def test_a_second_signal_costs_no_checkpoint(tmp_path, monkeypatch, when):
    write = checkpoint_files.write

    def interrupted(*args):
        twice()
        write(*args)

    action = twice
    if when == "while saving":
        monkeypatch.setattr(signals, "_AT_ONCE", 0)
        monkeypatch.setattr(checkpoint_files, "write", interrupted)
        action = raise_signal()
    with pytest.raises(SystemExit) as stop:
        with rigl_tf.Checkpoint(tmp_path) as checkpoint:
            fit(compiled(run_eagerly=True), checkpoint, At(2, action))

    assert stop.value.code == callbacks.STOPPED
    assert len(checkpoint_files.paths(tmp_path)) == 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("precision", "steps_per_execution"),
    [("float32", 1), ("float32", 2), ("mixed_float16", 1)],
)
def test_training_goes_on_in_the_middle_of_an_epoch(
    tmp_path, precision, steps_per_execution
):
    keras.config.set_dtype_policy(precision)

    def model():
        optimizer = keras.optimizers.Adam()
        if precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return compiled(optimizer, steps_per_execution=steps_per_execution)

    whole, stopped, resumed = model(), model(), model()
    with rigl_tf.Checkpoint(tmp_path / "whole") as checkpoint:
        fit(whole, checkpoint, epochs=3)
        expected = checkpoint.history
    with pytest.raises(SystemExit):
        with rigl_tf.Checkpoint(tmp_path / "cut") as checkpoint:
            after = 8 // steps_per_execution
            fit(stopped, checkpoint, At(after, raise_signal()), epochs=3)

    with rigl_tf.Checkpoint(tmp_path / "cut") as checkpoint:
        assert checkpoint.restore(resumed, DATA.train(0))
        assert (checkpoint.epoch, checkpoint.batch) == (1, 2)
        history = fit(resumed, checkpoint, epochs=3)

    assert_equal(resumed, whole)
    assert history.epoch == [1, 2]
    assert checkpoint.history == expected  # metrics of the cut epoch, too


def test_a_model_that_was_trained_may_go_back(tmp_path):
    model = compiled()
    with rigl_tf.Checkpoint(tmp_path, every=1) as checkpoint:
        fit(model, checkpoint, epochs=1)
    with rigl_tf.Checkpoint(tmp_path) as checkpoint:
        assert checkpoint.restore(model, DATA.train(0))


def test_what_was_planned_of_updates_comes_back(stopped):
    model = compiled()

    rigl_tf.Checkpoint(stopped).restore(model, DATA.train(0))

    assert model.schedule.end_step == 9  # of 12 steps and not of those left


def test_a_damaged_checkpoint_is_passed_over(stopped):
    before, last = checkpoint_files.paths(stopped)
    (last / "arrays.bin").write_bytes(b"")
    checkpoint = rigl_tf.Checkpoint(stopped)

    with pytest.warns(UserWarning, match=f"{last} arrays.bin was changed"):
        assert checkpoint.restore(compiled(), DATA.train(0))

    assert (checkpoint.epoch, checkpoint.batch) == (1, 1)


def test_without_a_whole_checkpoint_nothing_changes(stopped):
    for path in checkpoint_files.paths(stopped):
        (path / "facts.json").unlink()
    model = compiled()
    before = values(model)
    with pytest.raises(
        ValueError, match="(?s)facts.json is missing.*another d"
    ):
        rigl_tf.Checkpoint(stopped).restore(model, DATA.train(0))

    for one, two in zip(values(model), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_within_an_epoch_the_data_are_needed(stopped):
    with pytest.raises(ValueError, match="an epoch: call `restore.model, data"):
        rigl_tf.Checkpoint(stopped).restore(compiled())


def test_another_model_is_refused(stopped):
    other = keras.Sequential([keras.Input((16,)), keras.layers.Dense(2)])
    other.compile("adam", "mse")

    with pytest.raises(ValueError, match="run: layers count was 2 and is 1"):
        rigl_tf.Checkpoint(stopped).restore(other, DATA.train(0))


@pytest.mark.parametrize(
    ("fact", "change"),
    [
        ("optimizer learning_rate was 0.001.* and is 0.5", {"optimizer": 0.5}),
        ("budgets was .16. and is .8.", {"sparsity": 0.75}),
        ("algorithm class was RigL and is SET", {"algorithm": "set"}),
        ("schedule interval was 2 and is 3", {"schedule": 3}),
        ("seed was 0 and is 7", {"seed": 7}),
        ("batch was .*10.* and is .*5", {"batch_size": 5}),
    ],
)
def test_another_run_is_refused_by_what_differs(stopped, fact, change):
    change = dict(change)
    optimizer = keras.optimizers.Adam(change.pop("optimizer", 0.001))
    size = change.pop("batch_size", 10)
    batch = tf.TensorSpec((size, 16)), tf.TensorSpec((size,), "int32")
    data = DATA.train(0)
    if size != 10:
        data = tf.data.Dataset.from_generator(list, output_signature=batch)
        for path in checkpoint_files.paths(stopped):
            facts = checkpoint_files.read_facts(path)
            facts["identity"]["batch"] = ["(10, 16)", "(10,)"]
            rewritten(path, "facts.json", facts)

    with pytest.raises(ValueError, match=f"another model or run: {fact}"):
        rigl_tf.Checkpoint(stopped).restore(compiled(optimizer, **change), data)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("learning_rate", {"optimizer": 0.5}, "learning_rate was 0.001.* 0.5"),
        ("optimizer", {"optimizer": 0.5}, "learning_rate was 0.001.* 0.5"),
        (
            "algorithm",
            {"algorithm": "set"},
            "algorithm class was RigL and is S",
        ),
        ("interval", {"schedule": 3}, "schedule interval was 2 and is 3"),
        ("seed", {"seed": 7}, "seed was 0 and is 7"),
    ],
)
def test_a_change_is_taken_on_purpose(stopped, name, change, said):
    kwargs = {"optimizer": keras.optimizers.Adam(change.pop("optimizer", 1e-3))}
    model = compiled(**kwargs, **change, run_eagerly=True)
    with rigl_tf.Checkpoint(stopped, every=4, changed=[name]) as checkpoint:
        assert checkpoint.restore(model, DATA.train(0))
        assert int(model.step) == 8
        fit(model, checkpoint)

    rate = 0.5 if "optimizer" in name + str(change) or "rate" in name else 1e-3
    assert float(model.optimizer.learning_rate) == pytest.approx(rate)
    assert model.schedule.interval == change.get("schedule", 2)
    assert model.schedule.end_step == 9
    again = rigl_tf.Checkpoint(stopped)
    again.restore(
        compiled(keras.optimizers.Adam(rate), **change), DATA.train(0)
    )
    (change,) = again.changes
    assert re.search(f"{said}.* after epoch 1, batch 2", change)


def test_masks_of_another_sparsity_are_refused_in_any_case(stopped):
    checkpoint = rigl_tf.Checkpoint(stopped, changed=["budgets"])

    with pytest.raises(ValueError, match="budgets was .16. .*masks .* stay as"):
        checkpoint.restore(compiled(sparsity=0.75), DATA.train(0))


def test_an_interval_that_a_fit_has_filled_in_is_compared(tmp_path):
    with rigl_tf.Checkpoint(tmp_path, every=6) as checkpoint:
        fit(compiled(schedule=None, run_eagerly=True), checkpoint)

    with pytest.raises(ValueError, match="schedule interval was 6 and is 4"):
        rigl_tf.Checkpoint(tmp_path).restore(compiled(schedule=4))
    assert rigl_tf.Checkpoint(tmp_path).restore(compiled(schedule=None))


def test_a_name_in_place_of_a_list_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`changed` must be a list"):
        rigl_tf.Checkpoint(tmp_path, changed="seed")


def watched(directory, until=None, epochs=7):
    """Trains with callbacks that lower the learning rate and stop."""
    kinds = keras.callbacks
    others = [
        kinds.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
        kinds.ReduceLROnPlateau("loss", 0.5, patience=2, min_delta=99),
        kinds.EarlyStopping("loss", patience=4, min_delta=99),
    ]
    model = compiled(run_eagerly=True)
    with rigl_tf.Checkpoint(directory, callbacks=others) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        stop = [] if until is None else [At(until, raise_signal())]
        fit(model, checkpoint, *others, *stop, epochs=epochs)
    return model


@pytest.mark.few(1)
@pytest.mark.parametrize("until", [12, 15])
def test_callbacks_go_on_with_what_they_remember(tmp_path, until):
    whole = watched(tmp_path / "whole")
    with pytest.raises(SystemExit):
        watched(tmp_path / "cut", until)

    resumed = watched(tmp_path / "cut")

    assert int(whole.step) == 5 * STEPS  # so it was stopped
    assert float(whole.optimizer.learning_rate) < 0.5 * 0.9**5 * 0.001
    assert_equal(resumed, whole)


def test_callbacks_that_begin_anew_are_named(stopped):
    kinds = keras.callbacks
    others = [
        kinds.TerminateOnNaN(),
        kinds.EarlyStopping("loss", restore_best_weights=True),
        kinds.ReduceLROnPlateau("loss"),  # of which it has nothing
        kinds.LambdaCallback(),
    ]
    names = "EarlyStopping, ReduceLROnPlateau, LambdaCallback, which"
    with rigl_tf.Checkpoint(stopped, callbacks=others) as checkpoint:
        model = compiled(run_eagerly=True)
        checkpoint.restore(model, DATA.train(0))
        with pytest.warns(UserWarning, match=names):
            fit(model, checkpoint, *others)


def test_data_that_do_not_go_on_where_they_were_are_warned_of(stopped):
    model = compiled(run_eagerly=True)
    with rigl_tf.Checkpoint(stopped) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        with pytest.warns(UserWarning, match="2 batches .*checkpoint.batch"):
            model.fit(
                X,
                (X[:, 0] > 0).astype(int),
                batch_size=10,
                epochs=2,
                shuffle=False,
                verbose=0,
                callbacks=[checkpoint],
            )


def test_a_run_with_other_steps_in_an_epoch_is_refused(stopped):
    model = compiled()
    with rigl_tf.Checkpoint(stopped) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        with pytest.raises(ValueError, match="steps_per_epoch was 6 and is 5"):
            model.fit(
                DATA.train(0, 1, 2),
                steps_per_epoch=5,
                shuffle=False,
                callbacks=[checkpoint],
            )


def test_checkpoints_of_an_earlier_run_are_not_pushed_out(stopped):
    before = checkpoint_files.paths(stopped)
    with rigl_tf.Checkpoint(stopped, every=1) as checkpoint:
        with pytest.raises(ValueError, match="earlier run. Call `checkpoint.r"):
            fit(compiled(), checkpoint)

    assert checkpoint_files.paths(stopped) == before


def test_a_fit_that_has_nothing_to_train_says_so_and_the_next_trains(tmp_path):
    model = compiled(run_eagerly=True)
    model.resolved_schedule = {"interval": 2, "end_step": 99}
    with rigl_tf.Checkpoint(tmp_path, every=STEPS) as checkpoint:
        fit(model, checkpoint, epochs=1)
        with pytest.warns(
            UserWarning, match="Nothing is left to train: 1 epochs are"
        ):
            fit(model, checkpoint, epochs=1)
        fit(model, checkpoint, epochs=2)
    assert int(model.step) == 2 * STEPS

    model.fit(DATA.train(0), steps_per_epoch=3, shuffle=False, verbose=0)

    assert int(model.step) == 2 * STEPS + 3


def test_the_wish_to_stop_of_a_later_callback_is_saved(tmp_path):
    with rigl_tf.Checkpoint(tmp_path, every=STEPS) as checkpoint:
        model = compiled(run_eagerly=True)
        model.fit(
            DATA.train(0),
            epochs=3,
            steps_per_epoch=STEPS,
            shuffle=False,
            verbose=0,
            callbacks=[checkpoint, StopAfter(0)],
        )

    again = rigl_tf.Checkpoint(tmp_path)
    again.restore(compiled(), DATA.train(0))
    assert (again.epoch, again.stopped) == (1, True)


def test_the_best_weights_of_a_run_that_was_stopped_are_saved(tmp_path):
    largest = keras.callbacks.EarlyStopping(
        "loss", mode="max", min_delta=9, restore_best_weights=True
    )
    model, again = compiled(run_eagerly=True), compiled()
    with rigl_tf.Checkpoint(tmp_path, every=STEPS) as checkpoint:
        fit(model, checkpoint, largest, epochs=3)

    assert largest.stopped_epoch == 1 and largest.best_epoch == 0
    assert rigl_tf.Checkpoint(tmp_path).restore(again)
    assert_equal(again, model)


class StopAfter(keras.callbacks.Callback):
    """Ends training with an epoch, by its number."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch:
            self.model.stop_training = True


def test_an_epoch_that_was_interrupted_may_be_the_last(stopped):
    model = compiled(run_eagerly=True)
    with rigl_tf.Checkpoint(stopped, every=STEPS) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        fit(model, checkpoint, StopAfter(1), epochs=4)
        checkpoint.finish()
    assert int(model.step) == 2 * STEPS

    again = compiled(run_eagerly=True)
    with rigl_tf.Checkpoint(stopped) as checkpoint:
        checkpoint.restore(again, DATA.train(0))
        with pytest.warns(UserWarning, match="a callback ended training"):
            fit(again, checkpoint, epochs=4)

    assert_equal(again, model)


def test_logs_that_are_no_numbers_are_no_history(tmp_path):
    class Words(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs |= {"phase": "first", "scores": np.ones(2)}

    with rigl_tf.Checkpoint(tmp_path) as checkpoint:
        fit(compiled(run_eagerly=True), checkpoint, Words(), epochs=1)

    assert checkpoint.history.keys() == {"accuracy", "loss"}


def test_an_empty_directory_is_no_checkpoint(tmp_path):
    assert not rigl_tf.Checkpoint(tmp_path).restore(compiled())


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "change",
    [
        {"epoch": -1},
        {"batch": 1.5},
        {"batch": True},
        {"elapsed": "long"},
        {"elapsed": 10**400},
        {"elapsed": -1.0},
        {"elapsed": float("inf")},
        {"history": [1.0]},
        {"history": {"loss": ["high"]}},
        {"plan": {"interval": 5}},
        {"plan": {"interval": "5", "end_step": 9}},
        {"versions": None},
        {"identity": None},
        {"stopped": 1},
        {"changes": [1]},
        {"changes": ""},
        {"changes": {}},
        {"callbacks": []},
        {"callbacks": {"0 EarlyStopping": {"best": "high"}}},
    ],
)
def test_facts_of_the_wrong_kind_are_refused(stopped, change):
    for path in checkpoint_files.paths(stopped):
        facts = checkpoint_files.read_facts(path)
        rewritten(path, "facts.json", {**facts, **change})

    with pytest.raises(ValueError, match="has malformed metadata"):
        rigl_tf.Checkpoint(stopped).restore(compiled(), DATA.train(0))


def test_a_full_disk_is_warned_of_and_training_goes_on(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    model = compiled()
    monkeypatch.setattr(checkpoint_files, "_write", full)
    with rigl_tf.Checkpoint(tmp_path, every=5) as checkpoint:
        with pytest.warns(UserWarning, match="No space .* Training continues"):
            fit(model, checkpoint)

    assert int(model.step) == 12


def test_an_error_says_where_the_last_checkpoint_is(tmp_path):
    with pytest.raises(ZeroDivisionError) as error:
        with rigl_tf.Checkpoint(tmp_path, every=3) as checkpoint:
            fit(compiled(), checkpoint, At(5, lambda: 1 / 0))

    (note,) = error.value.__notes__
    assert note.endswith("epoch-000000-000000003.")


def test_checkpoints_are_written_by_the_clock(tmp_path):
    with rigl_tf.Checkpoint(tmp_path, seconds=3600) as checkpoint:
        fit(compiled(), checkpoint)
    assert checkpoint_files.paths(tmp_path) == []

    with rigl_tf.Checkpoint(tmp_path, seconds=0, keep=99) as checkpoint:
        fit(compiled(), checkpoint)
    assert len(checkpoint_files.paths(tmp_path)) == 12


def test_a_checkpoint_that_takes_long_is_followed_by_fewer(
    tmp_path, monkeypatch
):
    model = compiled()
    with rigl_tf.Checkpoint(tmp_path, seconds=1e-9, keep=99) as checkpoint:
        write = checkpoint_files.write

        def slow(*args):
            time.sleep(1)  # the rest takes less than 50 seconds
            write(*args)

        monkeypatch.setattr(checkpoint_files, "write", slow)
        fit(model, checkpoint)

    assert len(checkpoint_files.paths(tmp_path)) == 1


def test_training_outside_of_the_with_block_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs a `with` block"):
        fit(compiled(), rigl_tf.Checkpoint(tmp_path))


def test_an_execution_that_ends_in_another_epoch_is_refused(tmp_path):
    with rigl_tf.Checkpoint(tmp_path) as checkpoint:
        with pytest.raises(ValueError, match="must divide .*, 6. Received: 4"):
            fit(compiled(steps_per_execution=4), checkpoint)


def test_the_rest_of_an_epoch_takes_its_steps(stopped):
    model = compiled()
    with rigl_tf.Checkpoint(stopped) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        with pytest.raises(ValueError, match="larger `steps_per_epoch`"):
            model.fit(DATA.train(0), shuffle=False, callbacks=[checkpoint])


@pytest.mark.parametrize("argument", ["every", "keep"])
@pytest.mark.parametrize("value", [0, 1.5, "2"])
def test_a_number_of_steps_that_is_none_is_refused(tmp_path, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}` must be an integer"):
        rigl_tf.Checkpoint(tmp_path, **{argument: value})


def train_sparsely(directory, epochs, algorithm="rigl", every=1):
    """Trains a plain model with `SparseTraining`; returns its end."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=True)
    training = rigl_tf.SparseTraining(
        algorithm,
        sparsity=0.5,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=9),
    )
    monitor = rigl_tf.SparsityMonitor()
    with rigl_tf.Checkpoint(
        directory, every=every, callbacks=[training, monitor]
    ) as checkpoint:
        checkpoint.restore(model, DATA.train(0))
        fit(model, checkpoint, training, monitor, epochs=epochs)
    masks = [np.array(k.mask) for k in training.sparse_step.kernels]
    return values(model) + masks, checkpoint.history


def test_masks_of_sparse_training_are_saved(tmp_path):
    for algorithm in ("rigl", "snfs"):
        whole, history = train_sparsely(
            tmp_path / f"whole_{algorithm}", 2, algorithm
        )
        # Resumes at the end of an epoch, where weights alone came back.
        train_sparsely(tmp_path / algorithm, 1, algorithm)
        resumed, other_history = train_sparsely(
            tmp_path / algorithm, 2, algorithm
        )

        assert list(history.values()) == list(other_history.values())
        for one, two in zip(resumed, whole, strict=True):
            np.testing.assert_array_equal(one, two)


def test_sparse_training_that_a_checkpoint_does_not_know_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8)])
    model.compile("sgd", "mse")
    training = rigl_tf.SparseTraining("set", sparsity=0.5, schedule=2)
    with rigl_tf.Checkpoint(tmp_path) as checkpoint:
        checkpoint.restore(model)
        with pytest.raises(ValueError, match=r"`SparseTraining`, .*callbacks="):
            fit(model, checkpoint, training)


def test_another_model_than_the_restored_one_is_not_trained(tmp_path):
    model, other = compiled(), compiled()
    with rigl_tf.Checkpoint(tmp_path) as checkpoint:
        checkpoint.restore(model)
        with pytest.raises(ValueError, match="another model or optimizer"):
            fit(other, checkpoint)
        model.compile("adam", "mse")
        with pytest.raises(ValueError, match="dataset.` after `compile`"):
            fit(model, checkpoint)


def test_densities_of_a_model_made_again_continue(tmp_path):
    for epochs in (1, 2):
        model = compiled(run_eagerly=True)
        monitor = rigl_tf.SparsityMonitor()
        with rigl_tf.Checkpoint(tmp_path, callbacks=[monitor]) as checkpoint:
            checkpoint.restore(model, DATA.train(0))
            fit(model, checkpoint, monitor, epochs=epochs)
            checkpoint.finish()

    name = f"density/{model.kernels[0].name}"
    densities = {k: v for k, v in checkpoint.history.items() if "density" in k}
    assert densities == {name: [0.5, 0.5]}
