"""Flattens nested models."""

import contextlib
import itertools
from typing import NamedTuple

import keras
from keras.src.models import Functional  # keras exports no name for it

from rigl_tf.deploy import unwrapping


class FlatModel(NamedTuple):
    """A model without nested models.

    Attributes:
        model: Functional `keras.Model` with the same layers.
        names: Dictionary from the `id` of an operation to a unique name.
    """

    model: keras.Model
    names: dict


def flatten_nested(model):
    """Builds one functional model from the layers of all nested models.

    The layers are shared, not copied. They keep their names, and the new calls
    are removed from their records, so that `layer.output` stays unique.

    Args:
        model: Functional or Sequential `keras.Model`.

    Returns:
        `FlatModel`.
    """
    model = _functional(model)
    names = _names(model)
    if not any(map(_is_nested, model.operations)):
        # The same calls, not compiled.
        return FlatModel(
            Functional(model.input, model.output, name=model.name), names
        )
    operations = [*model.operations, *_nested(model)]
    with _restore_calls(operations), unwrapping.uncompiled(model):
        for operation in operations:
            operation.name = names[id(operation)]
        clone = keras.models.clone_model(
            model, clone_function=lambda layer: layer, call_function=_call
        )
    return FlatModel(clone, names)


@contextlib.contextmanager
def _restore_calls(operations):
    """Restores the names and calls of operations afterwards."""
    before = [
        (each, each.name, len(each._inbound_nodes), len(each._outbound_nodes))
        for each in {id(each): each for each in operations}.values()
    ]
    try:
        yield
    finally:
        for operation, name, num_inbound, num_outbound in before:
            operation.name = name
            del operation._inbound_nodes[num_inbound:]
            del operation._outbound_nodes[num_outbound:]


def _functional(model):
    return getattr(model, "_functional", model)


def _is_nested(operation):
    return type(operation) in (Functional, keras.Sequential)


def _call(operation, *args, **kwargs):
    """Calls an operation, or each operation of a nested model."""
    if not _is_nested(operation):
        return operation(*args, **kwargs)

    def call(inner, *args, **inner_kwargs):
        if getattr(inner, "_call_has_training_arg", False):
            inner_kwargs.setdefault("training", kwargs.get("training"))
        return _call(inner, *args, **inner_kwargs)

    return _functional(operation)._run_through_graph(args[0], call_fn=call)


def _names(model):
    """Maps ids of operations to names, with numbers to make them unique."""
    names = {id(operation): operation.name for operation in model.operations}
    taken = set(names.values())
    for operation in _nested(model):
        if id(operation) in names:
            continue
        name = operation.name
        for number in itertools.count(1):
            if name not in taken:
                break
            name = f"{operation.name}_{number}"
        names[id(operation)] = name
        taken.add(name)
    return names


def _nested(model):
    """Yields the operations of all nested models."""
    for operation in model.operations:
        if _is_nested(operation):
            inner = _functional(operation)
            yield from inner.operations
            yield from _nested(inner)
