"""How much longer a step of a sparse model takes than a dense one's.

Fits a dense and a sparse copy of the same network in turns, in one run, on
the same data, and prints the median of the ratios of neighbouring rounds. CPU
time is beside wall time, because wall time on a shared machine varies.
"""

import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import models
from rigl_tf import schedules


def compiled(model, jit):
    """Compiled with SGD with momentum, as the papers train."""
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    return model


def measure(build, input_shape, batch, steps, rounds, jit):
    """Median ratios of wall and of CPU time, sparse over dense."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch * steps, *input_shape)).astype("float32")
    y = rng.integers(0, 10, size=batch * steps)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).cache()
    sparse = rigl_tf.sparsify(
        build(),
        rigl_tf.algorithms.RigL(),
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(100, end_step=10**9),
    )
    pair = [compiled(build(), jit), compiled(sparse, jit)]
    walls, cpus = [], []
    for round_ in range(rounds + 1):
        times = []
        for model in pair:
            wall, cpu = time.perf_counter(), time.process_time()
            model.fit(data, verbose=0)
            times.append(
                (time.perf_counter() - wall, time.process_time() - cpu)
            )
        if round_:  # the first traces
            walls.append(times[1][0] / times[0][0])
            cpus.append(times[1][1] / times[0][1])
    return statistics.median(walls), statistics.median(cpus)


def main():
    """Prints the table."""
    rounds = 5 if "--quick" in sys.argv[1:] else 15
    networks = {
        "MLP 3 x 2048": (
            lambda: models.mlp((784,), 10, hidden=(2048, 2048, 2048)),
            (784,),
        ),
        "WRN-22-2": (
            lambda: models.wide_resnet((32, 32, 3), 10),
            (32, 32, 3),
        ),
    }
    print("| network | batch | jit | wall, ratio | CPU, ratio |")
    print("|---|---|---|---|---|")
    for name, batch, steps, jit in (
        ("MLP 3 x 2048", 128, 20, False),
        ("MLP 3 x 2048", 512, 10, False),
        ("MLP 3 x 2048", 128, 20, True),
        ("WRN-22-2", 128, 2, False),
    ):
        build, shape = networks[name]
        wall, cpu = measure(build, shape, batch, steps, rounds, jit)
        print(
            f"| {name} | {batch} | {jit} | {wall:.3f} | {cpu:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
