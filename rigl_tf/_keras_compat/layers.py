"""What layers keep for themselves: parts, variables, their `call`."""

import contextlib

import keras


def children(layer):
    """Returns the layers directly inside a layer or model."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def all_layers(layer, include_self=True):
    """Returns a layer or model and all layers inside it, at any depth."""
    return layer._flatten_layers(include_self=include_self)


def own_trainable_variables(layer):
    """Returns the trainable variables of one layer, without those inside.

    `Layer.trainable_variables` has those inside, too, and is empty where the
    layer is frozen; this list is not.
    """
    return list(layer._trainable_variables)


def takes_training(operation):
    """Returns whether it is a layer whose `call` has `training`."""
    return getattr(operation, "_call_has_training_arg", False)


def check_number_of_variables(layer, store):
    """Raises Keras's ValueError if a file has other variables than a layer."""
    layer._check_load_own_variables(store)


def unlock(layer):
    """Lets a built layer get attributes that Keras tracks."""
    layer._tracker.unlock()


@contextlib.contextmanager
def kernel_replaced(layer):
    """Frees the kernel of a built layer; another one is added within.

    The first variable that is added takes the place of the kernel in
    `layer.trainable_variables`, so in files, too.
    """
    kernel, weights = layer.kernel, layer._trainable_variables
    place = next(i for i, weight in enumerate(weights) if weight is kernel)
    layer._tracker.unlock()
    try:
        layer._untrack_variable(kernel)
        layer._kernel = None
        with layer._open_name_scope():
            yield
    finally:
        layer._tracker.lock()
    weights.insert(place, weights.pop())


@contextlib.contextmanager
def call_replaced(layer, function):
    """Lets a layer compute a function in place of its `call`."""
    # Keras would track it as an attribute of the layer.
    object.__setattr__(layer, "call", function)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


class Untracked:
    """A value that a layer has as an attribute and does not save or track."""

    def __init__(self, value):
        self.value = value


def made_again(layer, config, kind=None):
    """Makes a layer from a configuration, with the functions of another.

    For layers of Keras, the functions are the same objects, so that Keras does
    not need to find them by name.

    Args:
        layer: `keras.Layer`, the source of the functions.
        config: Dictionary, a configuration of such a layer.
        kind: Class of the new layer; by default, the class of `layer`.

    Raises:
        ValueError: If Keras does not know what the configuration names.
    """
    kind = kind or type(layer)
    functions = {}
    if _is_of_keras(kind):
        functions = {
            name: value
            for name, value in vars(layer).items()
            if name in config
            and callable(value)
            and not isinstance(value, keras.Layer)
            and not _is_of_keras(type(value))
        }
    if kind is keras.layers.Lambda:  # it needs its function at once
        return kind(**config | functions)
    try:
        made = kind.from_config(config | dict.fromkeys(functions))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Layer {layer.name!r} of type {kind.__name__} cannot be made "
            "again from its configuration. If it has a function or class of "
            "your own, name it in `keras.saving.custom_object_scope`, or "
            "register it with `keras.saving.register_keras_serializable`."
        ) from error
    for name, value in functions.items():
        setattr(made, name, value)
    return made


def _is_of_keras(kind):
    return kind.__module__.partition(".")[0] == keras.__name__
