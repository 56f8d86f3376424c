"""Gives numba as many threads as TensorFlow uses in a product."""

import functools

import numba
import tensorflow as tf


def use():
    """Sets the number of threads, which numba keeps for each caller."""
    numba.set_num_threads(_number())


@functools.cache  # it is fixed once the first operation has run
def _number():
    wanted = tf.config.threading.get_intra_op_parallelism_threads()
    most = numba.config.NUMBA_NUM_THREADS
    return min(wanted, most) if wanted else most
