"""Checks of the scores that an algorithm computes."""

import contextlib

import tensorflow as tf

_NEEDED_BY = {
    "gradient": "`needs_gradient = True`",
    "momentum": "`needs_momentum = True` or `tracks_gradient = True`",
}


def checked(compute, view, algorithm, method):
    """Returns scores; raises if their shape is not the shape of the mask.

    Scores of an algorithm outside of the library must be numbers, too, for
    the connections that it compares.

    Args:
        compute: Function without arguments that returns the scores.
        view: `KernelView` or `CandidateTile` that they are computed from.
        algorithm: `Algorithm`.
        method: String, `"drop"` or `"grow"`.

    Returns:
        Tensor.
    """
    with explained(view, algorithm, method):
        scores = tf.convert_to_tensor(compute())
    if not scores.shape.is_compatible_with(view.mask.shape):
        raise ValueError(
            f"`{method}` of an algorithm must return scores of the shape of "
            f"the mask, {view.mask.shape}. Received: scores of shape "
            f"{scores.shape}."
        )
    kind = type(algorithm)
    if kind.__module__.startswith("rigl_tf.") or not scores.dtype.is_floating:
        return scores
    problem = f"`{kind.__name__}.{method}` must return numbers. Received: NaN."
    compared = view.mask if method == "drop" else ~view.mask
    are_numbers = ~tf.reduce_any(tf.math.is_nan(scores) & compared)
    with tf.control_dependencies([tf.debugging.Assert(are_numbers, [problem])]):
        return tf.identity(scores)


@contextlib.contextmanager
def explained(view, algorithm, method):
    """Says what an algorithm must declare if it uses what is `None`."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        missing = [name for name in _NEEDED_BY if getattr(view, name) is None]
        if "None" not in str(error) or not missing:
            raise
        kind = type(algorithm).__name__
        hints = ", ".join(
            f"{_NEEDED_BY[name]} for `{name}`" for name in missing
        )
        raise TypeError(
            f"`{kind}.{method}` uses a value that is `None`. Set in the class "
            f"what it needs: {hints}. TensorFlow says: {error}"
        ) from error
