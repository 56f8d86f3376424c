"""A network as a function of its kernels."""

import keras


def outputs(network, values, x, training):
    """Calls a network with other values in the place of variables.

    Nothing is assigned, so that gradients flow through the values, also those
    of gradients.

    Args:
        network: Built `keras.Model`.
        values: List of pairs of `keras.Variable` and tensor.
        x: What the network takes.
        training: Boolean or `None`.

    Returns:
        The outputs, and a list of pairs: each variable that the call would
        have changed, such as a moving average, and its new value.
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
