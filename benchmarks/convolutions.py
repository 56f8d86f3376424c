"""What training convolutions costs if only active connections are stored.

Three tables. Layers: a convolution of 3x3, forward and backward (with respect
to its inputs, too), how many times faster than Keras's Conv2D with the same
threads; both in turns, in one process, medians over rounds. Connections are
stored, whole kernels, or blocks. Beside it is what Keras's reaches, in
GFLOP/s. Networks: steps of RigL with ERK on pictures of 32x32, and one update
after every 100 steps, how many times faster than those of Keras's dense model;
then the same for predictions.
`--quick` takes one thread, fewer rounds and no networks.
"""

import argparse
import functools
import json
import resource
import statistics
import time

import numpy as np
import sparse_training
from sparse_training import table
from sparse_training import threaded

LAYERS = ((64, 16), (128, 8), (256, 8), (512, 4))  # channels, and size
STRIDED = ((64, 32), (256, 16))  # with a stride of 2
BLOCKS = {64: 16, 128: 32, 256: 32, 512: 32}  # sides, for each of `LAYERS`
NAMES = {None: "connections", "kernels": "whole kernels"}
BATCH = 64
SPARSITIES = (0.8, 0.9, 0.95, 0.98, 0.99)
NETWORKS = {
    "VGG-16": ("vgg16", 10),
    "WRN-22-2": ("wide_resnet", 10),
    "ResNet-18": ("resnet18", 10),
    "ResNet-50": ("resnet50", 100),
}
INTERVAL = 100  # steps between two updates


in_own_process = functools.partial(
    sparse_training.in_own_process, script=__file__
)


def in_turns(functions, rounds, clock=time.perf_counter):
    """Median seconds of each function, called in turns."""
    times = [[] for _ in functions]
    for _ in range(rounds):
        for function, of_function in zip(functions, times, strict=True):
            start = clock()
            function()
            of_function.append(clock() - start)
    return [statistics.median(each) for each in times]


def layer_step(
    inputs, size, stride, sparsity, block=None, outputs=None, taps=3
):
    """A function that goes forward and backward through a convolution."""
    import keras
    import tensorflow as tf

    import rigl_tf

    network = keras.Sequential(
        [
            keras.Input((size, size, inputs)),
            keras.layers.Conv2D(
                outputs or inputs,
                taps,
                stride,
                "same",
                use_bias=False,
                name="layer",
            ),
        ]
    )
    if sparsity:
        structure = None
        if block == "kernels":
            structure = rigl_tf.structures.Kernels2D()
        elif block:
            structure = rigl_tf.structures.Blocks(block, block)
        network = rigl_tf.sparsify(
            network,
            "rigl",
            sparsity=sparsity,
            structure=structure,
            storage="active",
        ).network
    variables = network.trainable_variables
    x = tf.random.stateless_normal((BATCH, size, size, inputs), (0, 1))
    dy = tf.random.stateless_normal(network(x).shape, (0, 2))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = network(x)
        return y, tape.gradient(y, [x, *variables], output_gradients=dy)

    step()
    return step


def layer(threads, channels, size, stride, block, rounds):
    """Keras's GFLOP/s, and times faster than Keras for each sparsity."""
    threaded(threads)
    # Other programs change the time of a processor less.
    clock = time.process_time if threads == 1 else time.perf_counter
    dense = layer_step(channels, size, stride, 0)
    found = []
    for sparsity in SPARSITIES:
        active = layer_step(channels, size, stride, sparsity, block)
        found.append(in_turns([dense, active], rounds, clock))
    outputs = (size // stride) ** 2 * BATCH
    flops = 3 * 2 * 9 * channels**2 * outputs
    reached = flops / statistics.median(d for d, _ in found) / 1e9
    return reached, [of_dense / of_active for of_dense, of_active in found]


def timed(product):
    """A list of seconds, to which each product adds from now on."""
    spent = []

    def timed_method(method):
        def call(*arguments):
            start = time.perf_counter()
            result = method(*arguments)
            spent.append(time.perf_counter() - start)
            return result

        return call

    for name in ("_forward", "_backward"):
        setattr(product, name, timed_method(getattr(product, name)))
    return spent


def network(name, sparsity, storage, interval):
    """A compiled network with RigL and ERK, or Keras's dense one."""
    import keras

    import rigl_tf

    keras.utils.set_random_seed(0)
    build, classes = NETWORKS[name]
    model = getattr(rigl_tf.models, build)((32, 32, 3), classes)
    if sparsity:
        model = rigl_tf.sparsify(
            model,
            "rigl",
            sparsity=sparsity,
            schedule=rigl_tf.schedules.UpdateSchedule(interval, end_step=10**9),
            storage=storage,
        )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def stepper(model, classes):
    """A function that trains a model for one step."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, 32, 32, 3), np.float32)
    y = rng.integers(0, classes, BATCH)
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    model.fit(data.take(1), verbose=0)  # traces
    batches = iter(data)
    return lambda: model.train_function(batches)


def steps(threads, name, sparsity, rounds):
    """Seconds of a step of the dense model, and of the sparse ones.

    The sparse ones are stored dense, stored active, and stored active for a
    step and an update. The last number is the part of the stored active that
    is not spent in products.
    """
    threaded(threads)
    from rigl_tf.kernels.ops import numba_conv

    spent = timed(numba_conv.Product)
    classes = NETWORKS[name][1]
    dense, masked, active, updated = (
        stepper(model, classes)
        for model in (
            network(name, 0, None, None),
            network(name, sparsity, "dense", 10**6),
            network(name, sparsity, "auto", 10**6),
            network(name, sparsity, "auto", 2),
        )
    )
    times = in_turns(
        [dense, masked, active, lambda: (updated(), updated())], rounds
    )
    of_steps, of_products = [], []
    for _ in range(rounds):
        spent.clear()
        of_steps.append(in_turns([active], 1)[0])
        of_products.append(sum(spent))
    rest = statistics.median(of_steps) - statistics.median(of_products)
    return [*times, rest]


def predictions(threads, name, sparsity, batch, rounds):
    """Seconds of a prediction of the dense model, and of the stored one."""
    threaded(threads)
    import tensorflow as tf

    x = tf.random.stateless_normal((batch, 32, 32, 3), (0, 1))
    calls = []
    for model in (
        network(name, 0, None, None),
        network(name, sparsity, "auto", 10**6),
    ):
        call = tf.function(lambda x, model=model: model(x, training=False))
        call(x)
        calls.append(lambda call=call: call(x))
    return in_turns(calls, rounds)


def peak(threads, name, sparsity, storage):
    """Peak memory of some steps over what there was before, in MiB."""
    threaded(threads)
    for warm_up in (0, 0.9):  # TensorFlow and the compiler settle
        layer_step(16, 8, 1, warm_up)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = stepper(network(name, sparsity, storage, 10**6), NETWORKS[name][1])
    for _ in range(3):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) / 1024


def layer_rows(threads, rounds):
    """Rows of the first table."""
    cases = [(*each, 1, None) for each in LAYERS]
    cases += [(*each, 2, None) for each in STRIDED]
    cases += [(*each, 1, "kernels") for each in LAYERS]
    cases += [(*each, 1, BLOCKS[each[0]]) for each in LAYERS]
    cases += [(*each, 2, BLOCKS[each[0]]) for each in STRIDED]
    for each in threads:
        for channels, size, stride, block in cases:
            reached, ratios = in_own_process(
                "layer", each, channels, size, stride, block, rounds
            )
            yield (
                f"{channels}, {size}x{size}",
                stride,
                NAMES.get(block, f"blocks of {block}"),
                each,
                f"{reached:.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
            )


def network_rows(threads, rounds):
    """Rows of the second table."""
    for name in NETWORKS:
        for sparsity in (0.9, 0.95):
            dense, masked, active, updated, rest = in_own_process(
                "steps", threads, name, sparsity, rounds
            )
            update = updated - active
            yield (
                name,
                f"{sparsity:.0%}",
                f"{dense:.3f} s",
                f"{dense / masked:.2f}",
                f"{dense / active:.2f}",
                f"{dense / (active + update / INTERVAL):.2f}",
                f"{update / active:.1f}",
                f"{dense / rest:.2f}",
                f"{in_own_process('peak', threads, name, 0, None):.0f} MiB",
                f"{in_own_process('peak', threads, name, sparsity, 'auto'):.0f}"
                " MiB",
            )


def prediction_rows(threads, rounds):
    """Rows of the third table."""
    for name in list(NETWORKS)[:2]:
        for sparsity in (0.9, 0.95):
            cells = []
            for batch in (1, 64):
                dense, active = in_own_process(
                    "predictions", threads, name, sparsity, batch, 4 * rounds
                )
                cells += [f"{1000 * dense:.1f} ms", f"{dense / active:.2f}"]
            yield name, f"{sparsity:.0%}", *cells


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
    by_sparsity = [f"{sparsity:.0%}" for sparsity in SPARSITIES]
    rounds = 5 if flags.quick else 15
    table(
        (
            "channels, size",
            "stride",
            "stored",
            "threads",
            "GFLOP/s",
            *by_sparsity,
        ),
        layer_rows((1,) if flags.quick else (1, 2), rounds),
    )
    if flags.quick:
        return
    table(
        (
            "network",
            "sparsity",
            "dense step",
            "stored dense",
            "stored active",
            "with updates",
            "steps an update takes",
            "if products took no time",
            "dense memory",
            "active memory",
        ),
        network_rows(2, 7),
    )
    table(
        ("network", "sparsity", "batch 1", "faster", "batch 64", "faster"),
        prediction_rows(2, 7),
    )


if __name__ == "__main__":
    main()
