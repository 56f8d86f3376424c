"""Several devices in one process: they agree, and are caught if they do not."""

import dataclasses
import functools
import os
import warnings

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf.distribute import strategies
from rigl_tf.sparsity import schedules
from rigl_tf.training import trainer
from rigl_tf.utils.tensors import as_array
from rigl_tf.utils.tensors import as_int
from tests.faults import child
from tests.faults import harness

EPOCHS = 2


def compiled(strategy, algorithm, storage="dense"):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((8,))
        x = keras.layers.Dense(16, activation="relu")(inputs)
        # Of two classes, gradients would be equal but for signs, and rounding
        # would choose which to grow.
        outputs = keras.layers.Dense(3, kernel_regularizer="l2")(x)
        model = rigl_tf.sparsify(
            keras.Model(inputs, outputs),
            rigl_tf.algorithms.get(algorithm),
            sparsity=0.7,
            schedule=schedules.UpdateSchedule(2, end_step=99),
            storage=storage,
        )
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    return model


def fit(model, *callbacks):
    # 63 examples: 16 in a batch, 15 in the last, of other shares.
    data = child.task().dataset
    return model.fit(
        data.train(0),
        epochs=EPOCHS,
        steps_per_epoch=child.STEPS,
        validation_data=data.validation,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    ).history


def copies(variable):
    """What each replica has."""
    values = getattr(variable.value, "values", [variable])
    return [as_array(value) for value in values]


def like_one_device(algorithm, storage, strategy, directory):
    """The same masks and, but for the order of sums, the same weights."""
    model = compiled(strategy, algorithm, storage)
    alone = compiled(tf.distribute.get_strategy(), algorithm, storage)
    history, expected = fit(model), fit(alone)
    assert as_int(model.num_updates) == as_int(alone.num_updates)
    variables = model.variables + model.optimizer.variables
    for variable in variables:
        for copy in copies(variable):
            np.testing.assert_array_equal(copy, copies(variable)[0])
    for kernel, other in zip(model.kernels, alone.kernels, strict=True):
        np.testing.assert_array_equal(
            as_array(kernel.mask), as_array(other.mask)
        )
    for variable, other in zip(
        model.trainable_variables, alone.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(
            as_array(variable), as_array(other), atol=1e-5
        )
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4)
    loaded_without_strategy(model, directory)


def ticket_like_on_one_device(name, strategy, directory):
    """The same masks, and the same accuracy before training."""
    del directory

    def find(strategy):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            network = keras.Sequential(
                [
                    keras.Input((8,)),
                    keras.layers.Dense(16, activation="relu", name="in"),
                    keras.layers.Dense(2, name="out"),
                ]
            )
            network.compile("adam", trainer.CROSS_ENTROPY)
            data = child.task().dataset
            fit = dataclasses.replace(
                trainer.Trainer.from_model(network, data, 0),
                epochs=EPOCHS,
                strategy=strategy,
                verbose=0,
            )
            ticket = child.TICKETS[name].find(network, data, 0.3, 0, fit)
            sparse = fit.compile(ticket.sparsify(network))
        for kernel in sparse.kernels:
            for copy in copies(kernel.mask):
                np.testing.assert_array_equal(copy, ticket.masks[kernel.name])
        return ticket

    one, two = find(tf.distribute.get_strategy()), find(strategy)
    for kernel, mask in one.masks.items():
        np.testing.assert_array_equal(mask, two.masks[kernel])
    for a, b in zip(one.weights or [], two.weights or [], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def loaded_without_strategy(model, directory):
    model.save(directory / "model.keras")
    loaded = keras.saving.load_model(directory / "model.keras")
    for variable, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(as_array(variable), as_array(other))


class Drift(keras.callbacks.Callback):
    """Changes one bit of one variable on one replica."""

    def __init__(self, choose):
        super().__init__()
        self._choose = choose

    def on_train_batch_end(self, batch, logs=None):
        if batch == child.STEPS - 1:
            copy = self._choose(self.model).value.values[-1]
            flat = as_array(copy).ravel()
            if flat.dtype == bool:
                flat[0] = not flat[0]
            else:
                flat[0] = np.nextafter(flat[0], np.float32(9))
            copy.assign(flat.reshape(copy.shape))


def drift_is_caught(choose, strategy, directory):
    del directory
    model = compiled(strategy, "static")
    try:
        fit(model, Drift(choose))
    except RuntimeError as error:
        name = choose(model).path
        assert f"copies of '{name}' must be equal" in str(error), error
        return
    raise AssertionError("Nothing was noticed.")


DRIFTING = {
    "bias": lambda model: model.trainable_variables[1],
    "mask": lambda model: model.kernels[0].mask,
    "momentum": lambda model: model.optimizer.variables[-1],
}


def jit_is_refused(strategy, directory):
    del directory
    model = compiled(strategy, "static")
    try:
        model.compile("sgd", "mse", jit_compile=True)
    except ValueError as error:
        assert "Leave `jit_compile=True` out" in str(error), error
        return
    raise AssertionError("XLA would fail at the first step.")


def under_another_strategy(strategies, directory):
    """A checkpoint of one way to compute goes on in another."""
    first, second = (compiled(strategy, "snfs") for strategy in strategies)
    with rigl_tf.Checkpoint(directory, every=3) as checkpoint:
        fit(first, checkpoint)
    data = child.task().dataset
    checkpoint = rigl_tf.Checkpoint(directory)
    assert checkpoint.restore(second, data.train(0))
    assert (checkpoint.epoch, checkpoint.batch) == (1, 2)
    fresh = compiled(strategies[0], "snfs")
    rigl_tf.Checkpoint(directory).restore(fresh, data.train(0))
    pairs = zip(
        fresh.variables + fresh.optimizer.variables,
        second.variables + second.optimizer.variables,
        strict=True,
    )
    for one, two in pairs:
        for copy in copies(two):
            np.testing.assert_array_equal(copy, as_array(one))


def faults(few):
    warnings.simplefilter("ignore")
    count = int(os.environ.get("DEVICES", "2"))
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * count,
    )
    one, several = tf.distribute.get_strategy(), strategies.mirrored()
    every = not few and count == 2
    some = ("rigl",) if few else ("rigl", "set", "gradual_pruning")
    cases = [
        (name, "dense")
        for name in (rigl_tf.algorithms.ALGORITHMS if every else some)
    ] + [(name, "active") for name in (some if few else (*some, "ggr"))]
    for name, storage in cases:
        yield (
            "several devices",
            f"{name}, {storage} storage, {count} replicas, like one",
            functools.partial(like_one_device, name, storage, several),
        )
    for name in list(child.TICKETS)[1 : 2 if few else None]:
        yield (
            "ticket on several devices",
            f"{name}, {count} replicas, like on one",
            functools.partial(ticket_like_on_one_device, name, several),
        )
    for name, choose in list(DRIFTING.items())[: 1 if few else None]:
        yield (
            "a replica drifts",
            f"{name}, {count} replicas",
            functools.partial(drift_is_caught, choose, several),
        )
    inject = functools.partial(jit_is_refused, several)
    yield "XLA on several devices", f"{count} replicas", inject
    for pair in ((several, one), (one, several))[: 1 if few else None]:
        counts = [strategy.num_replicas_in_sync for strategy in pair]
        yield (
            "checkpoint of another strategy",
            "{} replicas, then {}".format(*counts),
            functools.partial(under_another_strategy, pair),
        )


if __name__ == "__main__":
    harness.main(faults)
