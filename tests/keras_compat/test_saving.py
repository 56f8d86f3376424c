"""What Keras does while it saves and loads."""

import keras
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


def test_a_layer_knows_the_format_that_it_is_saved_in(tmp_path):
    """Without it, a sparse model in HDF5 would lose its masks in silence."""
    asked = []

    class Asking(kl.Layer):
        def get_config(self):
            asked.append(_keras_compat.is_saving_as_h5())
            return super().get_config()

    model = keras.Sequential([keras.Input((4,)), Asking()])
    model.save(tmp_path / "model.keras")
    assert not any(asked)
    asked.clear()
    model.save(tmp_path / "model.h5")

    assert any(asked)


def test_variables_without_values_take_no_memory():
    """Without it, a small file could make a process run out of memory."""
    width = 10**8  # 40 petabytes

    with _keras_compat.unallocated():
        model = keras.Sequential(
            [
                keras.Input((3, width), batch_size=width),
                kl.GRU(2, stateful=True),
                kl.Dense(width),
            ]
        )
        shapes = [variable.shape for variable in model.weights]

    assert (2, width) in shapes
    assert (width, 6) in shapes
    assert kl.Dense(2)(tf.ones((1, 4))).shape == (1, 2)
