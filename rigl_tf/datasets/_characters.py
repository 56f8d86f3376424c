"""Texts for next-character prediction."""

import pathlib

import numpy as np
import tensorflow as tf

from rigl_tf.datasets import prepared
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.typing import PathLike
from rigl_tf.utils import files
from rigl_tf.utils.validation import check_count

NUM_CHARACTERS = 256  # bytes of UTF-8


def characters(
    path: PathLike | None = None, length: int = 128, batch_size: int = 32
) -> Dataset:
    """Loads a text for the prediction of the next character.

    A character is a byte. The text is cut into pieces of `length` characters.
    The last tenth of the pieces is for testing, the tenth before it for
    validation.

    Args:
        path: Path of a text file, or `None` for Python's own help texts,
            `pydoc_data.topics`: about 0.7 MB, with small differences between
            versions of Python.
        length: Integer, at least 1, characters in an example.
        batch_size: Integer, at least 1, examples in a batch.

    Returns:
        `Dataset` of 256 classes, whose `x` and `y` are of shape (examples,
        length).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the text is too short for an example of each split, or
            the path is not an ordinary file.
    """
    check_count("length", length)
    if path is not None:
        files.size(path)  # or it may never end
    text = _topics() if path is None else pathlib.Path(path).read_bytes()
    if prepared.is_mocked():
        text = text[: 20 * length + 1]
    num = (len(text) - 1) // length
    held_out = num // 10
    if held_out < 1:
        raise ValueError(
            "The text must have at least ten examples. Received: "
            f"{len(text)} characters, length={length}. Use a longer text or a "
            "smaller `length`."
        )
    pieces = np.frombuffer(text, np.uint8)[: num * length + 1].astype(np.int32)
    x = pieces[:-1].reshape(num, length)
    y = pieces[1:].reshape(num, length)
    last, before = num - held_out, num - 2 * held_out
    return from_arrays(
        "characters",
        train=(x[:before], y[:before]),
        validation=(x[before:last], y[before:last]),
        test=(x[last:], y[last:]),
        num_classes=NUM_CHARACTERS,
        batch_size=batch_size,
        transform=lambda batch: tf.cast(batch, tf.int32),
    )


def _topics():
    from pydoc_data import topics

    return "\n".join(topics.topics.values()).encode()
