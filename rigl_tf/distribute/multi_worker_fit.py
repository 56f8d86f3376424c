"""Dense models that train like sparse ones on several devices."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf._keras_compat import patch_fit
from rigl_tf.distribute import replica_sync
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import refusals
from rigl_tf.utils import tensors


def patch_fit_for_multi_worker(model: keras.Model) -> keras.Model:
    """Lets a dense model train on several replicas like a sparse model.

    The patched model can train in several processes, and its moving averages
    are the same on every replica.

    Args:
        model: Compiled `keras.Model`, created in the scope of a strategy. A
            model of `rigl_tf.sparsify` needs no patch.

    Returns:
        The model itself. Its files are those of a model without the patch.

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

    patch_fit(model)
    model.train_step = train_step
    return model
