"""Every algorithm where it is least at home, and weights set from outside."""

import contextlib
import functools
import warnings

import h5py
import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf.sparsity import schedules
from rigl_tf.training import trainer
from rigl_tf.utils.tensors import as_array
from rigl_tf.utils.tensors import as_int
from tests.faults import harness
from tests.faults.numerics import check_whole

X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def sparse(algorithm="rigl", sparsity=0.5, policy="float32", frozen=False):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(8, activation="tanh", dtype=policy),
        keras.layers.Dense(6, activation="tanh", dtype=policy),
        keras.layers.Dense(2, dtype=policy),
    ]
    layers[2].trainable = not frozen
    return rigl_tf.sparsify(
        keras.Sequential(layers),
        rigl_tf.algorithms.get(algorithm),
        sparsity=sparsity,
        schedule=schedules.UpdateSchedule(2, end_step=100),
    )


def compiled(model, optimizer=None, **kwargs):
    optimizer = optimizer or keras.optimizers.SGD(0.1, momentum=0.9)
    kwargs.setdefault("run_eagerly", True)
    model.compile(optimizer, trainer.CROSS_ENTROPY, **kwargs)
    return model


def fit(model, **kwargs):
    """Six steps, of which some update masks."""
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, **kwargs)
    return model


def copied(algorithm):
    model = compiled(sparse(algorithm))
    counts = [as_int(kernel.count()) for kernel in model.kernels]
    clone = keras.models.clone_model(model)
    assert [as_int(k.count()) for k in clone.kernels] == counts, "It is dense."
    return compiled(clone)


CORNERS = {
    "float64": lambda name: compiled(sparse(name, policy="float64")),
    "bfloat16": lambda name: compiled(sparse(name, policy="bfloat16")),
    "float16": lambda name: compiled(sparse(name, policy="float16")),
    "frozen layer": lambda name: compiled(sparse(name, frozen=True)),
    "Ftrl": lambda name: compiled(sparse(name), keras.optimizers.Ftrl(0.1)),
    "averaged weights": lambda name: compiled(
        sparse(name), keras.optimizers.Adam(0.01, use_ema=True)
    ),
    "clone": copied,
}


def trained(make, algorithm, directory):
    """It trains: weights are finite and zero under masks, counts exact."""
    del directory
    try:
        model = fit(make(algorithm))
    except ValueError as error:
        assert "needs the optimizer's momentum" in str(error), error
        return
    assert as_int(model.num_skipped) == 0, "Steps were skipped."
    for kernel in model.kernels:
        weight, mask = as_array(kernel.variable), as_array(kernel.mask)
        assert np.all(np.isfinite(weight.astype("float64")))
        assert not weight[~mask].any()
    if not model.algorithm.follows_sparsity:
        active = sum(as_int(kernel.count()) for kernel in model.kernels)
        assert active == sum(model.budgets), active


def like_eager(algorithm, directory):
    """XLA draws and chooses what a step without a compiler does."""
    del directory
    one = fit(compiled(sparse(algorithm)))
    two = fit(compiled(sparse(algorithm), run_eagerly=False, jit_compile=True))
    for a, b in zip(one.kernels, two.kernels, strict=True):
        np.testing.assert_array_equal(as_array(a.mask), as_array(b.mask))


def large_sum(directory):
    """Finite gradients of float16, whose sum is not."""
    del directory
    x = np.random.default_rng(0).uniform(0.5, 1.5, (32, 4096))
    layers = [keras.Input((4096,)), keras.layers.Dense(1, dtype="float16")]
    model = rigl_tf.sparsify(
        keras.Sequential(layers), "set", sparsity=0.5, schedule=2
    )
    model.compile(keras.optimizers.SGD(1e-4), "mse", run_eagerly=True)
    model.fit(x, np.full((32, 1), 20.0), batch_size=16, verbose=0)
    assert as_int(model.num_skipped) == 0


def stalled_scale(directory):
    """One example that is always NaN shrinks the scale until nothing moves."""
    del directory
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(sparse(policy="mixed_float16"), keras.optimizers.SGD())
    finally:
        keras.config.set_dtype_policy("float32")
    x = X.copy()
    x[0] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, Y, batch_size=8, epochs=20, verbose=0)
    said = [str(w.message) for w in caught]
    assert any("Each halves the loss scale" in text for text in said), said


def other_masks(directory):
    """Weights of another sparsity: masks, counts and budgets go together."""
    path = directory / "other.weights.h5"
    sparse(sparsity=0.8).save_weights(path)
    model = compiled(sparse())
    model.load_weights(path)
    check_whole(model)
    check_whole(fit(model))


def under_masks(use, directory):
    """Weights that are set under masks count nowhere."""
    model, whole = compiled(sparse("static")), compiled(sparse("static"))
    path = directory / "model.weights.h5"
    if use == "file":
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            names = []
            file.visit(names.append)
            for name in names:
                if getattr(file[name], "shape", ()) == (6, 8):
                    if file[name].dtype == "float32":
                        file[name][...] += 1.0 * (file[name][...] == 0)
        model.load_weights(path)
    else:
        for kernel in model.kernels:
            mask, weight = as_array(kernel.mask), as_array(kernel.variable)
            kernel.variable.assign(np.where(mask, weight, 1.0))
    np.testing.assert_array_equal(
        model.predict(X, verbose=0), whole.predict(X, verbose=0)
    )
    model.save(directory / "model.keras")
    check_whole(keras.saving.load_model(directory / "model.keras"))


def empty_data(directory):
    del directory
    data = tf.data.Dataset.from_tensor_slices((X[:0], Y[:0])).batch(8)
    with contextlib.suppress(ValueError):  # as Keras has it
        compiled(sparse()).fit(data, verbose=0)


class Talks(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs.update(note="text", f1=np.array([0.5, 0.25]))


def strange_logs(directory):
    model = compiled(sparse())
    with rigl_tf.Checkpoint(directory, every=1) as checkpoint:
        fit(model, epochs=2, callbacks=[Talks(), checkpoint])
    assert checkpoint.history.keys() == {"loss"}


def on_replicas(change, directory):
    """What Keras's own loop cannot do on replicas is done or refused."""
    del directory
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    steps = 1 if change else 2
    with rigl_tf.strategies.mirrored().scope():
        optimizer = keras.optimizers.SGD(0.1, **change)
        try:
            model = compiled(
                sparse(),
                optimizer,
                run_eagerly=False,
                steps_per_execution=steps,
            )
            fit(model)
        except (ValueError, NotImplementedError) as error:
            assert "replicas" in str(error) or "Strategy" in str(error), error
        else:
            assert as_int(model.num_skipped) == 0


def faults(few):
    # First, because they divide the device before anything computes on it.
    for change in ({}, {"gradient_accumulation_steps": 2}):
        name = "gradient accumulation" if change else "steps_per_execution"
        inject = functools.partial(on_replicas, change)
        yield "unusual fit", f"{name} on replicas", inject
    for name in rigl_tf.algorithms.ALGORITHMS:
        for corner, make in CORNERS.items():
            if not few or (name, corner) in {("snfs", "float16")}:
                inject = functools.partial(trained, make, name)
                yield "algorithm in a corner", f"{name}, {corner}", inject
        if not few:
            inject = functools.partial(like_eager, name)
            yield "XLA or not", name, inject
    yield "large gradients of float16", "their sum", large_sum
    for use in ("file", "assign"):
        inject = functools.partial(under_masks, use)
        yield "weights under masks", use, inject
    yield "weights of other masks", "another sparsity", other_masks
    yield "unusual fit", "empty data", empty_data
    yield "unusual fit", "logs that are no numbers", strange_logs
    if not few:
        yield "loss scale that stalls", "one NaN example", stalled_scale


if __name__ == "__main__":
    harness.main(faults)
