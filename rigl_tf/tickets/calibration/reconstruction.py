"""The errors that a ticket causes in the outputs of each layer."""

from typing import Any

import keras
import numpy as np

from rigl_tf.tickets import batches as data_batches
from rigl_tf.tickets.calibration import kernel_inputs
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils import tensors
from rigl_tf.utils.validation import check_count


def reconstruction_errors(
    ticket: Ticket,
    model: keras.Model,
    data: Any,
    num_samples: int = 128,
    *,
    batch_size: int | None = None,
) -> dict[str, float]:
    """Returns the relative squared error of the outputs of each layer.

    The error of a layer is |X W - X V|^2 / |X W|^2, where X are its inputs in
    the dense model, W its dense weights, and V its weights in the ticket.

    Args:
        ticket: `Ticket`.
        model: `keras.Model` in which the ticket was found. It does not change.
        data: Data as for `TicketFinder.find`.
        num_samples: Integer, the number of training examples to use.
        batch_size: Integer, only for arrays; 32 by default.

    Returns:
        Dictionary from kernel name to float: 0 if the outputs do not change,
        1 if they would be zero. NaN if the outputs of the dense layer, without
        bias, are zero.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the ticket belongs to another architecture, or a layer
            is not a Dense, EinsumDense or convolution layer.

    Example:

    >>> ticket = tickets.Wanda().find(network, (x, y), density=0.5)
    >>> errors = tickets.reconstruction_errors(ticket, network, (x, y))
    >>> sorted(errors)
    ['classes', 'hidden']
    """
    check_count("num_samples", num_samples)
    dataset = data_batches.from_data(data, model, batch_size)
    examples, _ = kernel_inputs.first_examples(dataset, 0, num_samples)
    with ticket.all_active_in(model) as sparse:
        kernels, pruned = sparse.kernels, ticket.kernels_for(sparse)
        kernel_inputs.check_layers(kernels, "`reconstruction_errors`")
        weights, changes = {}, {}
        for kernel in kernels:
            dense = tensors.as_array(kernel.variable).astype("float32")
            change = dense - pruned[kernel.name].astype("float32")
            weights[kernel.name] = kernel_inputs.kernel_matrices(kernel, dense)
            changes[kernel.name] = kernel_inputs.kernel_matrices(kernel, change)
        sums = {kernel.name: np.zeros(2) for kernel in kernels}

        def add(kernel, x):
            for i, matrices in enumerate((changes, weights)):
                outputs = np.matmul(x, matrices[kernel.name])
                total = np.sum(np.square(outputs), dtype="float64")
                sums[kernel.name][i] += total

        kernel_inputs.for_each_call(sparse.network, kernels, examples, add)
    return {
        name: float(error / total) if total else float("nan")
        for name, (error, total) in sums.items()
    }
