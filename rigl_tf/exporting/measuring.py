"""Whether models compute the same, and how long each takes."""

import time

import keras
import numpy as np
import tensorflow as tf

_EXAMPLES = 4
_SECONDS = 0.5  # for measuring latency


def samples(model, given=None):
    """Inputs for a model.

    Args:
        model: Functional or Sequential `keras.Model`.
        given: Array of examples, or a list of them for several inputs, or
            `None` for random ones.

    Returns:
        List of arrays, one for each input.

    Raises:
        ValueError: If the shape of an example is open and none are given.
    """
    if given is not None:
        return [
            np.asarray(array, each.dtype)
            for array, each in zip(
                keras.tree.flatten(given), model.inputs, strict=True
            )
        ]
    rng = np.random.default_rng(0)
    arrays = []
    for each in model.inputs:
        if None in each.shape[1:]:
            raise ValueError(
                f"Input {each.name!r} has shape {each.shape}, which leaves "
                "open what an example looks like. Pass some as `samples`."
            )
        shape = (_EXAMPLES, *each.shape[1:])
        values = rng.normal(size=shape)
        if "float" not in each.dtype:
            values = values > 0
        arrays.append(values.astype(each.dtype))
    return arrays


def runner(model):
    """Runs a Keras model as other runtimes do: compiled, no progress bar.

    Args:
        model: Functional or Sequential `keras.Model`.

    Returns:
        Function from a list of arrays, the inputs, to one of the outputs.
    """
    call = tf.function(lambda inputs: model(inputs, training=False))

    def run(inputs):
        inputs = keras.tree.pack_sequence_as(model.inputs, inputs)
        outputs = call(inputs[0] if len(inputs) == 1 else inputs)
        return [np.asarray(y) for y in tf.nest.flatten(outputs)]

    return run


def difference(expected, found):
    """The largest difference between arrays, relative to the largest number.

    Args:
        expected: List of arrays.
        found: List of arrays.

    Returns:
        Float; NaN if shapes differ or something is not a number.
    """
    largest = 0.0
    for here, there in zip(expected, found, strict=True):
        if here.shape != there.shape:
            return float("nan")
        scale = max(float(np.max(np.abs(here), initial=0)), 1e-30)
        gap = np.max(np.abs(here - there), initial=0) / scale
        largest = max(largest, float(gap)) if gap == gap else float("nan")
    return largest


def latency(runs, inputs):
    """Median milliseconds of functions, called in turns.

    Every turn has a call before, so that caches are as when one function is
    called again and again.

    Args:
        runs: List of functions of `inputs`.
        inputs: List of arrays.

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
