"""The facts that tell one run from another."""

import hashlib
import json
import re
from typing import Any

import keras
import numpy as np

from rigl_tf._keras_compat import all_layers
from rigl_tf._keras_compat import loss_weights_of
from rigl_tf.modeling.sparse_optimizer import find_sparse_step
from rigl_tf.modeling.sparse_wrapper import Sparse
from rigl_tf.utils import optimizer_slots


def identity(model, dataset=None):
    """Returns the facts that must be equal when training resumes.

    Args:
        model: Compiled `keras.Model`, before it is trained.
        dataset: `tf.data.Dataset`, the training data, or `None`.

    Returns:
        Dictionary from string to JSON values.
    """
    facts = {
        "optimizer": described(optimizer_slots.inner(model.optimizer)),
        "layers": _layers(model),
    }
    compiled = model
    if getattr(model, "trains_itself", False):
        compiled = model.network
    if getattr(compiled, "loss", None) is not None:
        facts["loss"] = described(compiled.loss)
        facts["loss_weights"] = described(loss_weights_of(compiled))
    sparse_step = find_sparse_step(model)
    if sparse_step is not None:
        for name in _OF_SPARSE_STEP:
            facts[name] = described(getattr(sparse_step, name))
    if dataset is not None:
        batch = keras.tree.flatten(dataset.element_spec)
        facts["batch"] = [str(spec.shape) for spec in batch]
    return facts


def check_same(there, here, changed=()):
    """Raises a ValueError that names the first difference between two runs.

    Facts that only one run has are not compared, nor are steps that a
    schedule leaves to `fit`.

    Args:
        there: Dictionary, the `identity` of a checkpoint.
        here: Dictionary, the `identity` of the run that resumes.
        changed: List of strings, names of facts that may differ, or names of
            dictionaries that contain such facts.

    Returns:
        List of strings, the accepted differences.
    """
    # Pruning reaches its sparsity from any masks.
    fixed = _OF_MASKS if here.get("sparsity") is None else ("structure",)
    taken = []
    for names, then, now in _differences(there, here):
        difference = f"{' '.join(names)} was {then} and is {now}"
        is_fixed = names[0] in fixed
        if is_fixed:
            advice = "The masks of a checkpoint stay as they are"
        elif names[0] == "layers" and names[-1] in ("count", "class"):
            is_fixed = True
            advice = "The layers of a checkpoint stay as they are"
        else:
            name = names[-2] if names[-1] == "class" else names[-1]
            advice = f"`Checkpoint(..., changed=[{name!r}])` takes the change"
        if is_fixed or not set(names) & set(changed):
            raise ValueError(
                f"belongs to another model or run: {difference}. Use the "
                f"earlier value. {advice}"
            )
        taken.append(difference)
    return taken


def _differences(there, here, inside=()):
    """Yields the path of keys to each difference, and both values."""
    for name in [name for name in here if name in there]:
        then, now = there[name], here[name]
        if isinstance(then, dict) and isinstance(now, dict):
            yield from _differences(then, now, (*inside, name))
        elif not _is_same(then, now) and not (
            name in _OPEN and None in (then, now)
        ):
            yield (*inside, name), then, now


def _is_same(then, now):
    # NaN differs from itself.
    return then == now or json.dumps(then) == json.dumps(now)


_OF_SPARSE_STEP = (
    "algorithm",
    "schedule",
    "drop_fraction",
    "sparsity",
    "budgets",
    "structure",
    "grow_init",
    "seed",
)
_OF_MASKS = ("sparsity", "budgets", "structure")
_OPEN = ("interval", "begin_step", "end_step")  # until a `fit` sets them


_MOST_CHARACTERS = 10_000


def _layers(model):
    """Describes the layers of a model, without the values of weights.

    Initial values and seeds are left out: checkpoints hold what became of
    them, and Keras draws the seeds that are not given.
    """
    layers = {
        id(layer): layer
        for layer in all_layers(model, include_self=False)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer | Sparse)
    }
    facts = {"count": len(layers)}
    for number, layer in enumerate(layers.values()):
        values: Any = _without_seeds(described(layer))
        facts[str(number)] = {
            "policy": layer.dtype_policy.name,
            **{k: _shortened(v) for k, v in values.items()},
        }
    return facts


def _without_seeds(value):
    if isinstance(value, dict):
        return {
            name: _without_seeds(each)
            for name, each in value.items()
            if name != "seed" and not name.endswith("_initializer")
        }
    if isinstance(value, list):
        return [_without_seeds(each) for each in value]
    return value


def _shortened(value):
    """Returns a digest in place of a long value, such as a vocabulary."""
    text = json.dumps(value, sort_keys=True)
    if len(text) <= _MOST_CHARACTERS:
        return value
    return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


def described(value):
    """Converts a value to JSON types, equal in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        if value.get("class_name") == "__lambda__":
            return "a lambda"  # its bytecode has the path of its file
        # Keras numbers unnamed objects.
        return {str(k): described(v) for k, v in value.items() if k != "name"}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, np.generic | np.ndarray):
        return described(value.tolist())
    kind = {"class": type(value).__name__}
    try:
        return kind | described(value.get_config())
    except (AttributeError, NotImplementedError):
        if isinstance(value, keras.layers.Layer):
            return kind
        # Functions have other addresses in other processes.
        return re.sub(r" at 0x\w+", "", repr(value))
