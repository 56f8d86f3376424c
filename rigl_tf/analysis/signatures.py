"""Names, shapes and types of the inputs and outputs of a model."""

import dataclasses
import keyword
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rigl_tf._keras_compat import graph_of
from rigl_tf._keras_compat import operation_of


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs of a model.

    The order of inputs is the order of `keras.tree.flatten`: lists in order,
    dictionaries sorted by key.

    Attributes:
        specs: Structure of named `keras.InputSpec`, as the model takes its
            inputs: one spec, a list or a dictionary.
    """

    specs: Any

    @property
    def inputs(self):
        """List of `keras.InputSpec`, in order."""
        return keras.tree.flatten(self.specs)

    @property
    def names(self):
        """List of strings, the names of the inputs, in order."""
        return [spec.name for spec in self.inputs]

    @property
    def batch(self):
        """Integer, the batch size that the model fixes, or `None`."""
        sizes = [spec.shape[0] for spec in self.inputs if spec.shape]
        return next((size for size in sizes if size is not None), None)

    def pack(self, arrays):
        """Packs a list of arrays into the structure that the model takes."""
        return keras.tree.pack_sequence_as(self.specs, list(arrays))

    def flatten(self, given):
        """Converts the inputs that a user passes to a list of arrays.

        Args:
            given: Array, list of arrays, or dictionary of arrays. Its keys are
                the model's keys or the names of the inputs.

        Returns:
            List of arrays, one for each input.

        Raises:
            ValueError: If arrays are missing or not used.
        """
        arrays = given
        if isinstance(given, Mapping):
            is_keyed = isinstance(self.specs, Mapping)
            keys = sorted(self.specs) if is_keyed else self.names
            missing = [key for key in keys if key not in given]
            if missing:
                raise ValueError(
                    "`samples` must have an array for every input. Missing: "
                    f"{', '.join(map(repr, missing))}. Received: samples with "
                    f"{', '.join(map(repr, given))}."
                )
            arrays = [given[key] for key in keys]
        elif len(self.inputs) == 1 and not _is_list_of_arrays(given):
            return [given]
        arrays = keras.tree.flatten(arrays)
        if len(arrays) != len(self.inputs):
            raise ValueError(
                "`samples` must have one array for each input: "
                f"{', '.join(self.names)}. Received: samples with "
                f"{len(arrays)} arrays."
            )
        return arrays

    def with_open_batch(self):
        """Returns the same signature for batches of any size."""
        return Signature(
            keras.tree.map_structure(
                lambda spec: keras.InputSpec(
                    shape=(None, *spec.shape[1:]),
                    dtype=spec.dtype,
                    name=spec.name,
                ),
                self.specs,
            )
        )


def model_signature(model, samples=None):
    """Returns the signature of a model.

    Args:
        model: `keras.Model`. A subclassed model must have been called, unless
            there are samples.
        samples: Array of examples, or a list or dictionary of arrays. Needed
            if an input of a subclassed model has another dtype than the model.

    Returns:
        `Signature`.

    Raises:
        ValueError: If the inputs of the model are unknown.
    """
    inner = graph_of(model) or model
    if getattr(inner, "inputs", None):
        # After loading, automatic tensor names differ from layer names.
        names = [_layer_name(tensor) for tensor in inner.inputs]
        return Signature(_named(inner.input, names))
    if samples is not None:
        tensors = keras.tree.map_structure(
            lambda array: _spec_of(array, model.input_dtype), samples
        )
    else:
        tensors = _recorded(model)
    paths = [path for path, _ in keras.tree.flatten_with_path(tensors)]
    if isinstance(tensors, Mapping):
        names = [_joined(path) for path in paths]
    else:
        names = [f"input_{i}" for i in range(len(paths))]
    return Signature(_named(tensors, names))


def output_names(outputs):
    """Returns the names of outputs in a TensorFlow signature.

    Args:
        outputs: Structure of tensors or arrays, as a model returns them.

    Returns:
        List of strings, in the order of `keras.tree.flatten`: the keys of a
        dictionary, or `"output_0"`, `"output_1"` and so on.
    """
    if isinstance(outputs, Mapping):
        paths = keras.tree.flatten_with_path(outputs)
        return [_joined(path) for path, _ in paths]
    return [f"output_{i}" for i in range(len(keras.tree.flatten(outputs)))]


def sort_names(names):
    """Sorts names of outputs in the order of `output_names`: 2 before 10."""
    numbers = [re.fullmatch(r"output_(\d+)", name) for name in names]
    if all(numbers):
        return sorted(names, key=lambda name: int(name.rpartition("_")[2]))
    return sorted(names)


def _is_list_of_arrays(given):
    """Returns whether a list contains arrays, and is not an array itself."""
    return isinstance(given, list | tuple) and not any(
        isinstance(each, list | tuple) or np.ndim(each) == 0 for each in given
    )


def _layer_name(tensor):
    operation = operation_of(tensor)
    return tensor.name if operation is None else operation.name


def _named(tensors, names):
    """Returns a structure of specs with names that all formats support."""
    taken, unique = set(), []
    for name in names:
        name = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not name[:1].isalpha() or keyword.iskeyword(name):
            name = f"input_{name}"
        number, candidate = 0, name
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    specs = [
        keras.InputSpec(shape=tuple(each.shape), dtype=each.dtype, name=name)
        for each, name in zip(keras.tree.flatten(tensors), unique, strict=True)
    ]
    return keras.tree.pack_sequence_as(tensors, specs)


def _joined(path):
    return "_".join(map(str, path))


def _spec_of(array, dtype):
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        dtype = "string"
    elif array.dtype.kind in "iub":
        dtype = array.dtype.name
    return keras.InputSpec(shape=(None, *array.shape[1:]), dtype=dtype)


def _recorded(model):
    """Returns specs with the shapes of the model's first call."""
    shapes = (model.get_build_config() or {}).get("input_shape")
    if not shapes:
        raise ValueError(
            f"The inputs of {model.name!r} must be known. Received a model "
            "that was never called. Call it once, or pass inputs as `samples`."
        )
    return keras.tree.map_shape_structure(
        lambda shape: keras.InputSpec(
            shape=(None, *shape[1:]), dtype=model.input_dtype
        ),
        shapes,
    )
