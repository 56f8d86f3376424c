"""The trained model of a run."""

import pathlib

from rigl_tf.deploy import loading
from rigl_tf.results import MODEL


def load_model(directory):
    """Loads the model of a finished run.

    Args:
        directory: Path of the run.

    Returns:
        `keras.Model` or `SparseModel`.

    Raises:
        ValueError: If the run has no model, or the file cannot be read.
    """
    path = pathlib.Path(directory) / MODEL
    if not path.is_file():
        raise ValueError(
            f"`directory` must contain a finished run with {MODEL}. Received: "
            f"directory={directory}. Train a run with rigl-train or "
            "rigl-sweep."
        )
    return loading.read_keras(path)
