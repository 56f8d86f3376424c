"""NaN and infinity, on every step, device, precision and way of computing."""

import functools
import itertools
import warnings

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf.distribute import strategies
from rigl_tf.sparsity import schedules
from rigl_tf.utils.tensors import as_array
from rigl_tf.utils.tensors import as_int
from tests.faults import harness

BATCH = 8
UPDATE = 4  # the step, from 0, of the only update that is due
STEPS = 10


def data(bad_step, replica, value):
    """Batches of which one has a bad example, in a replica's half."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * BATCH, 6)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    x[bad_step * BATCH + replica * BATCH // 2] = value
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)


def compiled(precision, strategy, loss=None, **kwargs):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        layers = [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu", dtype=precision),
            keras.layers.Dense(2, dtype=precision),
        ]
        model = rigl_tf.sparsify(
            keras.Sequential(layers),
            rigl_tf.algorithms.RigL(),
            sparsity=0.5,
            schedule=schedules.UpdateSchedule(UPDATE, end_step=UPDATE + 1),
            drop_fraction=schedules.Constant(0.3),
        )
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        if precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, 2.0**8)
        loss = loss or keras.losses.SparseCategoricalCrossentropy(True)
        model.compile(optimizer, loss, **kwargs)
    return model


class Watch(keras.callbacks.Callback):
    """Weights, masks and slots before and after the bad step."""

    def __init__(self, bad_step):
        super().__init__()
        self._bad_step = bad_step
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        if batch in (self._bad_step - 1, self._bad_step):
            model = self.model
            slots = [v for v in model.optimizer.variables if len(v.shape) > 1]
            variables = model.network.variables + slots
            self.seen.append([as_array(v).tobytes() for v in variables])


def skipped(precision, mode, bad_step, strategy, replica, value, directory):
    """The bad step changes nothing, and an update due at it comes next."""
    del directory
    options = {
        "eager": {"run_eagerly": True},
        "graph": {"jit_compile": False},
        "jit": {"jit_compile": True},
    }[mode]
    model = compiled(precision, strategy, **options)
    watch = Watch(bad_step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that steps were skipped
        model.fit(data(bad_step, replica, value), verbose=0, callbacks=[watch])
    assert as_int(model.num_skipped) == 1, as_int(model.num_skipped)
    assert watch.seen[0] == watch.seen[1], "The bad step changed something."
    assert as_int(model.num_updates) == 1
    assert as_int(model.num_changed) > 0
    check_whole(model)
    if precision == "mixed_float16":
        assert float(as_array(model.optimizer.dynamic_scale)) == 2.0**7


def check_whole(model):
    """Finite weights, exact counts, and the same on every replica."""
    for kernel, budget in zip(model.kernels, model.budgets, strict=True):
        copies = getattr(kernel.variable.value, "values", [kernel.variable])
        for copy in copies:
            assert np.all(np.isfinite(as_array(copy)))
            np.testing.assert_array_equal(as_array(copy), as_array(copies[0]))
        mask = as_array(kernel.mask)
        assert mask.dtype == bool and mask.sum() == budget
        assert not as_array(kernel.variable)[~mask].any()


def strange_gradients(loss, num_skipped, directory):
    """Losses whose gradients are zero, equal, huge or no numbers."""
    del directory
    model = compiled("float32", tf.distribute.get_strategy(), loss=loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data(0, 0, 1.0), verbose=0)
    assert as_int(model.num_skipped) == num_skipped, as_int(model.num_skipped)
    check_whole(model)


LOSSES = {
    "all zero": (lambda y, p: 0.0 * p[:, 0], 0),
    "negative zero": (lambda y, p: -0.0 * p[:, 0], 0),
    "all equal": (lambda y, p: p[:, 0] + p[:, 1], 0),
    "infinity times zero": (lambda y, p: p[:, 0] * np.inf * 0.0, STEPS),
    "1e38 squared": (lambda y, p: p[:, 0] * 1e38 * 1e38, STEPS),
}


def faults(few):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    one, two = tf.distribute.get_strategy(), strategies.mirrored()
    devices = [(one, 0, mode) for mode in ("eager", "graph", "jit")]
    devices += [  # XLA cannot compile for several devices at once
        (two, replica, mode)
        for replica in (0, 1)
        for mode in ("eager", "graph")
    ]
    precisions = ("float32", "mixed_bfloat16", "mixed_float16")
    grid = itertools.product(
        precisions,
        {"ordinary step": 2, "update step": UPDATE}.items(),
        devices,
        {"NaN": np.nan, "infinity": np.inf}.items(),
    )
    for precision, (step, number), device, (name, value) in grid:
        strategy, replica, mode = device
        if name == "infinity" and precision != "float32":
            continue
        case = (precision, step, mode, name)
        if few and case != ("float32", "update step", "graph", "NaN"):
            continue
        place = f"replica {replica} of {strategy.num_replicas_in_sync}"
        yield (
            f"NaN or infinity, {step}",
            f"{precision}, {mode}, {place}, {name}",
            functools.partial(
                skipped, precision, mode, number, strategy, replica, value
            ),
        )
    for name, (loss, count) in {} if few else LOSSES.items():
        inject = functools.partial(strange_gradients, loss, count)
        yield "strange gradients", name, inject


if __name__ == "__main__":
    harness.main(faults)
