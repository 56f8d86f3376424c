"""What Keras optimizers keep of each variable."""


def is_built_for(optimizer, variable):
    """Returns whether an optimizer was built with a variable."""
    known = optimizer._trainable_variables_indices
    return optimizer._var_key(variable) in known


def built_variables(optimizer):
    """Returns the variables that an optimizer was built with."""
    return optimizer._trainable_variables


def slots_of(optimizer, variable):
    """Returns what an optimizer keeps of a variable, variables or not.

    Every list with as many elements as the optimizer has variables has one
    element for each: `_momentums`, `_velocities`, and so on.
    """
    index = optimizer._get_variable_index(variable)
    count = len(optimizer._trainable_variables)
    return [
        value[index]
        for name, value in vars(optimizer).items()
        if isinstance(value, list)
        and len(value) == count
        and name not in ("_trainable_variables", "_variables")
    ]


def momentum_of(optimizer, variable):
    """Returns the momentum of a variable, or `None` if there is none."""
    for name in ("_momentums", "momentums"):  # SGD has the second
        momenta = getattr(optimizer, name, None)
        if momenta:
            return momenta[optimizer._get_variable_index(variable)]
    return None


def sums_of_squares(optimizer):
    """Returns the accumulators of Adagrad or Ftrl, or nothing."""
    return getattr(optimizer, "_accumulators", ())


def batches_seen(optimizer):
    """Returns the variable that counts the batches of an optimizer.

    `Optimizer.iterations` counts steps: with accumulated gradients, a step is
    several batches.
    """
    return optimizer._iterations


def accumulated_gradients(optimizer):
    """Returns the sums of gradients, in the order of `built_variables`."""
    return optimizer._accumulated_gradients


def accumulated_gradient_of(optimizer, variable):
    """Returns the variable that accumulates the gradients of a variable."""
    index = optimizer._get_variable_index(variable)
    return optimizer._accumulated_gradients[index]


def learning_rate_of(optimizer):
    """Returns the learning rate as it was given: schedule or variable.

    `Optimizer.learning_rate` is the schedule's value at the present step.
    """
    return optimizer._learning_rate
