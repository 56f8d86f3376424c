"""Models from files that anybody may have written."""

import copy
import json
import math
import zipfile

import keras
import tensorflow as tf

from rigl_tf import _keras_compat
from rigl_tf import files

_MOST_CONFIG = 2**26


def allowed_bytes(path):
    """The memory that a model may take without being asked for it.

    A thousand times its file's size, because zeros take no space there, or
    2**28 bytes if that is more.
    """
    return max(1000 * files.size(path), 2**28)


def weights(config):
    """The weights that a model has, before any memory is taken for them.

    Args:
        config: What `keras.saving.serialize_keras_object` has made of a model.

    Returns:
        List of variables that have shapes and data types and no values.
    """
    with _keras_compat.unallocated():
        return keras.saving.deserialize_keras_object(
            copy.deepcopy(config),  # which Keras would empty
            safe_mode=True,
        ).weights


def num_bytes(variables):
    """The memory that weights take."""
    return sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in variables
    )


def read_keras(path):
    """Reads a `.keras` file in Keras's safe mode.

    Args:
        path: String or path.

    Returns:
        `keras.Model`.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is something else, would run code, or describes a
            model that takes more memory than `allowed_bytes`.
    """
    most = allowed_bytes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo("config.json")
            if entry.file_size > _MOST_CONFIG:
                raise ValueError("its config.json is too large")
            config = json.loads(archive.read(entry))
        config["compile_config"] = None
        size = num_bytes(weights(config))
        if size > most:
            raise ValueError(
                f"its weights take {size:,} bytes, too many for a file so small"
            )
        return keras.saving.load_model(path)
    except Exception as error:  # Keras raises whatever a configuration causes
        raise ValueError(
            f"{path} is not read: it is no model that Keras has saved "
            f"({type(error).__name__}: {error})."
        ) from error
