"""Synchronization of replicas, and a check that replicas are equal."""

import keras
import tensorflow as tf


def total(value):
    """Returns the sum of a value over replicas.

    With one replica, the value is returned unchanged: TensorFlow registers a
    gradient for every `all_reduce` in a graph, which keeps the graph in memory.

    Args:
        value: Tensor or list of tensors of this replica.

    Returns:
        Tensor or list of tensors, the same on every replica.
    """
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def example_share(num_examples):
    """Returns this replica's share of the examples of a step.

    Args:
        num_examples: Integer scalar tensor, examples of this replica; may be
            0 in the last batch of an epoch.

    Returns:
        float32 scalar tensor. The shares of all replicas add up to 1.
    """
    num_examples = tf.cast(num_examples, tf.float32)
    return num_examples / total(num_examples)


def sync_moving_averages(variables, share):
    """Sets moving averages to their weighted mean over replicas.

    Without this, the moving averages of `BatchNormalization` differ between
    replicas.

    Args:
        variables: List of floating-point `keras.Variable` of this replica.
        share: Float scalar tensor, the weight of this replica.
    """
    # NaN from an empty batch has weight zero.
    values = [
        tf.math.multiply_no_nan(
            tf.convert_to_tensor(v), tf.cast(share, v.dtype)
        )
        for v in variables
    ]
    values = total(values) if values else []
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class ReplicaConsistencyCheck:
    """Compares the copies of variables on all replicas, bit by bit.

    Args:
        strategy: `tf.distribute.Strategy`.
        variables: List of `keras.Variable` that must be equal on all replicas.
    """

    def __init__(self, strategy, variables):
        self._strategy = strategy
        self._variables = variables
        self._sums = tf.function(self._sums_of_all)

    def check(self):
        """Raises a RuntimeError that names a variable with unequal copies."""
        sums = self._sums()
        for variable, same in zip(
            self._variables,
            tf.reduce_all(sums == sums[:1], axis=0).numpy(),
            strict=True,
        ):
            if not same:
                raise RuntimeError(
                    f"The copies of {variable.path!r} must be equal on all "
                    "replicas, but they differ. Code in the training step "
                    "assigns different values on each replica. Remove that "
                    "code and resume from the last checkpoint."
                )

    def _sums_of_all(self):
        """Returns checksums of shape (replicas, variables)."""
        sums = self._strategy.run(
            lambda: tf.stack([_checksum(v) for v in self._variables])[None]
        )
        return self._strategy.gather(sums, axis=0)


def _checksum(variable):
    """Returns an int64 scalar that depends on every bit and its position."""
    values = tf.reshape(tf.convert_to_tensor(variable), [-1])
    if keras.backend.is_float_dtype(values.dtype.name):
        bits = {2: tf.int16, 4: tf.int32, 8: tf.int64}[values.dtype.size]
        values = tf.bitcast(values, bits)
    values = tf.cast(values, tf.int64)
    indices = tf.range(tf.size(values, tf.int64), dtype=tf.int64)
    return tf.reduce_sum(values * (2 * indices + 1))  # wraps around
