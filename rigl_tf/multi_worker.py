"""Keras's `fit` under MultiWorkerMirroredStrategy, mended."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import refusals
from rigl_tf import replicas
from rigl_tf import slots
from rigl_tf import tensors


class MultiWorkerFit:
    """Mends what Keras 3.15 does wrong where several processes train.

    - Before the first step, `fit` averages a batch over all workers to learn
      its shape, which fails. One worker's part will do.
    - After each step, it averages metrics along their first axis, which
      scalars do not have. They get one.

    A model inherits this before `keras.Model`; one that is there already is
    passed through `mend`.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if self._distribute_strategy is not None and iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = tree.map_structure(
                lambda v: self.distribute_strategy.experimental_local_results(
                    v
                )[0],
                next(batches),
            )
        keras.Model._maybe_symbolic_build(self, data_batch=data_batch)

    def _make_function(self, step_function):
        def with_an_axis(data):
            return tree.map_structure(lambda v: v[None], step_function(data))

        several = isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        )
        return keras.Model._make_function(
            self, with_an_axis if several else step_function
        )


def mend(model):
    """Lets a dense model train on several replicas as a sparse one does.

    That is: in several processes, and with the same moving averages on every
    replica.

    Args:
        model: Compiled `keras.Model`, made in the scope of a strategy. Not
            needed for what `rigl_tf.sparsify` returns.

    Returns:
        The model itself. It is saved as if nothing had been mended.

    Raises:
        ValueError: If TensorFlow cannot train it on several devices: with
            accumulated gradients or, in one process, `jit_compile=True` or
            `steps_per_execution`.
    """
    num_batches = slots.accumulation_steps(model.optimizer)
    refusals.refuse_on_several_devices(model, num_batches)

    def train_step(data):
        logs = type(model).train_step(model, data)
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        moving = tensors.floats(model.non_trainable_variables)
        replicas.average(
            moving, replicas.share(tf.shape(tree.flatten(x)[0])[0])
        )
        return logs

    for name in ("_maybe_symbolic_build", "_make_function"):
        setattr(model, name, getattr(MultiWorkerFit, name).__get__(model))
    model.train_step = train_step
    return model
