"""Errors for operations that masks do not support."""

from collections.abc import Sequence
from typing import NoReturn

import keras
import tensorflow as tf


def refuse_keras_2(thing: object, name: str) -> None:
    """Raises a TypeError if an object, or a base of its class, is Keras 2's.

    Args:
        thing: What was received.
        name: String, the argument it was received for.
    """
    kinds = type(thing).__mro__
    if any(kind.__module__.split(".")[0] == "tf_keras" for kind in kinds):
        raise TypeError(
            f"The {name} is an object of Keras 2 (tf_keras), which Keras 3 "
            "cannot use. Create it with `keras`. To transfer weights, use "
            "`new.set_weights(old.get_weights())`. "
            f"Received: {name}={thing!r}."
        )


def refuse_own_optimizer(network: keras.Model) -> None:
    """Raises a ValueError if a network compiles without an optimizer."""
    if network.optimizer is None:
        raise ValueError(
            f"{network.name!r} trains with an optimizer of its own, which a "
            "sparse model does not know. Compile and fit the network, not the "
            "sparse model, and wrap that optimizer: "
            "`rigl_tf.SparseOptimizer(optimizer, sparse_model)`."
        )


def refuse_hdf5(name: str) -> NoReturn:
    """Raises the error for a sparse model that is saved as HDF5."""
    raise ValueError(
        f"{name!r} cannot be saved as HDF5, from which Keras could not load "
        'it. Use the Keras format, `model.save("model.keras")`.'
    )


def refuse_to_quantize(name: str) -> NoReturn:
    """Raises the error of every sparse thing that is asked to quantize."""
    raise ValueError(
        f"{name!r} is sparse, and quantizing it would break its masks. Call "
        "`rigl_tf.densify(model)` first: its zeros survive quantization."
    )


def refuse_lora(name: str) -> NoReturn:
    """Raises the error of every sparse thing that is asked for LoRA."""
    raise ValueError(
        f"{name!r} is sparse, and LoRA would add to its kernel where masks "
        "are `False`. Call `rigl_tf.densify(model)` first, or leave the layer "
        f"dense with `exclude=[{name!r}]`."
    )


def refuse_on_several_devices(model: keras.Model, num_batches: int) -> None:
    """Raises a ValueError for what TensorFlow cannot do on several devices.

    Args:
        model: `keras.Model`, compiled.
        num_batches: Integer, batches of one optimizer step.
    """
    strategy = model.distribute_strategy
    in_one_process = isinstance(strategy, tf.distribute.MirroredStrategy)
    loops = model.steps_per_execution != 1 and not model.run_eagerly
    problem = None
    if num_batches > 1:
        problem = "accumulate gradients", "gradient_accumulation_steps"
    elif in_one_process and model.jit_compile is True:
        problem = "compile one step by XLA", "jit_compile=True"
    elif in_one_process and loops:
        problem = "execute several steps at once", "steps_per_execution"
    if problem and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"TensorFlow cannot {problem[0]} on several devices. Leave "
            f"`{problem[1]}` out under {type(strategy).__name__} with "
            f"{strategy.num_replicas_in_sync} devices."
        )


def refuse_to_jit_active(
    jit_compile: bool | str, kernels: Sequence[str]
) -> None:
    """Raises a ValueError where XLA would meet layers it cannot compile.

    Args:
        jit_compile: What `compile` has received.
        kernels: Names of the kernels that store only active connections.
    """
    if jit_compile is True and kernels:
        raise ValueError(
            "XLA cannot compile layers that store only their active "
            f"connections: {', '.join(kernels)}. Leave `jit_compile=True` "
            "out, or make the model with storage='dense'."
        )


def refuse_outside_of_scope(strategy: tf.distribute.Strategy | None) -> None:
    """Raises a ValueError if a model of one strategy is fitted in another.

    Args:
        strategy: `tf.distribute.Strategy` that the model was made under, or
            `None`.
    """
    here = tf.distribute.get_strategy()
    if here is not strategy and tf.distribute.has_strategy():
        raise ValueError(
            f"`fit` was called in the scope of a {type(here).__name__}, but "
            "the model was created outside of it. Create the network, the "
            "sparse model and the optimizer inside `with strategy.scope():`."
        )
