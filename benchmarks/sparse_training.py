"""What training costs if only active connections are stored.

Three tables. Steps: a square Dense layer, forward, backward (with respect to
its inputs, too) and SGD with momentum, how many times faster than Keras's Dense
with the same threads; both in turns, in one process, medians over rounds. What
is stored is active connections or active blocks of 32 x 32; once without
updates and once with one of RigL after every 100 steps. Memory: the peak of
the same steps with a batch of 128 over what the process had before, in a
process of its own, relative to Keras's Dense. Fit: an MLP of four layers of
4096 on the digits with RigL, stored dense and active, and Keras's dense model;
memory is the peak, the dense model included that goes into `sparsify`.
`--quick` measures width 4096 and batch 128 only.
"""

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time

WIDTHS = (1024, 4096, 16384)
BATCHES = (32, 128, 512)
SPARSITIES = (0.8, 0.9, 0.95, 0.98, 0.99)
THREADS = (1, 2)
STORED = {1: "connections", 32: "blocks"}  # by the side of a block
INTERVAL = 100  # steps between two updates


def threaded(threads):
    """Tells TensorFlow how many threads to use."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def dense_layer(width):
    """Keras's own."""
    import keras

    layer = keras.layers.Dense(width, use_bias=False)
    layer.build((None, width))
    return layer


def sparse_layer(width, sparsity, block):
    """One that stores what is active, made without a dense kernel."""
    import numpy as np
    import tensorflow as tf

    from rigl_tf import kernels

    units = (width // block) ** 2
    capacity = round((1 - sparsity) * units)
    layer = kernels.ActiveDense(
        width,
        use_bias=False,
        capacity=capacity,
        block=(block, block) if block > 1 else None,
    )
    layer.build((None, width))
    kernel = layer.sparse_kernel()
    kernel.active.assign(
        kernels.random_positions(units, capacity, tf.constant([0, 0], tf.int64))
    )
    rng = np.random.default_rng(0)
    kernel.variable.assign(
        0.01 * rng.standard_normal(kernel.variable.shape, dtype=np.float32)
    )
    return layer


def stepper(layer, batch, width):
    """A function that trains a layer for one step."""
    import keras
    import tensorflow as tf

    variables = layer.trainable_variables
    optimizer = keras.optimizers.SGD(1e-6, momentum=0.9)
    optimizer.build(variables)
    x, dy = passing(batch, width)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        dx, *gradients = tape.gradient(y, [x, *variables], output_gradients=dy)
        optimizer.apply(gradients, variables)
        return y, dx

    step()
    return step


def updater(layer, batch, width, block):
    """A function that moves a layer's connections once."""
    import keras
    import tensorflow as tf

    import rigl_tf
    from rigl_tf import kernels
    from rigl_tf.modeling import mask_update
    from rigl_tf.modeling.training_step import Batch

    network = keras.Sequential([keras.Input((width,)), rigl_tf.Sparse(layer)])
    kernel = layer.sparse_kernel()
    model = rigl_tf.SparseModel(
        network,
        rigl_tf.algorithms.RigL(),
        rigl_tf.schedules.UpdateSchedule(INTERVAL, end_step=10**9),
        rigl_tf.schedules.Constant(0.3),
        None,
        [layer.capacity],
        structure=rigl_tf.structures.Blocks(block, block)
        if block > 1
        else None,
    )
    model.compile(keras.optimizers.SGD(1e-6, momentum=0.9))
    weights = kernel.variable
    flow = kernels.Flow(weights, *passing(batch, width))

    @tf.function
    def update():
        gradients = [tf.zeros_like(weights)]
        mask_update.update_masks(
            model.sparse_step,
            Batch(model.optimizer, [weights], gradients, [flow]),
        )

    update()
    return update


def passing(batch, width):
    """What comes into a layer, and the gradient of what leaves it."""
    import tensorflow as tf

    return tuple(
        tf.random.stateless_normal((batch, width), (0, seed)) for seed in (1, 2)
    )


def seconds(function):
    """Wall time of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def time_steps(width, batch, threads, sparsities, block):
    """Times faster than dense for each sparsity: without and with updates."""
    threaded(threads)
    dense = stepper(dense_layer(width), batch, width)
    rounds = max(5, min(50, round(5 / seconds(dense))))
    ratios = []
    for sparsity in sparsities:
        layer = sparse_layer(width, sparsity, block)
        active = stepper(layer, batch, width)
        times = [(seconds(dense), seconds(active)) for _ in range(rounds)]
        of_dense, of_active = map(statistics.median, zip(*times, strict=True))
        update = updater(layer, batch, width, block)
        of_update = statistics.median(seconds(update) for _ in range(3))
        with_updates = of_active + of_update / INTERVAL
        ratios.append((of_dense / of_active, of_dense / with_updates))
    return ratios


def peak(width, batch, threads, sparsity, block):
    """Peak memory of a step over what there was before, in bytes."""
    threaded(threads)
    for warm_up in (dense_layer(64), sparse_layer(64, 0.5, block)):
        stepper(warm_up, batch, 64)()  # TensorFlow and the compiler settle
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer = (
        sparse_layer(width, sparsity, block) if sparsity else dense_layer(width)
    )
    step = stepper(layer, batch, width)
    for _ in range(3):
        step()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def fit(storage, sparsity, threads):
    """Trains the MLP; `storage` may be "keras" for its dense model."""
    threaded(threads)
    import keras

    import rigl_tf
    from rigl_tf import datasets
    from rigl_tf import models

    keras.utils.set_random_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = datasets.digits(batch_size=128)
    model = models.mlp(data.input_shape, 10, hidden=4 * (4096,))
    if storage != "keras":
        model = rigl_tf.sparsify(
            model,
            rigl_tf.algorithms.RigL(),
            sparsity=sparsity,
            schedule=rigl_tf.schedules.UpdateSchedule(20, end_step=90),
            storage=storage,
        )
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    epochs = []
    for epoch in range(10):
        start = time.perf_counter()
        model.fit(
            data.train(0),
            initial_epoch=epoch,
            epochs=epoch + 1,
            steps_per_epoch=data.steps_per_epoch,
            verbose=0,
        )
        epochs.append(time.perf_counter() - start)
    _, accuracy = model.evaluate(data.test, verbose=0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "seconds": statistics.median(epochs[1:]),
        "bytes": 1024 * memory,
        "accuracy": accuracy,
    }


def in_own_process(*arguments, script=__file__):
    """What a function of the script returns, called in a new process."""
    output = subprocess.run(
        [sys.executable, script, "--one", json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def table(head, rows):
    """Prints a Markdown table as its rows come."""
    print(f"| {' | '.join(head)} |")
    print("|" + "---|" * len(head))
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    print()


def steps_rows(cases):
    """Rows of the first table."""
    for width, batch, threads, block in cases:
        chosen = [s for s in SPARSITIES if s >= 0.9 or width < 16384]
        ratios = in_own_process(
            "time_steps", width, batch, threads, chosen, block
        )
        for place, what in enumerate(("steps", "with updates")):
            by_sparsity = dict(zip(chosen, ratios, strict=True))
            cells = [
                f"{by_sparsity[s][place]:.2f}" if s in by_sparsity else ""
                for s in SPARSITIES
            ]
            yield (width, batch, threads, STORED[block], what, *cells)


def memory_rows(widths):
    """Rows of the second table."""
    for width, block in itertools.product(widths, STORED):
        dense = in_own_process("peak", width, 128, 1, 0, block)
        cells = [
            in_own_process("peak", width, 128, 1, s, block) / dense
            for s in SPARSITIES
        ]
        yield (
            width,
            f"{dense / 2**20:.0f} MiB",
            STORED[block],
            *(f"{cell:.2f}" for cell in cells),
        )


def fit_rows():
    """Rows of the third table."""
    cases = [("keras", 0.0)]
    cases += itertools.product(("dense", "active"), (0.95, 0.98))
    for storage, sparsity in cases:
        found = in_own_process("fit", storage, sparsity, max(THREADS))
        yield (
            storage,
            sparsity,
            f"{found['seconds']:.2f} s",
            f"{found['bytes'] / 2**20:.0f} MiB",
            f"{found['accuracy']:.2%}",
        )


def main():
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", help="what a process of its own does")
    flags = parser.parse_args()
    if flags.one:
        name, *arguments = json.loads(flags.one)
        print(json.dumps(globals()[name](*arguments)))
        return
    widths = (4096,) if flags.quick else WIDTHS
    batches = (128,) if flags.quick else BATCHES
    cases = list(itertools.product(widths, batches, THREADS, STORED))
    by_sparsity = [f"{sparsity:.0%}" for sparsity in SPARSITIES]
    table(
        ("width", "batch", "threads", "stored", "faster", *by_sparsity),
        steps_rows(cases),
    )
    table(
        ("width", "dense", "stored", *(f"{s} of it" for s in by_sparsity)),
        memory_rows(widths),
    )
    table(
        ("storage", "sparsity", "epoch", "peak memory", "test accuracy"),
        fit_rows(),
    )


if __name__ == "__main__":
    main()
