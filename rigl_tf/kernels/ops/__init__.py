"""Products of sparse kernels, in TensorFlow or compiled by numba."""
