"""What replicas of a model have to agree on, and whether they do."""

import keras
import tensorflow as tf


def total(value):
    """Adds up what the replicas have.

    With one replica it is left as it is: TensorFlow registers a gradient for
    every `all_reduce` in a graph, and keeps the graph for good with it.

    Args:
        value: Tensor or list of tensors, of this replica.

    Returns:
        As `value`, the same on every replica.
    """
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def share(num_examples):
    """This replica's part of the examples of a step.

    Args:
        num_examples: Integer scalar tensor, those of this replica; may be 0
            in the last batch of an epoch.

    Returns:
        float32 scalar tensor. The shares of all replicas add up to 1.
    """
    here = tf.cast(num_examples, tf.float32)
    return here / total(here)


def average(variables, share):
    """Gives every replica the mean of what the replicas have.

    Keras lets the moving averages of a `BatchNormalization` go their own way
    on each replica.

    Args:
        variables: List of `keras.Variable` of floats, of this replica.
        share: Float scalar tensor, by which this replica counts.
    """
    # What an empty batch made NaN counts nothing.
    values = [
        tf.math.multiply_no_nan(
            tf.convert_to_tensor(v), tf.cast(share, v.dtype)
        )
        for v in variables
    ]
    values = total(values) if values else []
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class Agreement:
    """Compares the replicas' copies of variables, bit by bit.

    Args:
        strategy: `tf.distribute.Strategy`.
        variables: List of `keras.Variable` that replicas should have alike.
    """

    def __init__(self, strategy, variables):
        self._strategy = strategy
        self._variables = variables
        self._sums = tf.function(self._sums_of_all)

    def check(self):
        """Raises a RuntimeError that names what is not the same everywhere."""
        sums = self._sums()
        for variable, same in zip(
            self._variables,
            tf.reduce_all(sums == sums[:1], axis=0).numpy(),
            strict=True,
        ):
            if not same:
                raise RuntimeError(
                    f"The replicas no longer agree on {variable.path!r}. "
                    "Something assigns to it inside a step, other values on "
                    "each replica. Go on from the last checkpoint, without "
                    "what does."
                )

    def _sums_of_all(self):
        """Checksums of shape (replicas, variables)."""
        sums = self._strategy.run(
            lambda: tf.stack([_checksum(v) for v in self._variables])[None]
        )
        return self._strategy.gather(sums, axis=0)


def _checksum(variable):
    """int64 scalar that depends on every bit and its place."""
    values = tf.reshape(tf.convert_to_tensor(variable), [-1])
    if keras.backend.is_float_dtype(values.dtype.name):
        bits = {2: tf.int16, 4: tf.int32, 8: tf.int64}[values.dtype.size]
        values = tf.bitcast(values, bits)
    values = tf.cast(values, tf.int64)
    places = tf.range(tf.size(values, tf.int64), dtype=tf.int64)
    return tf.reduce_sum(values * (2 * places + 1))  # wraps around
