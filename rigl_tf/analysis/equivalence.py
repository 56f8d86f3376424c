"""Comparison of the outputs and the latency of models."""

import contextlib
import dataclasses
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from rigl_tf.analysis import signatures
from rigl_tf.utils import tensors

_EXAMPLES = 4
_SECONDS = 0.5  # for measuring latency


@dataclasses.dataclass(frozen=True)
class Runner:
    """Runs a model or a file.

    Called with a list of arrays, the inputs, it returns a list, the outputs.
    Called with a dictionary from the names of inputs to arrays, it returns a
    dictionary from the names of outputs to arrays.

    Attributes:
        function: Function from such a dictionary to such a dictionary, whose
            order is the order of lists of outputs.
        inputs: List of strings, the names of the inputs, in the order of
            lists of inputs.
    """

    function: Callable
    inputs: list

    def __call__(self, inputs):
        if isinstance(inputs, dict):
            return self.function(inputs)
        named = dict(zip(self.inputs, inputs, strict=True))
        return list(self.function(named).values())

    def with_inputs(self, names):
        """Returns a `Runner` with other names of inputs, in the same order."""

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
            several inputs, or `None` for random ones. If the model fixes the
            batch size, the first batch is taken.

    Returns:
        List of arrays, one for each input, in the order of
        `keras.tree.flatten`.

    Raises:
        ValueError: If the shape of an example is open or its type is string
            and none are given, or the given ones do not fit the model.
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
            f"{model.name!r} takes batches of {signature.batch} examples. "
            f"Received: samples with {fewest}. Pass more."
        )
    return [array[: signature.batch] for array in arrays]


def runner(model, signature=None):
    """Runs a Keras model as other runtimes do: compiled, no progress bar.

    Args:
        model: `keras.Model`.
        signature: `Signature`, by default the model's.

    Returns:
        `Runner`. Lists are in the order of `keras.tree.flatten`.
    """
    signature = signature or signatures.model_signature(model)
    call = tf.function(lambda inputs: model(inputs, training=False))

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
    """Runs a model from its initial states, and leaves it as it was.

    Args:
        model: `keras.Model`.
        arrays: List of arrays, the inputs.
        signature: `Signature`, by default the model's.

    Returns:
        List of dictionaries from the names of outputs to arrays, one for each
        of `num_calls(model)` calls.
    """
    with from_rest(model):
        run = runner(model, signature)
        named = dict(zip(run.inputs, arrays, strict=True))
        return [run(named) for _ in range(num_calls(model))]


def num_calls(model):
    """Returns how many calls show all that a model computes: 2 with states."""
    return 2 if is_stateful(model) else 1


def is_stateful(model):
    """Returns whether a model keeps states from one call to the next."""
    return bool(_states(model))


@contextlib.contextmanager
def from_rest(model):
    """Runs a model from its initial states, and leaves it as it was.

    Recurrent layers that keep their states start from zeros. Afterwards these
    states, and all other variables that running a model may change, have the
    values that they had before.

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
    """The largest difference between arrays, relative to the largest number.

    Args:
        expected: List of arrays.
        received: List of arrays.

    Returns:
        Float; NaN if shapes differ, something is not a number, or strings
        are not the same.
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
        scale = max(float(np.max(np.abs(one), initial=0)), 1e-30)
        gap = np.max(np.abs(one - other), initial=0) / scale
        largest = max(largest, float(gap)) if gap == gap else float("nan")
    return largest


def difference_by_name(expected, received):
    """Computes the largest difference between outputs with the same name.

    Args:
        expected: List of dictionaries from names to arrays, one for each call.
        received: List of such dictionaries.

    Returns:
        Float, as `difference` has it; NaN if the names differ, too.
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
    """Median milliseconds of functions, called in turns.

    Every turn has a call before, so that caches are as when one function is
    called again and again.

    Args:
        runs: List of functions of `inputs`.
        inputs: Anything the functions take.

    Returns:
        List of floats.
    """
    times = [[] for _ in runs]
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times[0]) < 3:
        for run, of_run in zip(runs, times, strict=True):
            run(inputs)
            start = time.perf_counter()
            run(inputs)
            of_run.append(time.perf_counter() - start)
    return [1000 * float(np.median(of_run)) for of_run in times]


def _random(spec, rng):
    if None in spec.shape[1:]:
        raise ValueError(
            f"Input {spec.name!r} has shape {spec.shape}, which leaves "
            "open what an example looks like. Pass some as `samples`."
        )
    if spec.dtype == "string":
        raise ValueError(
            f"Input {spec.name!r} takes strings, and there are no random "
            "ones. Pass some as `samples`."
        )
    values = rng.normal(size=(spec.shape[0] or _EXAMPLES, *spec.shape[1:]))
    if "float" not in spec.dtype:
        values = values > 0
    return values.astype(spec.dtype)


def _as_array(values, dtype):
    return np.asarray(values, object if dtype == "string" else dtype)


def _as_bytes(array):
    return [
        each.encode() if isinstance(each, str) else each
        for each in array.reshape(-1).tolist()
    ]


def _states(model):
    """Lists the variables in which recurrent layers keep their states."""
    layers = model._flatten_layers(include_self=False)  # no public way
    return [
        state
        for layer in layers
        if getattr(layer, "stateful", False)
        for state in keras.tree.flatten(getattr(layer, "states", None))
        if isinstance(state, keras.Variable)
    ]
