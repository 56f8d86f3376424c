"""Flattens nested models."""

import contextlib
import itertools
from typing import NamedTuple

import keras

from rigl_tf import _keras_compat
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

    The layers are shared, not copied. They keep their names, and forget the
    new calls, which would keep the flat model alive.

    Args:
        model: Functional or Sequential `keras.Model`.

    Returns:
        `FlatModel`.
    """
    model = _keras_compat.graph_of(model)
    names = _names(model)
    if not any(map(_is_nested, model.operations)):
        # The same calls, not compiled.
        return FlatModel(
            keras.Model(model.input, model.output, name=model.name), names
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
    before = [(each, each.name) for each in operations]
    try:
        with _keras_compat.calls_restored(operations):
            yield
    finally:
        for operation, name in before:
            operation.name = name


def _is_nested(operation):
    return type(operation) in (_keras_compat.Functional, keras.Sequential)


def _call(operation, *args, **kwargs):
    """Calls an operation, or each operation of a nested model."""
    if not _is_nested(operation):
        return operation(*args, **kwargs)

    def call(inner, *args, **inner_kwargs):
        if _keras_compat.takes_training(inner):
            inner_kwargs.setdefault("training", kwargs.get("training"))
        return _call(inner, *args, **inner_kwargs)

    graph = _keras_compat.graph_of(operation)
    return _keras_compat.run_graph(graph, args[0], call)


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
            inner = _keras_compat.graph_of(operation)
            yield from inner.operations
            yield from _nested(inner)
