"""An optimizer that applies masks, for any way of training."""

import keras

from rigl_tf._keras_compat import built_variables
from rigl_tf.utils import optimizer_slots


@keras.saving.register_keras_serializable(package="rigl_tf")
class SparseOptimizer(keras.optimizers.Optimizer):
    """Wraps an optimizer to apply masks and to move connections.

    Use it with any training code other than `SparseModel.fit`: a class with a
    custom `train_step`, a `Distiller`, a GAN, a loop with `tf.GradientTape`.
    Each call of `apply_gradients` is one step, as in `SparseModel.fit`: it
    applies the gradients of active connections, moves connections if an update
    is due, and skips gradients that are not finite.

    Saving stores the wrapped optimizer instead. Wrap the optimizer of a loaded
    model again to continue moving connections.

    Args:
        inner_optimizer: `keras.optimizers.Optimizer`, or its name. Under the
            policy mixed_float16, `compile` adds a `LossScaleOptimizer` around
            this optimizer: pass an optimizer without one. In a custom loop
            with this policy, pass a `LossScaleOptimizer`.
        model: `SparseModel`, or a `keras.Model` that is trained with
            `SparseTraining`. The trained model may have more variables.

    Raises:
        TypeError: If neither `sparsify` nor `SparseTraining` made the model
            sparse.
        ValueError: If the optimizer is a `MultiOptimizer`; before the first
            step, if the algorithm needs momentum or gradients that this
            optimizer or this way of training does not have; in `compile`, if
            the loss would be scaled twice.

    Example:

    >>> student = rigl_tf.sparsify(
    ...     keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
    ...     "rigl", sparsity=0.5,
    ...     schedule=rigl_tf.schedules.UpdateSchedule(10, end_step=100))
    >>> optimizer = rigl_tf.SparseOptimizer("adam", student)
    >>> int(optimizer.iterations)
    0
    """

    def __init__(
        self,
        inner_optimizer: keras.Optimizer,
        model: keras.Model,
        name: str | None = None,
    ) -> None:
        inner_optimizer = keras.optimizers.get(inner_optimizer)
        if isinstance(inner_optimizer, SparseOptimizer):
            inner_optimizer = inner_optimizer.inner_optimizer
        optimizer_slots.prepare(inner_optimizer)
        super().__init__(learning_rate=0.0, name=name or inner_optimizer.name)
        self.inner_optimizer = inner_optimizer
        self.sparse_step = _sparse_step_of(model)

    @property
    def variables(self):
        return self.inner_optimizer.variables

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def loss_scale_factor(self) -> float | None:
        inner = self.inner_optimizer
        if isinstance(inner, keras.optimizers.LossScaleOptimizer):
            # Not `None`: setting an equal value would not call the setter.
            return inner.initial_scale
        return inner.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: float | None) -> None:
        if not hasattr(self, "inner_optimizer"):
            return  # set in the constructor of Keras
        # `LossScaleOptimizer` turns off other scaling of what it wraps.
        if isinstance(
            self.inner_optimizer, keras.optimizers.LossScaleOptimizer
        ):
            raise ValueError(
                "The loss would be scaled twice: under the policy "
                "mixed_float16, `compile` adds a `LossScaleOptimizer` around "
                "`SparseOptimizer`, which already wraps one. Wrap an optimizer "
                "without it, or call `compile(..., auto_scale_loss=False)`."
            )
        self.inner_optimizer.loss_scale_factor = factor

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    def build(self, variables):
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        self.built = True

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is None:
            trainable_variables = built_variables(self.inner_optimizer)
        if not self.built:
            self.build(list(trainable_variables))
        self.sparse_step.apply(
            self.inner_optimizer, list(grads), list(trainable_variables)
        )

    def scale_loss(self, loss):
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def save_own_variables(self, store):
        self.inner_optimizer.save_own_variables(store)

    def load_own_variables(self, store):
        self.inner_optimizer.load_own_variables(store)

    def get_config(self):
        return {
            "inner_optimizer": keras.saving.serialize_keras_object(
                self.inner_optimizer
            )
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapped optimizer, because a file has no masks."""
        return keras.saving.deserialize_keras_object(
            config["inner_optimizer"], custom_objects=custom_objects
        )


def find_sparse_step(model):
    """Returns the `SparseStep` that trains a model, or `None`."""
    if hasattr(model, "sparse_step"):
        return model.sparse_step
    return getattr(getattr(model, "optimizer", None), "sparse_step", None)


def _sparse_step_of(model):
    sparse_step = find_sparse_step(model)
    if sparse_step is None:
        raise TypeError(
            "`model` must be a sparse model, for example "
            "`rigl_tf.sparsify(model, 'rigl', sparsity=0.9)`. "
            f"Received: model={model!r}."
        )
    return sparse_step
