"""What several replicas cost, measured here and reckoned for larger ones.

Trains an MLP of 3 x 1024 with RigL at sparsity 0.9 on 1, 2 and 4 logical CPUs
in turn, each in its own process, with the same global batch. Prints for each
the median time of an ordinary step and of an update step, and the bytes that a
replica sends to be summed: those of gradients at an ordinary and at an update
step, those of everything else, and what the gradients of active connections
alone would be. The CPUs here are shared, so that times show what replicas add,
not what they save.

Then reckons, without measuring anything but this machine's own speed, what a
step would cost at up to 10^9 parameters on 256 replicas: see
docs/scaling.md, which has the assumptions. `--quick` does fewer rounds.
"""

import json
import math
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf import models
from rigl_tf.distribute import strategies
from rigl_tf.modeling import gradient_step
from rigl_tf.modeling import mask_update
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from rigl_tf.utils import text_tables

BATCH, WIDTH, SPARSITY = 256, 1024, 0.9
ROUNDS = 10 if "--quick" in sys.argv else 40
PERIOD = 5  # every fifth step is an update

# Of one accelerator such as an A100, and its network.
FLOPS = 1e14  # a second, reached
BANDWIDTH = 25e9  # bytes a second between replicas
MEMORY = 1.5e12  # bytes a second
EXAMPLES = 64  # a replica's share of a batch


def compiled(strategy):
    with strategy.scope():
        network = models.mlp((784,), 10, hidden=(WIDTH,) * 3)
        model = rigl_tf.sparsify(
            network,
            rigl_tf.algorithms.RigL(),
            sparsity=SPARSITY,
            schedule=schedules.UpdateSchedule(PERIOD, end_step=10**6),
        )
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    return model


class Sent:
    """Counts, while a step is traced, the bytes that one replica sends."""

    def __init__(self):
        self.bytes = {"ordinary": 0, "update": 0, "else": 0}
        self._phase = "else"
        self._watch(gradient_step, "apply_gradients", "ordinary")
        self._watch(mask_update, "update_masks", "update")
        all_reduce = tf.distribute.ReplicaContext.all_reduce

        def counting(context, op, value, *args, **kwargs):
            replicas = context.num_replicas_in_sync
            if replicas > 1:  # each of them is traced
                self.bytes[self._phase] += sum(
                    math.prod(v.shape) * v.dtype.size / replicas
                    for v in tf.nest.flatten(value)
                )
            return all_reduce(context, op, value, *args, **kwargs)

        tf.distribute.ReplicaContext.all_reduce = counting

    def _watch(self, module, name, phase):
        function = getattr(module, name)

        def watched(*args):
            before, self._phase = self._phase, phase
            function(*args)
            self._phase = before

        setattr(module, name, watched)


class Clock(keras.callbacks.Callback):
    """Seconds of every step."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        int(tf.convert_to_tensor(self.model.step))  # waits for the step
        self.seconds.append(time.perf_counter() - self._start)


def measure(replicas):
    """Runs in a process of its own; prints JSON."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * replicas,
    )
    strategy = strategies.mirrored()
    sent, clock = Sent(), Clock()
    model = compiled(strategy)
    steps = (ROUNDS + 2) * PERIOD
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, 784)).astype("float32")
    y = rng.integers(10, size=BATCH).astype("int32")
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    model.fit(
        data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[clock]
    )
    seconds = list(enumerate(clock.seconds))[2 * PERIOD :]
    rest = sum(math.prod(v.shape) for v in model.trainable_variables) - sum(
        kernel.size for kernel in model.kernels
    )
    print(
        json.dumps(
            {
                "ordinary": statistics.median(
                    s for i, s in seconds if i % PERIOD
                ),
                "update": statistics.median(
                    s for i, s in seconds if i % PERIOD == 0
                ),
                "sent": sent.bytes,
                "active": 4 * (sum(model.budgets) + rest),
            }
        )
    )


def measured_table():
    rows = [
        (
            "replicas",
            "ordinary step, ms",
            "update step, ms",
            "gradients sent, ordinary, MB",
            "update, MB",
            "else, bytes",
            "active only, MB",
        )
    ]
    for replicas in (1, 2, 4):
        done = subprocess.run(
            [sys.executable, __file__, f"--replicas={replicas}", *sys.argv[1:]],
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        sent = found["sent"]
        rows.append(
            (
                str(replicas),
                f"{1e3 * found['ordinary']:.1f}",
                f"{1e3 * found['update']:.1f}",
                f"{sent['ordinary'] / 1e6:.2f}",
                f"{sent['update'] / 1e6:.2f}",
                f"{sent['else']:.0f}",
                f"{found['active'] / 1e6:.2f}",
            )
        )
    return text_tables.markdown(rows)


def passes_of_selection():
    """As how many reads of memory a selection takes as long, here."""
    size = 10**7
    scores = tf.random.stateless_normal([size], seed=(0, 1))
    select = tf.function(masks.top_k_mask, autograph=False)
    read = tf.function(tf.reduce_max)

    def seconds(function, *args):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            function(*args).numpy()
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    k = tf.constant(size // 10, tf.int64)
    return seconds(select, scores, k) / seconds(read, scores)


def reckoned(parameters, replicas, interval, passes):
    """Milliseconds of a step: computing, sending, and a step's part of updates.

    Args:
        parameters: Number, of the dense network.
        replicas: Integer.
        interval: Integer, steps from one update of the masks to the next.
        passes: Number, of `passes_of_selection`.

    Returns:
        Triple of floats: computing, sending dense gradients, updating.
    """
    computing = 6 * parameters * EXAMPLES / FLOPS
    sending = 2 * (replicas - 1) / replicas * 4 * parameters / BANDWIDTH
    # Drop and grow each select among all connections, on every replica.
    selecting = 2 * passes * 4 * parameters / MEMORY
    return 1e3 * computing, 1e3 * sending, 1e3 * selecting / interval


def reckoned_table(passes):
    rows = [
        (
            "parameters",
            "replicas",
            "interval",
            "computing, ms",
            "sending, ms",
            "sending active only, ms",
            "updates, ms a step",
            "updates, share",
        )
    ]
    for parameters in (1e7, 1e8, 1e9):
        for replicas in (8, 256):
            for interval in (100, 1000):
                parts = reckoned(parameters, replicas, interval, passes)
                computing, sending, updating = parts
                rows.append(
                    (
                        f"{parameters:.0e}",
                        str(replicas),
                        str(interval),
                        f"{computing:.1f}",
                        f"{sending:.1f}",
                        f"{sending * (1 - SPARSITY):.1f}",
                        f"{updating:.3f}",
                        f"{updating / sum(parts):.2%}",
                    )
                )
    return text_tables.markdown(rows)


def main():
    for argument in sys.argv[1:]:
        if argument.startswith("--replicas="):
            measure(int(argument.split("=")[1]))
            return
    print(measured_table(), flush=True)
    passes = passes_of_selection()
    print(f"\nA selection takes as long as {passes:.0f} reads of its scores.\n")
    print(reckoned_table(passes))


if __name__ == "__main__":
    main()
