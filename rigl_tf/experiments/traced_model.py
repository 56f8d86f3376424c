"""Runs that differ only in their seed share one traced model."""

import keras

from rigl_tf.callbacks.training_state import Snapshot
from rigl_tf.kernels import StoredKernel
from rigl_tf.modeling.sparse_optimizer import find_sparse_step


class TracedModel:
    """A compiled model that trains again and again from other start states.

    TensorFlow traces a model in its first step. The time is saved if the same
    model trains with another seed: only its variables change.

    Example:

    >>> traced = rigl_tf.experiments.TracedModel()
    >>> def compiled(seed):
    ...     keras.utils.set_random_seed(seed)
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> first = traced.with_state_of(compiled(seed=0))
    >>> traced.with_state_of(compiled(seed=1)) is first
    True
    """

    def __init__(self) -> None:
        self._model: keras.Model | None = None

    def with_state_of(self, model: keras.Model) -> keras.Model:
        """Returns the traced model with the state of `model`.

        Args:
            model: Compiled `keras.Model`, not trained yet, which differs from
                earlier models only in its seed.

        Returns:
            An earlier model, or `model` if there is none that can have its
            state: the updates of masks are traced with the algorithm and the
            number of connections, and active storage has arrays of that size.
        """
        traced = self._model
        if traced is None or not _can_have_state(traced, model):
            self._model = model
            return model
        sparse_step = find_sparse_step(traced)
        if sparse_step is not None:
            sparse_step.start_like(find_sparse_step(model))
        start = Snapshot(model).arrays(within_epoch=False)
        Snapshot(traced).put_back(list(start), within_epoch=False)
        return traced


def _can_have_state(traced, model):
    ours, theirs = find_sparse_step(traced), find_sparse_step(model)
    if ours is None or theirs is None:
        return ours is theirs
    if any(isinstance(kernel, StoredKernel) for kernel in theirs.kernels):
        return False
    for name in ("algorithm", "structure", "grow_init"):
        if getattr(ours, name) != getattr(theirs, name):
            return False
    return ours.budgets == theirs.budgets or not theirs.algorithm.updates_masks
