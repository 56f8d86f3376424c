"""How large a checkpoint and a Keras file are, and how long they take to write.

Trains an MLP of three layers of 2048 with RigL and Adam for some steps and
saves it, for each sparsity. "In memory" are the bytes of all variables that a
checkpoint holds; CPU seconds are the median of five saves. The second table
has the file of `model.save`, and the file that Keras alone writes.
"""

import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np

import rigl_tf
from rigl_tf import models
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.callbacks.training_state import Snapshot


def measure(sparsity):
    """Returns the cells of the two tables."""
    model = rigl_tf.sparsify(
        models.mlp((784,), 10, hidden=3 * (2048,)),
        "rigl",
        sparsity=sparsity,
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=100),
    )
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 784)).astype("float32")
    y = rng.integers(0, 10, size=128)
    for _ in range(6):
        model.train_on_batch(x, y)
    snapshot = Snapshot(model)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        with rigl_tf.Checkpoint(directory / "saved", keep=1) as checkpoint:
            model.fit(x, y, batch_size=128, verbose=0, callbacks=[checkpoint])
            seconds = cpu_seconds(checkpoint.save)
        (path,) = checkpoint_files.paths(directory / "saved")
        held = sum(array.nbytes for array in snapshot.arrays(False))
        rows = [row(held, (path / "arrays.bin").stat().st_size, seconds)]
        sizes = []
        for save in (keras.saving.save_model, rigl_tf.SparseModel.save):
            file = directory / f"{save.__qualname__}.keras"
            seconds = cpu_seconds(lambda: save(model, file, overwrite=True))
            sizes.append(file.stat().st_size)
    return [*rows, row(*sizes, seconds)]


def cpu_seconds(save):
    """The median of five calls."""
    times = []
    for _ in range(5):
        start = time.process_time()
        save()
        times.append(time.process_time() - start)
    return statistics.median(times)


def row(larger, smaller, seconds):
    """The cells of a row."""
    return (
        f"{larger / 2**20:.1f} MiB | {smaller / 2**20:.1f} MiB "
        f"| {larger / smaller:.1f} | {seconds:.2f} s |"
    )


def main():
    """Prints the tables."""
    rows = {s: measure(s) for s in (0.5, 0.8, 0.9, 0.95, 0.98)}
    for i, columns in enumerate(("in memory | on disk", "by Keras | here")):
        print(f"| sparsity | {columns} | times smaller | save, CPU |")
        print("|---|---|---|---|---|")
        for sparsity, cells in rows.items():
            print(f"| {sparsity:.0%} | {cells[i]}")
        print()


if __name__ == "__main__":
    main()
