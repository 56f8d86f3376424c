"""As many threads for what numba compiles as TensorFlow uses in a product."""

import functools

import numba
import tensorflow as tf


def use():
    """Before every product: numba's number is that of the calling thread."""
    numba.set_num_threads(_number())


@functools.cache  # TensorFlow takes its own only before the first operation
def _number():
    wanted = tf.config.threading.get_intra_op_parallelism_threads()
    most = numba.config.NUMBA_NUM_THREADS
    return min(wanted, most) if wanted else most
