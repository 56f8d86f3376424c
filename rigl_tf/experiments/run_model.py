"""The trained model of a run."""

import pathlib

from rigl_tf.deploy import loading
from rigl_tf.results import MODEL


def load_model(directory):
    """Loads the model of a finished run.

    Raises:
        ValueError: If there is none, or it cannot be read.
    """
    path = pathlib.Path(directory) / MODEL
    if not path.is_file():
        raise ValueError(
            f"There is no finished run in {directory}: it has no {MODEL}. "
            "Train one with rigl-train or rigl-sweep."
        )
    return loading.read_keras(path)
