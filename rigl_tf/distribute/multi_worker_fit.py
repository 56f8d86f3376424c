"""Corrections of Keras's `fit` under MultiWorkerMirroredStrategy."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf.distribute import replica_sync
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import refusals
from rigl_tf.utils import tensors


class MultiWorkerFit:
    """Corrects two faults of `fit` in Keras 3.15 with several processes.

    - Before the first step, `fit` averages a batch over all workers to learn
      its shape, which fails. This class uses the part of one worker.
    - After each step, `fit` averages metrics along their first axis. This
      class adds an axis to scalars.

    A class inherits from `MultiWorkerFit` before `keras.Model`. An existing
    model is passed to `patch_fit_for_multi_worker`.
    """

    _distribute_strategy: tf.distribute.Strategy | None
    distribute_strategy: tf.distribute.Strategy

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


def patch_fit_for_multi_worker(model: keras.Model) -> keras.Model:
    """Lets a dense model train on several replicas like a sparse model.

    The patched model can train in several processes, and its moving averages
    are the same on every replica.

    Args:
        model: Compiled `keras.Model`, created in the scope of a strategy. A
            model of `rigl_tf.sparsify` needs no patch.

    Returns:
        The model itself. It is saved as if nothing had been mended.

    Raises:
        ValueError: If TensorFlow cannot train it on several devices: with
            accumulated gradients or, in one process, `jit_compile=True` or
            `steps_per_execution`.
    """
    num_batches = optimizer_slots.accumulation_steps(model.optimizer)
    refusals.refuse_on_several_devices(model, num_batches)

    def train_step(data):
        logs = type(model).train_step(model, data)
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        moving = tensors.floats(model.non_trainable_variables)
        replica_sync.sync_moving_averages(
            moving, replica_sync.example_share(tf.shape(tree.flatten(x)[0])[0])
        )
        return logs

    for name in ("_maybe_symbolic_build", "_make_function"):
        setattr(model, name, getattr(MultiWorkerFit, name).__get__(model))
    model.train_step = train_step
    return model
