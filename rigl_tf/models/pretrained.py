"""Networks that begin with the weights of a file."""

import pathlib

from rigl_tf.datasets import prepared


def pretrained(input_shape, num_classes, *, model, weights):
    """Builds a network and gives it weights that were trained elsewhere.

    Layers whose weights have another shape in the file, such as a head for
    other classes, begin anew, and Keras warns of them.

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
    """
    if prepared.are_faked():
        return model(input_shape, num_classes)
    if not pathlib.Path(weights).is_file():
        raise FileNotFoundError(
            f"There is no file of weights {weights}. Save one with "
            "`model.save_weights('trained.weights.h5')`."
        )
    network = model(input_shape, num_classes)
    network.load_weights(weights, skip_mismatch=True)
    return network
