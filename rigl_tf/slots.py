"""What an optimizer keeps beside a kernel, and whether it keeps zeros zero."""

import keras

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
    """The optimizer itself, or the one that a loss scale is wrapped around."""
    return getattr(optimizer, "inner_optimizer", optimizer)


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


def prepare(optimizer):
    """Keeps a stock optimizer from dividing 0 by 0 on sparse gradients.

    Adafactor's second moment of a weight is a product of one for its row and
    one for its column. Where neither has an active connection, both are
    `epsilon_1`, and the square of the default, 1e-30, is 0 in float32.
    """
    optimizer = inner(optimizer)
    if isinstance(optimizer, keras.optimizers.Adafactor):
        optimizer.epsilon_1 = max(optimizer.epsilon_1, 1e-18)
