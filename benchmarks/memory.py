"""How much memory masks take, and an update beyond an ordinary step.

Fits a chain of equal dense layers, for each row in a process of its own, and
prints what tensors held at most: in ordinary steps, in steps with an update
of the masks, and the difference, in float32 copies of one kernel. "At rest" is
between steps. The counts are TensorFlow's, which keeps them for GPUs and, in
builds with oneDNN, for CPUs; it rounds large buffers up, by less than half a
copy here. `--quick` takes kernels of 16 MiB instead of 128 MiB and leaves XLA
out.
"""

import math
import subprocess
import sys

ALGORITHMS = {
    "static": {},
    "rigl": {},
    "set": {},
    "gradual_pruning": {"scope": "layer"},
    "gradual_pruning, global": {"scope": "global"},
}
NUM_STEPS = 14


def measure(name, num_kernels, rows, columns, jit):
    """Bytes of a mask a connection, and three peaks in copies of a kernel."""
    import keras
    import numpy as np
    import tensorflow as tf

    import rigl_tf
    from rigl_tf.sparsity import schedules

    memory = tf.config.experimental
    device = "GPU:0" if tf.config.get_visible_devices("GPU") else "CPU:0"

    class Peaks(keras.callbacks.Callback):
        """Collects the peak of every step, of updates and of others."""

        at_rest, of_update, of_others = [], [], []

        def on_train_batch_begin(self, batch, logs=None):
            self.due = bool(self.model.schedule(int(self.model.step)))
            memory.reset_memory_stats(device)
            self.at_rest.append(memory.get_memory_info(device)["current"])

        def on_train_batch_end(self, batch, logs=None):
            if batch:  # the first traces
                peaks = self.of_update if self.due else self.of_others
                peaks.append(memory.get_memory_info(device)["peak"])

    widths = [(columns, rows)[i % 2] for i in range(num_kernels)]
    model = rigl_tf.sparsify(
        keras.Sequential(
            [keras.Input((rows,))]
            + [keras.layers.Dense(width, use_bias=False) for width in widths]
        ),
        rigl_tf.algorithms.get(name.split(",")[0], **ALGORITHMS[name]),
        sparsity=0.9,
        schedule=schedules.UpdateSchedule(3, end_step=NUM_STEPS),
    )
    model.compile("sgd", "mse", jit_compile=jit)
    x = np.ones((8 * NUM_STEPS, rows), "float32")
    y = np.ones((8 * NUM_STEPS, widths[-1]), "float32")
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[Peaks()])
    mask = model.kernels[0].mask.numpy()
    copy = 4 * mask.size
    print(
        mask.nbytes / mask.size,
        Peaks.at_rest[-1] / copy,
        max(Peaks.of_others) / copy,
        max(Peaks.of_update, default=math.nan) / copy,
    )


def main():
    """Prints the table."""
    quick = "--quick" in sys.argv[1:]
    rows, columns = (2048, 2048) if quick else (4096, 8192)
    print("| algorithm | jit | kernels | mask, bytes a connection ", end="")
    print("| at rest | ordinary step | update | difference |")
    print("|---|---|---|---|---|---|---|---|")
    for name in ALGORITHMS:
        for jit, num_kernels in ((False, 1), (False, 4), (True, 4)):
            if jit and quick:
                continue
            arguments = (name, num_kernels, rows, columns, jit)
            done = subprocess.run(
                [sys.executable, __file__, "--measure", repr(arguments)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            mask, at_rest, others, update = map(float, done.stdout.split())
            print(
                f"| {name} | {jit} | {num_kernels} | {mask:.1f} "
                f"| {at_rest:.2f} | {others:.2f} | {update:.2f} "
                f"| {update - others:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        import ast

        measure(*ast.literal_eval(sys.argv[2]))
    else:
        main()
