"""How long it takes to select connections, and to update all masks.

Prints, for each number of scores, the median time of `masks.top_k_mask` and of
`tf.math.top_k` with k = n, the original code's way, measured in turns in one
run, and their ratio. `--large` goes on to 10^8 scores, without the sort, and
`--quick` stops at 10^6.

Then, for each algorithm, the median time of one update of all masks of
WRN-22-2 at sparsity 0.9, without the training step that gives the gradients,
measured in turns in one run, and its ratio to RigL's.

`--active` prints only a third table: what an update of RigL adds to a step of
an MLP of 27 million parameters whose active connections alone are stored, in
steps; medians of CPU time with one thread.
"""

import math
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import models
from rigl_tf.modeling import mask_update
from rigl_tf.modeling.training_step import Batch
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules

ROUNDS = 5
UPDATES = 20


def seconds(function, *args):
    """Wall time of one call."""
    start = time.perf_counter()
    function(*args)[0].numpy()
    return time.perf_counter() - start


def measure(size, sort):
    """Median seconds of the selection and of the sort, or NaN for it."""
    scores = tf.random.stateless_normal([size], seed=(0, 1))
    k = tf.constant(size // 10, tf.int64)
    select = tf.function(masks.top_k_mask, autograph=False)
    full_sort = tf.function(
        lambda values: tf.math.top_k(values, k=size)[0], autograph=False
    )
    times = {"select": [], "sort": []}
    for round_ in range(ROUNDS + 1):
        selected = seconds(select, scores, k)
        sorted_ = seconds(full_sort, scores) if sort else math.nan
        if round_:  # the first traces
            times["select"].append(selected)
            times["sort"].append(sorted_)
    return {name: statistics.median(values) for name, values in times.items()}


def updater(name):
    """A function that updates all masks of a model once."""
    model = rigl_tf.sparsify(
        models.wide_resnet((32, 32, 3), 10),
        algorithms.get(name),
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(2, end_step=10**6),
        drop_fraction=schedules.Constant(0.3),
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    model.resolve_schedules(10**6)
    variables = model.trainable_variables
    model.optimizer.build(variables)
    gradients = [
        tf.random.stateless_normal(variable.shape, seed=(1, i))
        for i, variable in enumerate(variables)
    ]
    move = tf.function(
        lambda *inputs: mask_update.update_masks(
            model.sparse_step,
            Batch(model.optimizer, variables, inputs, flows=[]),
        ),
        autograph=False,
    )

    def update():
        move(*gradients)
        return [model.num_changed]

    return update


def measure_methods(rounds):
    """Median seconds of an update by each algorithm."""
    updates = {
        name: updater(name)
        for name in algorithms.ALGORITHMS
        if algorithms.get(name).updates_masks
    }
    times = {name: [] for name in updates}
    for round_ in range(rounds + 1):
        for name, update in updates.items():
            elapsed = seconds(update)
            if round_:  # the first traces
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_active(batch, sparsity):
    """Median CPU seconds of ordinary steps, and of steps with an update."""
    model = rigl_tf.sparsify(
        models.mlp((784,), 10, hidden=5 * (2504,)),
        "rigl",
        sparsity=sparsity,
        schedule=schedules.UpdateSchedule(4, end_step=10**9),
        storage="active",
    )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, 784)).astype("float32")
    y = rng.integers(0, 10, size=batch)
    times = {False: [], True: []}
    for step in range(4 * ROUNDS + 5):
        is_update = bool(model.sparse_step.is_due()) if step else False
        start = time.process_time()
        model.train_on_batch(x, y)
        if step > 4:  # the first steps trace, and touch memory first
            times[is_update].append(time.process_time() - start)
    return statistics.median(times[False]), statistics.median(times[True])


def active():
    """Prints the table of `--active`."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("| batch | sparsity | step, ms | update adds, ms | in steps |")
    print("|---|---|---|---|---|")
    for sparsity in (0.9, 0.95, 0.98):
        for batch in (128, 8):
            step, update = measure_active(batch, sparsity)
            print(
                f"| {batch} | {sparsity:.0%} | {1e3 * step:.0f} "
                f"| {1e3 * (update - step):.0f} "
                f"| {(update - step) / step:.1f} |",
                flush=True,
            )


def main():
    """Prints the tables."""
    if "--active" in sys.argv[1:]:
        active()
        return
    sizes = [10**3, 10**4, 10**5, 10**6]
    if "--quick" not in sys.argv[1:]:
        sizes += [2 * 10**6]
    if "--large" in sys.argv[1:]:
        sizes += [10**7, 10**8]
    print("| scores | select, ms | ns a score | full sort, ms | ratio |")
    print("|---|---|---|---|---|")
    for size in sizes:
        times = measure(size, sort=size <= 2 * 10**6)
        sort, ratio = "", ""
        if not math.isnan(times["sort"]):
            sort = f"{1e3 * times['sort']:.1f}"
            ratio = f"{times['sort'] / times['select']:.1f}"
        print(
            f"| {size:,} | {1e3 * times['select']:.1f} "
            f"| {1e9 * times['select'] / size:.1f} "
            f"| {sort} | {ratio} |",
            flush=True,
        )
    times = measure_methods(ROUNDS if "--quick" in sys.argv[1:] else UPDATES)
    print("\n| algorithm | update of WRN-22-2, ms | ratio to rigl |")
    print("|---|---|---|")
    for name, elapsed in times.items():
        ratio = elapsed / times["rigl"]
        print(f"| {name} | {1e3 * elapsed:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
