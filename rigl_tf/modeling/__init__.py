"""Sparse models and the conversion from a Keras model to a sparse one."""
