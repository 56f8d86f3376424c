"""Compares ways of training on two replicas, in a process of their own."""

import keras
import numpy as np
import tensorflow as tf

import rigl_tf
from rigl_tf.utils.tensors import as_int
from tests.modeling import doors

NAMES = ("rigl", "snfs")


def loop(name, strategy):
    with strategy.scope():
        model = doors.sparse(name)

    @tf.function
    def train(x, y):
        strategy.run(doors.step, args=(model, x, y))

    for x, y in strategy.experimental_distribute_dataset(doors.dataset()):
        train(x, y)
    return model


def fit(name, strategy):
    with strategy.scope():
        model = doors.sparse(name)
        model.compile(doors.optimizer(), doors.LOSS)
    model.fit(doors.dataset(), shuffle=False, verbose=0)
    return model


def callback(name, strategy):
    with strategy.scope():
        model = doors.network()
        model.compile(doors.optimizer(), doors.LOSS)
    training = rigl_tf.SparseTraining(**doors.options(name))
    model.fit(doors.dataset(), shuffle=False, verbose=0, callbacks=[training])
    model.sparse_step = training.sparse_step
    return model


def distill(name, strategy):
    with strategy.scope():
        student = rigl_tf.sparsify(doors.network(), **doors.options(name))
        distiller = keras.distillation.Distiller(
            doors.network(),
            student,
            keras.distillation.LogitsDistillation(),
        )
        distiller.compile(
            rigl_tf.SparseOptimizer(doors.optimizer(), student), doors.LOSS
        )
    distiller.fit(doors.dataset(), shuffle=False, verbose=0)
    return student


def check_replicas_agree(model):
    variables = list(model.trainable_variables)
    variables += [kernel.mask for kernel in doors.kernels(model)]
    for variable in variables:
        first, second = variable.value.values
        np.testing.assert_array_equal(first, second)


def check_counts(model, expected):
    step = model.sparse_step
    for name in ("step", "num_updates", "num_changed"):
        count, other = getattr(step, name), getattr(expected, name)
        np.testing.assert_array_equal(count.value, other.value)


def main():
    # Graphs that run for a few steps are not worth optimizing.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name in NAMES:
        expected = fit(name, strategy)
        for train in (loop, callback):
            model = train(name, strategy)
            check_replicas_agree(model)
            doors.assert_same(model, expected)
            check_counts(model, expected)
        print(name)
    student = distill("rigl", strategy)
    check_replicas_agree(student)
    counts = [int(kernel.count()) for kernel in student.kernels]
    if counts != student.budgets or not as_int(student.num_changed):
        raise AssertionError(f"{counts} are not {student.budgets}.")


if __name__ == "__main__":
    main()
