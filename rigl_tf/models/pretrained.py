"""Networks that begin with the weights of a file."""

import pathlib

import numpy as np


def pretrained(input_shape, num_classes, *, model, weights):
    """Builds a network and gives it weights that were trained elsewhere.

    Layers whose weights have another shape in the file, such as a head for
    other classes, begin anew.

    Args:
        input_shape: Tuple of positive integers.
        num_classes: Integer, at least 1.
        model: Function of both to a `keras.Model`.
        weights: Path of a `.weights.h5` or `.keras` file of the same
            architecture.

    Returns:
        `keras.Model`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If none of the weights fits.
    """
    if not pathlib.Path(weights).is_file():
        raise FileNotFoundError(
            f"There is no file of weights {weights}. Save one with "
            "`model.save_weights('trained.weights.h5')`."
        )
    network = model(input_shape, num_classes)
    before = network.get_weights()
    network.load_weights(weights, skip_mismatch=True)
    pairs = zip(before, network.get_weights(), strict=True)
    if not any(np.any(one != two) for one, two in pairs):
        raise ValueError(
            f"No weights of {weights} fit {network.name!r}. Received: "
            f"weights={str(weights)!r}."
        )
    return network
