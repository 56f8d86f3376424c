"""A process that trains, and may be killed at a chosen place.

python -m tests.faults.child DIRECTORY [METHOD] [--resume] [--strategy=NAME]
    [--devices=2] [--kill=PLACE:CALL:before|after] [--epochs=4] [--every=1]
    [--fill=STEP] [--grow-after=STEP]

PLACE is a function that checkpoints are written with, or `step`: the process
kills itself with SIGKILL before or after that call of it. After the given
STEP, it fills the disk that the directory is on, or fails if its memory grows
by more than 5 % or if it opens more files.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import types

import keras
import numpy as np
import psutil
import tensorflow as tf

import rigl_tf
from rigl_tf import datasets
from rigl_tf import experiments
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.distribute import strategies
from rigl_tf.sparsity import schedules
from rigl_tf.utils import durable

STEPS = 4  # in an epoch; updates are at 3, 6, 9, ...


def network(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(16, activation="relu", name="dense1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="out")(x))


def task(epochs=4, batch_size=16):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(95, 8))
    y = (x[:, 0] > 0).astype(int)
    return experiments.Task(
        name="signs",
        dataset=datasets.from_arrays(
            "signs",
            train=(x[:63], y[:63]),
            validation=(x[63:79], y[63:79]),
            test=(x[79:], y[79:]),
            num_classes=2,
            batch_size=batch_size,
        ),
        model=network,
        optimizer=lambda: keras.optimizers.Adam(0.01),
        epochs=epochs,
    )


TICKETS = {
    "snip": rigl_tf.tickets.SNIP(),
    "gem_miner": rigl_tf.tickets.GemMiner(1e-3, period=1),
    "edge_popup": rigl_tf.tickets.EdgePopup(scope="global", period=1),
    "imp": rigl_tf.tickets.IMP(epochs=1, rewind_step=2),
}


def method(name):
    if name == "dense":
        return None
    if name in TICKETS:
        return experiments.TicketMethod(
            name, TICKETS[name], sparsity=0.7, checks=("shuffle",)
        )
    return experiments.Method(
        name=name,
        algorithm=rigl_tf.algorithms.get(name),
        sparsity=0.8,
        schedule=schedules.UpdateSchedule(interval=3),
    )


def kill_at(place, call, when):
    """Lets the process kill itself around one call of a function."""
    left = int(call)

    def around(function):
        def patched(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return patched

    if place == "step":
        kind = rigl_tf.Checkpoint
        kind.on_train_batch_end = around(kind.on_train_batch_end)
        return
    # Only as those see them who write.
    for name, module in (("os", os), ("shutil", shutil)):
        functions = dict(vars(module))
        if place in functions:
            functions[place] = around(functions[place])
            for writer in (durable, checkpoint_files):
                if hasattr(writer, name):
                    patched = types.SimpleNamespace(**functions)
                    setattr(writer, name, patched)


def after_each_step(action):
    """Calls a function with the number of every step that is done."""
    kind = rigl_tf.Checkpoint
    original = kind.on_train_batch_end

    def patched(checkpoint, batch, logs=None):
        original(checkpoint, batch, logs)
        action(STEPS * checkpoint.epoch + checkpoint.batch)

    kind.on_train_batch_end = patched


def fill_after(step, directory):
    """Fills the disk when so many steps are done."""

    def fill(done):
        if done == step:
            with contextlib.suppress(OSError):
                with (directory / "ballast").open("wb", 0) as file:
                    while True:
                        file.write(bytes(1000))

    after_each_step(fill)


def fail_if_it_grows_after(step):
    """Compares memory and open files with those at a step."""
    process = psutil.Process()
    first = None

    def compare(done):
        nonlocal first
        if done < step or done % 100:
            return
        now = process.memory_info().rss, process.num_fds()
        first = first or now
        assert now[0] < 1.05 * first[0], f"Memory: {first[0]}, then {now[0]}."
        assert now[1] == first[1], f"Open files: {first[1]}, then {now[1]}."

    after_each_step(compare)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("method", nargs="?", default="rigl")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--strategy", default="none")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--kill")
    parser.add_argument("--fill", type=int)
    parser.add_argument("--grow-after", type=int)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    if args.kill:
        kill_at(*args.kill.split(":"))
    if args.fill:
        fill_after(args.fill, args.directory)
    if args.grow_after:
        fail_if_it_grows_after(args.grow_after)
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * args.devices,
    )
    strategy = strategies.STRATEGIES[args.strategy]()  # before any tensor
    experiments.train(
        args.directory,
        task(args.epochs),
        method(args.method),
        strategy=strategy,
        resume=args.resume,
        verbose=0,
        checkpoint_every=args.every,
    )


if __name__ == "__main__":
    main()
