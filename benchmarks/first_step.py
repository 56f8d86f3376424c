"""How much longer the first step of a sparse model takes than a dense one's.

The first step makes the graph of all later steps, with the update of the masks
in it. A process of its own builds each model and trains it on one batch; the
table has the CPU seconds of that call, which other work on the machine changes
less than wall time, and their ratio to the dense model's. Medians over
`--rounds` processes. `--jit` lets XLA compile the step, and `--storage` is the
argument of `sparsify`.

    python benchmarks/first_step.py [--jit] [--rounds 3] [network ...]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

METHODS = ("dense", "static", "rigl", "set", "deepr")


def transformer():
    """A small transformer: four blocks of 128 units and four heads."""
    import keras
    from keras import layers

    x = inputs = keras.Input((32, 128))
    for _ in range(4):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, 32)(y, y)
        y = layers.LayerNormalization()(x)
        y = layers.Dense(512, activation="relu")(y)
        x = x + layers.Dense(128)(y)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(10)(x))


def networks():
    """Functions that build the networks, by name."""
    from rigl_tf import models

    return {
        "MLP 300-100": lambda: models.mlp((784,), 10, hidden=(300, 100)),
        "transformer": transformer,
        "WRN-22-2": lambda: models.wide_resnet((32, 32, 3), 10),
        "MobileNetV2": lambda: models.mobilenet_v2((32, 32, 3), 10),
        "ResNet-50": lambda: models.resnet50((32, 32, 3), 10),
    }


def first_step(network, method, jit, storage):
    """CPU seconds of the first training step."""
    import keras
    import numpy as np

    import rigl_tf

    model = networks()[network]()
    shape = model.input_shape[1:]
    if method != "dense":
        model = rigl_tf.sparsify(
            model,
            method,
            sparsity=0.9,
            schedule=rigl_tf.schedules.UpdateSchedule(100, end_step=10**6),
            storage=storage,
        )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    x, y = np.zeros((8, *shape), "float32"), np.zeros(8, "int32")
    start = time.process_time()
    model.train_on_batch(x, y)
    return time.process_time() - start


def in_own_process(*arguments):
    """What `first_step` returns, called in a new process."""
    output = subprocess.run(
        [sys.executable, __file__, "--one", json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jit", action="store_true")
    parser.add_argument("--storage", default="dense")
    parser.add_argument("--one", help="what a process of its own does")
    flags = parser.parse_args()
    if flags.one:
        print(first_step(*json.loads(flags.one)))
        return
    print(f"| network | {' | '.join(flags.methods)} |")
    print("|" + "---|" * (1 + len(flags.methods)))
    for network in flags.networks or networks():
        cells = []
        for method in flags.methods:
            times = [
                in_own_process(network, method, flags.jit, flags.storage)
                for _ in range(flags.rounds)
            ]
            cells.append(statistics.median(times))
        ratios = [f"{cell / cells[0]:.2f}" for cell in cells[1:]]
        print(
            f"| {network} | {cells[0]:.2f} s | {' | '.join(ratios)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
