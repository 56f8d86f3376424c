"""The constraint that ties a kernel to its mask."""

import warnings

import keras

from rigl_tf.utils.tensors import masked


class KeepZeros(keras.constraints.Constraint):
    """Puts zeros where a mask is `False`, after the user's own constraint.

    Keras calls the constraint after every step of a plain optimizer. The
    constraint warns once if an algorithm should move connections, because a
    plain optimizer does not.

    Args:
        mask: Boolean variable, or `None` for a kernel that stores active
            connections only.
        inner: The user's own constraint, or `None`.
        wrapper: The layer that owns the mask, or `None`.
    """

    def __init__(self, mask, inner=None, wrapper=None):
        self.mask = mask
        self.inner = inner
        self.wrapper = wrapper
        self.warning: WarnOnce | None = None

    def __call__(self, w):
        if self.warning is not None:
            self.warning.show()
        if self.inner is not None:
            w = self.inner(w)
        return w if self.mask is None else masked(w, self.mask)


class WarnOnce:
    """A warning that all kernels of a model share and that is shown once."""

    def __init__(self, message):
        self._message = message

    def show(self):
        """Shows the warning, the first time."""
        message, self._message = self._message, None
        if message is not None:
            warnings.warn(message, stacklevel=2)
