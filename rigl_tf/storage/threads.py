"""As many threads for what numba compiles as TensorFlow uses in a product."""

import numba
import tensorflow as tf


def use():
    """Before every product: TensorFlow's number may have been set since."""
    wanted = tf.config.threading.get_intra_op_parallelism_threads()
    most = numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(min(wanted, most) if wanted else most)
