"""A network as a function of its kernels."""

import keras


def call_with_values(network, values, x, training):
    """Calls a network with tensors instead of some of its variables.

    No variable is assigned, so gradients flow through the tensors, including
    gradients of gradients.

    Args:
        network: Built `keras.Model`.
        values: List of pairs of a `keras.Variable` and a tensor.
        x: The inputs of the network.
        training: Boolean or `None`.

    Returns:
        The outputs, and a list of pairs `(variable, new value)` for the
        variables that an ordinary call would update, such as moving averages.
    """
    with keras.StatelessScope(state_mapping=values) as scope:
        y = network(x, training=training)
    given = {id(variable) for variable, _ in values}
    updates = [
        (variable, scope.get_current_value(variable))
        for variable in network.variables
        if id(variable) not in given
    ]
    return y, [(v, new) for v, new in updates if new is not None]
