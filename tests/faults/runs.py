"""Directories with something in them, and runs that go on as others."""

import contextlib
import functools
import os
import shutil
import warnings

import keras
import numpy as np

import rigl_tf
from rigl_tf import experiments
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.sparsity import schedules
from rigl_tf.training import trainer
from rigl_tf.utils import file_lock
from rigl_tf.utils.tensors import as_array
from tests.faults import child
from tests.faults import harness

EPOCHS = 3


def compiled(
    algorithm="rigl", sparsity=0.8, interval=3, seed=0, rate=0.01, **kwargs
):
    keras.utils.set_random_seed(1)
    model = rigl_tf.sparsify(
        child.network((8,), 2),
        rigl_tf.algorithms.get(algorithm),
        sparsity=sparsity,
        schedule=schedules.UpdateSchedule(interval),
        seed=seed,
    )
    optimizer = kwargs.get("optimizer") or keras.optimizers.Adam(rate)
    model.compile(optimizer, trainer.CROSS_ENTROPY, run_eagerly=True)
    return model


class Cut(Exception):
    """In place of a signal, at a chosen place."""


class At(keras.callbacks.Callback):
    """Does something after a step, or at the end of an epoch."""

    def __init__(self, action, step=None, epoch=None):
        super().__init__()
        self._left, self._epoch, self._action = step, epoch, action

    def on_train_batch_end(self, batch, logs=None):
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._action(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch:
            self._action(self.model)


def cut(model):
    del model
    raise Cut


def stop(model):
    model.stop_training = True


def fit(place, model, *after, before=(), steps=child.STEPS):
    """Goes on with what is there; `after` come after the checkpoint."""
    data = child.task().dataset
    with rigl_tf.Checkpoint(place, every=1) as checkpoint:
        checkpoint.restore(model, data.train(0))
        with contextlib.suppress(Cut):
            model.fit(
                data.train(0, checkpoint.epoch, checkpoint.batch),
                epochs=EPOCHS,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                callbacks=[*before, checkpoint, *after],
            )
    return model


def weights(model):
    return [as_array(v).tobytes() for v in model.variables]


def everything(directory):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
        if path.name != file_lock.NAME
    }


def refused(use, words, directory, model=None):
    """What is not ours or not this run changes nothing."""
    before = everything(directory), model and weights(model)
    try:
        use()
    except (ValueError, FileExistsError) as error:
        assert words in str(error), error
    else:
        raise AssertionError("It was accepted.")
    after = everything(directory), model and weights(model)
    assert after == before, "Something has changed."


def no_run_here(directory):
    for name in ("checkpoints", "search", "checks"):
        (directory / name).mkdir()
        (directory / name / "thesis.txt").write_text("mine")
    refused(
        lambda: experiments.train(
            directory, child.task(), child.method("rigl"), resume=True
        ),
        "contains other files",
        directory,
    )


def beside_a_run(directory):
    """Files of the user in a run's directories stay when it is finished."""
    run = directory / "run"
    place, *more = (run / name for name in ("checkpoints", "search", "checks"))
    harness.train(run, "rigl", "--kill=step:5:before", code=-9)
    shutil.copytree(checkpoint_files.paths(place)[-1], place / "epoch-best")
    for folder in (place, *more):
        folder.mkdir(exist_ok=True)
        (folder / "thesis.txt").write_text("mine")
    harness.train(run, "rigl", "--resume")
    assert checkpoint_files.paths(place) == []
    left = {path.relative_to(run) for path in run.glob("*/thesis.txt")}
    assert len(left) == 3 and (place / "epoch-best").is_dir(), left


def new_run(directory):
    """A run that has not looked does not push others' checkpoints out."""
    fit(directory, compiled(), At(cut, 6))
    data, model = child.task().dataset, compiled()
    with rigl_tf.Checkpoint(directory, keep=1) as checkpoint:
        refused(
            lambda: model.fit(data.train(0), callbacks=[checkpoint], verbose=0),
            "earlier run",
            directory / checkpoint_files.paths(directory)[-1],
            model,
        )


def copies(names, directory):
    """Those of the user are neither counted nor loaded."""
    place = directory / "checkpoints"
    fit(place, compiled(), At(cut, 3))
    for name in names:
        shutil.copytree(checkpoint_files.paths(place)[-1], place / name)
    fit(place, compiled(), At(cut, 6))
    assert len(checkpoint_files.paths(place)) == 2
    assert all((place / name).is_dir() for name in names)
    check_same(fit(place, compiled()), fit(directory / "whole", compiled()))


def damaged_newest(directory):
    """It does not push the good one out, whatever `keep` says."""
    specs = [checkpoint_files.Spec("weight", "float32", (2,))]

    def write(number):
        path = directory / f"epoch-{number:06d}"
        facts = {"arrays": specs}
        arrays = [np.ones(2, "float32")]
        checkpoint_files.write(path, specs, arrays, facts, keep=1)
        return path

    write(999_999)
    newest = write(1_000_000)
    assert checkpoint_files.paths(directory) == [newest]
    (newest / "arrays.bin").write_bytes(b"")
    saved = write(1_000_001)
    checkpoint_files.read_facts(saved)


def changed(change, directory):
    """What is asked for is not what the checkpoint is of."""
    fit(directory, compiled(), At(cut, 6))
    model = compiled(**change)
    refused(
        lambda: fit(directory, model),
        "another model or run",
        checkpoint_files.paths(directory)[-1],
        model,
    )


def other_steps(directory):
    fit(directory, compiled(), At(cut, 6))
    refused(
        lambda: fit(directory, compiled(), steps=3),
        "steps_per_epoch was 4 and is 3",
        checkpoint_files.paths(directory)[-1],
    )


def changed_run(directory):
    """Through `train`, which has a method and a seed."""
    run = directory / "run"
    harness.train(run, "rigl", "--kill=step:5:before", code=-9)
    for name, seed, size in (("set", 0, 16), ("rigl", 7, 16), ("rigl", 0, 8)):
        go_on = functools.partial(
            experiments.train,
            run,
            child.task(batch_size=size),
            child.method(name),
            seed=seed,
            resume=True,
            verbose=0,
        )
        refused(go_on, "No checkpoint can be used", run)
    harness.train(run, "rigl", "--resume")


def second_fit(directory):
    """It trains, or says that there is nothing to train."""
    model = fit(directory, compiled(), At(cut, 6))
    data = child.task().dataset
    with rigl_tf.Checkpoint(directory, every=1) as checkpoint:
        checkpoint.restore(model, data.train(0))
        for epochs, trains in ((2, True), (2, False), (3, True)):
            before = weights(model)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.fit(
                    data.train(0, checkpoint.epoch, checkpoint.batch),
                    epochs=epochs,
                    steps_per_epoch=child.STEPS,
                    shuffle=False,
                    verbose=0,
                    callbacks=[checkpoint],
                )
            assert (weights(model) != before) == trains
            said = any("Nothing is left" in str(w.message) for w in caught)
            assert said != trains
    before = weights(model)
    model.fit(data.train(0), epochs=1, steps_per_epoch=2, verbose=0)
    assert weights(model) != before, "A plain fit trains nothing."


def averaging():
    return compiled(
        optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    )


def ftrl():
    return compiled(optimizer=keras.optimizers.Ftrl(0.1))


def goes_on(make, place, directory):
    """Cut at a place, a run ends like one that was not."""
    fit(directory / "cut", make(), At(cut, **place))
    check_same(fit(directory / "cut", make()), fit(directory / "whole", make()))


def ended(directory):
    """A callback ends training: in what goes on, and for ever."""
    whole = fit(directory / "whole", compiled(), before=[At(stop, 6)])
    place = directory / "cut"
    fit(place, compiled(), At(cut, 5))
    fit(place, compiled(), At(cut, epoch=1), before=[At(stop, 1)])
    check_same(fit(place, compiled()), whole)


def check_same(model, whole):
    assert weights(model) == weights(whole), "The weights differ."


CHANGES = {
    "sparsity": {"sparsity": 0.5},
    "algorithm": {"algorithm": "set"},
    "interval": {"interval": 2},
    "seed": {"seed": 5},
    "learning rate": {"rate": 0.5},
}
CUTS = {
    "averaged weights, in an epoch": (averaging, {"step": 6}),
    "averaged weights, after the last epoch": (
        averaging,
        {"epoch": EPOCHS - 1},
    ),
    "Ftrl, in an epoch": (ftrl, {"step": 6}),
}


def empty_configuration(directory):
    """What a power cut may have left beside checkpoints."""
    run = directory / "run"
    harness.train(run, "rigl", "--kill=step:5:before", code=-9)
    os.truncate(run / "config.gin", 0)
    harness.train(run, "rigl", "--resume")
    harness.train(directory / "whole", "rigl")
    harness.check_same(run, directory / "whole")


def faults(few):
    yield "directory of others", "no run", no_run_here
    yield "copies of checkpoints", "newest damaged, keep 1", damaged_newest
    for name, change in list(CHANGES.items())[: 1 if few else None]:
        yield "changed run", name, functools.partial(changed, change)
    yield "second fit", "with the same checkpoint, and without", second_fit
    if few:
        return
    yield "directory of others", "beside a run", beside_a_run
    yield "directory of others", "an earlier run", new_run
    for names in (("epoch-best", "epoch-good"), ("epoch-999999-000000000",)):
        inject = functools.partial(copies, names)
        yield "copies of checkpoints", ", ".join(names), inject
    yield "changed run", "steps of an epoch", other_steps
    yield "changed run", "method, seed, size of a batch", changed_run
    yield "power cut", "empty configuration", empty_configuration
    for name, case in CUTS.items():
        yield "cut in a corner", name, functools.partial(goes_on, *case)
    yield "cut in a corner", "a callback has ended training", ended


if __name__ == "__main__":
    harness.main(faults)
