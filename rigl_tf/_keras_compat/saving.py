"""What Keras does while it saves and loads."""

import contextlib

import keras
from keras.src.backend import compute_output_spec
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.backend.common.global_state import set_global_attribute


def is_saving_as_h5():
    """Returns whether Keras asks for configurations for its HDF5 format."""
    return get_global_attribute("use_legacy_config", False)


def _create_unallocated_states(layer, batch_size):
    """As Keras does for stateful layers, but not from values."""
    specs = compute_output_spec(lambda: layer.get_initial_state(batch_size))
    layer.states = keras.tree.map_structure(
        lambda spec: keras.Variable("zeros", spec.shape, trainable=False),
        specs,
    )


@contextlib.contextmanager
def unallocated():
    """Variables that are made within never get memory, or values."""
    waiting = get_global_attribute("uninitialized_variables", [])
    set_global_attribute("uninitialized_variables", [])
    states = keras.layers.RNN._create_state_variables
    keras.layers.RNN._create_state_variables = _create_unallocated_states
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.layers.RNN._create_state_variables = states
        set_global_attribute("uninitialized_variables", waiting)
