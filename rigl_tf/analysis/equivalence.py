"""Comparison of the outputs and the latency of models."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from rigl_tf._keras_compat import all_layers
from rigl_tf.analysis import signatures
from rigl_tf.utils import tensors

_EXAMPLES = 4
_SECONDS = 0.5  # for measuring latency


@dataclasses.dataclass(frozen=True)
class Runner:
    """Callable that runs a model or a file.

    With a list of input arrays, it returns a list of output arrays. With a
    dictionary from input names to arrays, it returns a dictionary from output
    names to arrays.

    Attributes:
        function: Function from a dictionary of inputs to a dictionary of
            outputs. The order of the dictionary is the order of the list of
            outputs.
        inputs: List of strings, the names of the inputs, in the order of the
            list of inputs.
    """

    function: Callable
    inputs: list

    def __call__(self, inputs):
        if isinstance(inputs, dict):
            return self.function(inputs)
        named = dict(zip(self.inputs, inputs, strict=True))
        return list(self.function(named).values())

    def with_inputs(self, names):
        """Returns a `Runner` with new names of the inputs, in order."""

        def function(named):
            return self.function(
                {
                    own: named[name]
                    for own, name in zip(self.inputs, names, strict=True)
                }
            )

        return Runner(function, list(names))


def samples(model, given=None):
    """Makes inputs for a model.

    Args:
        model: `keras.Model`.
        given: Array of examples, or a list or dictionary of arrays for
            several inputs, or `None` for random examples. If the model fixes
            the batch size, the first batch is used.

    Returns:
        List of arrays, one for each input, in the order of
        `keras.tree.flatten`.

    Raises:
        ValueError: If the given examples do not fit the model; or, without
            examples, if the shape of an example is open or its type is
            string.
    """
    signature = signatures.model_signature(model, given)
    if given is None:
        rng = np.random.default_rng(0)
        return [_random(spec, rng) for spec in signature.inputs]
    arrays = [
        _as_array(array, spec.dtype)
        for array, spec in zip(
            signature.flatten(given), signature.inputs, strict=True
        )
    ]
    if signature.batch is None:
        return arrays
    fewest = min(len(array) for array in arrays)
    if fewest < signature.batch:
        raise ValueError(
            f"`samples` must have at least {signature.batch} examples, the "
            f"batch size of {model.name!r}. Received: {fewest} examples."
        )
    return [array[: signature.batch] for array in arrays]


def runner(model, signature=None):
    """Returns a `Runner` that calls a Keras model as a compiled function.

    Args:
        model: `keras.Model`.
        signature: `Signature`; the signature of the model by default.

    Returns:
        `Runner`. Lists are in the order of `keras.tree.flatten`.
    """
    signature = signature or signatures.model_signature(model)
    # TensorFlow counts the traces of all functions with the same code object
    # together and warns of many. A `partial` has none.
    call = tf.function(functools.partial(model, training=False))

    def run(inputs):
        arrays = [
            tf.convert_to_tensor(inputs[spec.name], spec.dtype)
            for spec in signature.inputs
        ]
        outputs = call(signature.pack(arrays))
        names = signatures.output_names(outputs)
        flat = map(np.asarray, keras.tree.flatten(outputs))
        return dict(zip(names, flat, strict=True))

    return Runner(run, signature.names)


def outputs(model, arrays, signature=None):
    """Runs a model from its initial states, then restores the states.

    Args:
        model: `keras.Model`.
        arrays: List of arrays, the inputs.
        signature: `Signature`; the signature of the model by default.

    Returns:
        List of dictionaries from the names of outputs to arrays, one for each
        of `num_calls(model)` calls.
    """
    with from_initial_states(model):
        run = runner(model, signature)
        named = dict(zip(run.inputs, arrays, strict=True))
        return [run(named) for _ in range(num_calls(model))]


def num_calls(model):
    """Returns the number of calls to compare: 2 for a model with states."""
    return 2 if is_stateful(model) else 1


def is_stateful(model):
    """Returns whether a model keeps states between calls."""
    return bool(_states(model))


@contextlib.contextmanager
def from_initial_states(model):
    """Resets the states of a model, and restores them after the context.

    Recurrent layers that keep their states start from zeros. Afterwards, the
    states and all other variables that a call may change have their old
    values.

    Args:
        model: `keras.Model`.
    """
    states = _states(model)
    variables = [*model.non_trainable_variables, *states]
    before = [tensors.as_array(variable) for variable in variables]
    try:
        for state in states:
            state.assign(tf.zeros(state.shape, state.dtype))
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            if not np.array_equal(tensors.as_array(variable), value):
                variable.assign(value)


def difference(expected, received):
    """Computes the largest difference, relative to the largest number.

    Args:
        expected: List of arrays.
        received: List of arrays.

    Returns:
        Float, the maximum over the pairs of arrays. Equal infinite numbers,
        and two NaNs, do not differ. NaN if shapes or strings differ, or one
        of two numbers is NaN.
    """
    largest = 0.0
    for one, other in zip(expected, received, strict=True):
        if one.shape != other.shape:
            return float("nan")
        if one.dtype.kind in "OSU":
            if _as_bytes(one) != _as_bytes(other):
                return float("nan")
            continue
        if one.dtype.kind in "biu":  # differences could be out of range
            one, other = one.astype("float64"), other.astype("float64")
        scale = np.max(np.abs(one), initial=0, where=np.isfinite(one))
        differs = (one != other) & ~(np.isnan(one) & np.isnan(other))
        gap = np.max(np.abs(one[differs] - other[differs]), initial=0)
        gap = float(gap) / max(float(scale), 1e-30)
        largest = max(largest, gap) if gap == gap else float("nan")
    return largest


def difference_by_name(expected, received):
    """Computes the largest difference between outputs with the same name.

    Args:
        expected: List of dictionaries from names to arrays, one for each call.
        received: List of dictionaries, in the same form.

    Returns:
        Float, as from `difference`. NaN also if the names differ.
    """
    largest = []
    for one, other in zip(expected, received, strict=True):
        if one.keys() != other.keys():
            return float("nan")
        largest.append(
            difference(list(one.values()), [other[name] for name in one])
        )
    return float(np.max(largest))  # NaN if one is


def latency(runs, inputs):
    """Measures the median latency of functions that are called in turns.

    Each measured call follows a call of the same function, so caches are in
    the state of repeated calls.

    Args:
        runs: List of functions of `inputs`.
        inputs: The argument of the functions.

    Returns:
        List of floats, milliseconds.
    """
    times = [[] for _ in runs]
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times[0]) < 3:
        for run, run_times in zip(runs, times, strict=True):
            run(inputs)
            start = time.perf_counter()
            run(inputs)
            run_times.append(time.perf_counter() - start)
    return [1000 * float(np.median(run_times)) for run_times in times]


def _random(spec, rng):
    if None in spec.shape[1:]:
        raise ValueError(
            f"Random inputs need the full shape of an example. Received: input "
            f"{spec.name!r} with shape {spec.shape}. Pass examples as "
            "`samples`."
        )
    if spec.dtype == "string":
        raise ValueError(
            f"Random inputs must be numbers. Received: input {spec.name!r} of "
            "type string. Pass examples as `samples`."
        )
    values = rng.normal(size=(spec.shape[0] or _EXAMPLES, *spec.shape[1:]))
    if "float" not in spec.dtype:
        values = values > 0
        values.reshape(len(values), -1)[:, :1] = True  # not all are padding
    return values.astype(spec.dtype)


def _as_array(values, dtype):
    return np.asarray(values, object if dtype == "string" else dtype)


def _as_bytes(array):
    return [
        each.encode() if isinstance(each, str) else each
        for each in array.reshape(-1).tolist()
    ]


def _states(model):
    """Lists the state variables of recurrent layers."""
    layers = all_layers(model, include_self=False)
    return [
        state
        for layer in layers
        if getattr(layer, "stateful", False)
        for state in keras.tree.flatten(getattr(layer, "states", None))
        if isinstance(state, keras.Variable)
    ]
