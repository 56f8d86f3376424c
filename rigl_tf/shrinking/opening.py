"""Nested models, opened."""

import itertools

import keras
from keras.src.models import Functional  # keras exports no name for it


def opened(model):
    """One functional model of the layers of all models in a model.

    Args:
        model: Functional or Sequential `keras.Model`; its layers are used,
            and renamed if two have one name.

    Returns:
        Functional `keras.Model`.
    """
    model = _functional(model)
    _rename(model)
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call
    )


def _functional(model):
    return getattr(model, "_functional", model)


def _is_nested(operation):
    return type(operation) in (Functional, keras.Sequential)


def _call(operation, *args, **kwargs):
    """Calls an operation, or all of a model, each by itself."""
    if not _is_nested(operation):
        return operation(*args, **kwargs)

    def call(inner, *args, **of_inner):
        if getattr(inner, "_call_has_training_arg", False):
            of_inner.setdefault("training", kwargs.get("training"))
        return _call(inner, *args, **of_inner)

    return _functional(operation)._run_through_graph(args[0], call_fn=call)


def _rename(model):
    """Gives layers in nested models names that no others have."""
    taken = {operation.name for operation in model.operations}
    seen = {id(operation) for operation in model.operations}
    for operation in _nested(model):
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        name = operation.name
        for number in itertools.count(1):
            if operation.name not in taken:
                break
            operation.name = f"{name}_{number}"
        taken.add(operation.name)


def _nested(model):
    """The operations of all models in a model."""
    for operation in model.operations:
        if _is_nested(operation):
            inner = _functional(operation)
            yield from inner.operations
            yield from _nested(inner)
