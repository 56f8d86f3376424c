"""What an optimizer keeps beside a kernel, and whether it keeps zeros zero."""

import keras
import tensorflow as tf

# Optimizers whose update of a weight is zero where the weight, its gradient
# and its slots are. After these, masking the kernel again would be wasted.
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


def inner(optimizer):
    """The optimizer itself, or the one that others are wrapped around."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def scales_loss(optimizer):
    """Whether a `LossScaleOptimizer` is wrapped around an optimizer."""
    while not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        if not hasattr(optimizer, "inner_optimizer"):
            return False
        optimizer = optimizer.inner_optimizer
    return True


def keeps_zeros(optimizer):
    """Whether inactive weights stay exactly zero without being masked."""
    # Exact types: a subclass may do anything.
    return type(inner(optimizer)) in _KEEP_ZEROS


def of(optimizer, variable):
    """The optimizer's variables of the same shape as `variable` beside it.

    These are momenta, second moments, moving averages and accumulated
    gradients. Adafactor's factored moments belong to rows and columns and not
    to single weights, so they are not among them.
    """
    optimizer = inner(optimizer)
    index = optimizer._get_variable_index(variable)
    count = len(optimizer._trainable_variables)
    lists = [
        value
        for name, value in vars(optimizer).items()
        if isinstance(value, list)
        and len(value) == count
        and name not in ("_trainable_variables", "_variables")
    ]
    slots = [values[index] for values in lists]
    return [
        slot
        for slot in slots
        if isinstance(slot, keras.Variable) and slot.shape == variable.shape
    ]


def initial_value(optimizer, slot):
    """Returns the float that every element of a slot starts with.

    It is 0.0 but for the sums of squares of Adagrad and Ftrl, which divide by
    them.
    """
    optimizer = inner(optimizer)
    if any(slot is one for one in getattr(optimizer, "_accumulators", ())):
        return float(getattr(optimizer, "initial_accumulator_value", 0.0))
    return 0.0


def knows(optimizer, variable):
    """Whether an optimizer was built for a variable."""
    optimizer = inner(optimizer)
    known = optimizer._trainable_variables_indices
    return optimizer._var_key(variable) in known


def momentum(optimizer, variable):
    """The optimizer's running gradient of a variable.

    Raises:
        ValueError: If it keeps none.
    """
    optimizer = inner(optimizer)
    for name in ("_momentums", "momentums"):
        values = getattr(optimizer, name, None)
        if values:
            return values[optimizer._get_variable_index(variable)]
    raise ValueError(
        "The algorithm looks at the optimizer's momentum, and "
        f"{type(optimizer).__name__} keeps none as it is set. Use for example "
        "SGD(momentum=0.9) or Adam."
    )


def loss_scale(optimizer):
    """The factor by which an optimizer scales the loss, 1.0 if it does not."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale
    return optimizer.loss_scale_factor or 1.0


def lower_loss_scale(optimizer):
    """Halves a dynamic loss scale, after gradients that were not finite."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.step_counter.assign(0)
        optimizer.dynamic_scale.assign(optimizer.dynamic_scale * 0.5)


def accumulation_steps(optimizer):
    """Integer, the batches whose gradients make one optimizer step."""
    return inner(optimizer).gradient_accumulation_steps or 1


def completes_accumulation(optimizer):
    """Whether the next batch makes an optimizer step, a boolean tensor."""
    done = tf.convert_to_tensor(inner(optimizer)._iterations) + 1
    return done % accumulation_steps(optimizer) == 0


def accumulated(optimizer, variable):
    """The variable in which gradients are added up."""
    optimizer = inner(optimizer)
    index = optimizer._get_variable_index(variable)
    return optimizer._accumulated_gradients[index]


def count_step(optimizer):
    """Counts a step that was not the optimizer's, for learning rates."""
    inner(optimizer)._iterations.assign_add(1)


def drop_accumulated(optimizer):
    """Forgets the gradients that were added up."""
    if accumulation_steps(optimizer) > 1:
        for variable in inner(optimizer)._accumulated_gradients:
            variable.assign(tf.zeros(variable.shape, variable.dtype))


def prepare(optimizer):
    """Keeps a stock optimizer from dividing 0 by 0 on sparse gradients.

    Adafactor's second moment of a weight is a product of one for its row and
    one for its column. Where neither has an active connection, both are
    `epsilon_1`, and the square of the default, 1e-30, is 0 in float32.

    Raises:
        ValueError: If it hands its variables to several optimizers.
    """
    optimizer = inner(optimizer)
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            f"A {type(optimizer).__name__} has no learning rate and no slots "
            "of its own, which masks need. Use one optimizer for the sparse "
            f"model. Received: optimizer={optimizer!r}."
        )
    if isinstance(optimizer, keras.optimizers.Adafactor):
        optimizer.epsilon_1 = max(optimizer.epsilon_1, 1e-18)
