"""Gives numba as many threads as TensorFlow uses in a product."""

import functools
import os

import numba
import tensorflow as tf

_POLICY = "OMP_WAIT_POLICY"


def use():
    """Sets the number of threads, which numba keeps for each caller."""
    _start()
    numba.set_num_threads(_number())


@functools.cache
def _start():
    """Starts numba's threads; waiting threads sleep.

    By default, threads of OpenMP keep their cores busy while they wait, and
    TensorFlow's threads wait for the cores. OpenMP reads the variable once,
    when it starts. A value that the user has set stays.
    """
    if _POLICY in os.environ:
        numba.get_num_threads()
        return
    os.environ[_POLICY] = "passive"
    try:
        numba.get_num_threads()
    finally:
        os.environ.pop(_POLICY, None)


@functools.cache  # it is fixed once the first operation has run
def _number():
    wanted = tf.config.threading.get_intra_op_parallelism_threads()
    most = numba.config.NUMBA_NUM_THREADS
    return min(wanted, most) if wanted else most
