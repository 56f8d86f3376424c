"""Slots, loss scale and gradient accumulation of Keras optimizers."""

import keras
import tensorflow as tf

from rigl_tf import _keras_compat

# Optimizers that leave a weight at zero if the weight, its gradient and its
# slots are zero. After their step, the kernel need not be masked again.
_KEEP_ZEROS = (
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adadelta,
    keras.optimizers.Adagrad,
    keras.optimizers.Adamax,
    keras.optimizers.Adafactor,
    keras.optimizers.Nadam,
    keras.optimizers.Lamb,
    keras.optimizers.Lion,
)


def inner(optimizer: keras.Optimizer) -> keras.Optimizer:
    """Returns the innermost optimizer, inside all wrappers."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def scales_loss(optimizer: keras.Optimizer) -> bool:
    """Returns whether a `LossScaleOptimizer` is wrapped around an optimizer."""
    while not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        if not hasattr(optimizer, "inner_optimizer"):
            return False
        optimizer = optimizer.inner_optimizer
    return True


def keeps_zeros(optimizer: keras.Optimizer) -> bool:
    """Returns whether inactive weights stay exactly zero without a mask."""
    # Exact types: a subclass may do anything.
    return type(inner(optimizer)) in _KEEP_ZEROS


def of(
    optimizer: keras.Optimizer, variable: keras.Variable
) -> list[keras.Variable]:
    """Returns the slots of a variable that have its shape.

    These are momenta, second moments, moving averages and accumulated
    gradients. Adafactor's factored moments belong to rows and columns, not to
    single weights, and are left out.
    """
    return [
        slot
        for slot in _keras_compat.slots_of(inner(optimizer), variable)
        if isinstance(slot, keras.Variable) and slot.shape == variable.shape
    ]


def initial_value(optimizer: keras.Optimizer, slot: keras.Variable) -> float:
    """Returns the float that every element of a slot starts with.

    It is 0.0, except for the sums of squares of Adagrad and Ftrl.
    """
    optimizer = inner(optimizer)
    sums = _keras_compat.sums_of_squares(optimizer)
    if any(slot is one for one in sums):
        return float(getattr(optimizer, "initial_accumulator_value", 0.0))
    return 0.0


def forget(
    optimizer: keras.Optimizer, variable: keras.Variable, mask: keras.Variable
) -> None:
    """Gives the slots of inactive weights their initial value.

    Does nothing for optimizers that do not keep zeros, whose kernels are masked
    after each step.

    Args:
        optimizer: `keras.optimizers.Optimizer`.
        variable: The kernel.
        mask: Boolean variable, `False` for inactive weights.
    """
    if not keeps_zeros(optimizer) or not knows(optimizer, variable):
        return
    for slot in of(optimizer, variable):
        start = tf.cast(initial_value(optimizer, slot), slot.dtype)
        slot.assign(tf.where(mask, slot, start))


def knows(optimizer: keras.Optimizer, variable: keras.Variable) -> bool:
    """Returns whether an optimizer was built for a variable."""
    return _keras_compat.is_built_for(inner(optimizer), variable)


def momentum(
    optimizer: keras.Optimizer, variable: keras.Variable
) -> keras.Variable:
    """Returns the optimizer's momentum of a variable.

    Raises:
        ValueError: If the optimizer has no momentum.
    """
    optimizer = inner(optimizer)
    found = _keras_compat.momentum_of(optimizer, variable)
    if found is None:
        raise ValueError(
            "The algorithm needs the optimizer's momentum, but this "
            f"{type(optimizer).__name__} has none. Use, for example, "
            "SGD(momentum=0.9) or Adam."
        )
    return found


def loss_scale(optimizer: keras.Optimizer) -> float | keras.Variable:
    """Returns the loss scale of an optimizer, 1.0 without scaling."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale
    return optimizer.loss_scale_factor or 1.0


def changes_gradients(optimizer: keras.Optimizer) -> bool:
    """Returns whether a step changes what gradients are scaled or added by."""
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return is_scaled or accumulation_steps(optimizer) > 1


def lower_loss_scale(optimizer: keras.Optimizer) -> None:
    """Halves a dynamic loss scale, after gradients that were not finite."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.step_counter.assign(0)
        optimizer.dynamic_scale.assign(optimizer.dynamic_scale * 0.5)


def accumulation_steps(optimizer: keras.Optimizer) -> int:
    """Returns the number of batches of one optimizer step."""
    return inner(optimizer).gradient_accumulation_steps or 1


def completes_accumulation(optimizer: keras.Optimizer) -> tf.Tensor:
    """Returns whether the next batch completes an optimizer step, a tensor."""
    seen = tf.convert_to_tensor(_keras_compat.batches_seen(inner(optimizer)))
    return tf.math.floormod(seen + 1, accumulation_steps(optimizer)) == 0


def accumulated(
    optimizer: keras.Optimizer, variable: keras.Variable
) -> keras.Variable:
    """Returns the variable that accumulates the gradients of a variable."""
    return _keras_compat.accumulated_gradient_of(inner(optimizer), variable)


def count_step(optimizer: keras.Optimizer) -> None:
    """Counts a step that moved connections, for learning-rate schedules."""
    _keras_compat.batches_seen(inner(optimizer)).assign_add(1)


def drop_accumulated(optimizer: keras.Optimizer) -> None:
    """Resets the accumulated gradients."""
    if accumulation_steps(optimizer) > 1:
        for variable in _keras_compat.accumulated_gradients(inner(optimizer)):
            variable.assign(tf.zeros(variable.shape, variable.dtype))


def prepare(optimizer: keras.Optimizer) -> None:
    """Keeps a stock optimizer from dividing 0 by 0 on sparse gradients.

    Adafactor's second moment of a weight is a product of one for its row and
    one for its column. Where neither has an active connection, both are
    `epsilon_1`, and the square of the default, 1e-30, is 0 in float32.

    Raises:
        ValueError: If the optimizer consists of several optimizers.
    """
    optimizer = inner(optimizer)
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            f"A {type(optimizer).__name__} has no learning rate and no slots, "
            "which masks need. Use one optimizer for the sparse model. "
            f"Received: optimizer={optimizer!r}."
        )
    if isinstance(optimizer, keras.optimizers.Adafactor):
        optimizer.epsilon_1 = max(optimizer.epsilon_1, 1e-18)
