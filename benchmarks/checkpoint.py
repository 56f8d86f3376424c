"""How large a checkpoint is, and how long it takes to write one.

Trains an MLP of three layers of 2048 with RigL and Adam for some steps and
saves it, for each sparsity. "In memory" are the bytes of all variables that a
checkpoint holds; CPU seconds are the median of five saves.
"""

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
    """Bytes in memory and on disk, and CPU seconds of a save."""
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
    times = []
    with tempfile.TemporaryDirectory() as directory:
        with rigl_tf.Checkpoint(directory, keep=1) as checkpoint:
            model.fit(x, y, batch_size=128, verbose=0, callbacks=[checkpoint])
            for _ in range(5):
                start = time.process_time()
                checkpoint.save()
                times.append(time.process_time() - start)
        (path,) = checkpoint_files.paths(directory)
        stored = (path / "arrays.bin").stat().st_size
    held = sum(array.nbytes for array in snapshot.arrays(False))
    return held, stored, statistics.median(times)


def main():
    """Prints the table."""
    print("| sparsity | in memory | on disk | times smaller | save, CPU |")
    print("|---|---|---|---|---|")
    for sparsity in (0.5, 0.8, 0.9, 0.95, 0.98):
        held, stored, seconds = measure(sparsity)
        print(
            f"| {sparsity:.0%} | {held / 2**20:.1f} MiB "
            f"| {stored / 2**20:.1f} MiB | {held / stored:.1f} "
            f"| {seconds:.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
