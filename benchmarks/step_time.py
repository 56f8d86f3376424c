"""How much longer a step of a sparse model takes than a dense one's.

Trains a dense and a sparse copy of the same network on the same batch, one
step each in turns, in one run, and prints the median over rounds of sparse
over dense, apart for ordinary steps and for those that update the masks. CPU
time is beside wall time, because wall time on a shared machine varies.
`--methods` measures every algorithm on WRN-22-2 instead of RigL on all.
`--quick` takes a quarter of the rounds.
"""

import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import models
from rigl_tf.sparsity import schedules

NETWORKS = {
    "MLP 300-100": (
        lambda: models.mlp((784,), 10, hidden=(300, 100)),
        (784,),
    ),
    "MLP 3 x 2048": (
        lambda: models.mlp((784,), 10, hidden=(2048, 2048, 2048)),
        (784,),
    ),
    "WRN-22-2": (lambda: models.wide_resnet((32, 32, 3), 10), (32, 32, 3)),
}


def stepper(model, data, jit):
    """A function that trains a model for one step."""
    model.compile(
        # As the papers train.
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    model.fit(data.take(1), verbose=0)  # traces
    batches = iter(data)
    return lambda: model.train_function(batches)


def seconds(function):
    """Wall and CPU time of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(build, input_shape, algorithm, batch, rounds, jit):
    """Wall and CPU ratios of ordinary steps, then of those with updates."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *input_shape)).astype("float32")
    y = rng.integers(0, 10, size=batch)
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    model = rigl_tf.sparsify(
        build(),
        algorithms.get(algorithm),
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(5, end_step=10**9),
    )
    dense, sparse = stepper(build(), data, jit), stepper(model, data, jit)
    ratios = {False: [], True: []}
    for round_ in range(rounds):
        due = bool(model.schedule(int(model.step)))
        # Each goes first in every other round.
        if round_ % 2:
            times = seconds(sparse), seconds(dense)
        else:
            times = reversed((seconds(dense), seconds(sparse)))
        ratios[due].append([s / d for s, d in zip(*times, strict=True)])
    return [
        statistics.median(values)
        for due in (False, True)
        for values in zip(*ratios[due], strict=True)
    ]


def main():
    """Prints the table."""
    fewer = 4 if "--quick" in sys.argv[1:] else 1
    cases = [
        ("MLP 300-100", "rigl", 1, 1000, False),
        ("MLP 300-100", "rigl", 32, 1000, False),
        ("MLP 300-100", "rigl", 128, 1000, False),
        ("MLP 3 x 2048", "rigl", 128, 200, False),
        ("MLP 3 x 2048", "rigl", 512, 100, False),
        ("MLP 3 x 2048", "rigl", 128, 200, True),
        ("WRN-22-2", "rigl", 128, 40, False),
    ]
    if "--methods" in sys.argv[1:]:
        cases = [
            ("WRN-22-2", name, 128, 40, False) for name in algorithms.ALGORITHMS
        ]
    print(
        "| network | algorithm | batch | jit | step, wall | step, CPU ", end=""
    )
    print("| update, wall | update, CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for name, algorithm, batch, rounds, jit in cases:
        ratios = measure(
            *NETWORKS[name], algorithm, batch, rounds // fewer, jit
        )
        print(
            f"| {name} | {algorithm} | {batch} | {jit} | "
            + " | ".join(f"{ratio:.3f}" for ratio in ratios)
            + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
