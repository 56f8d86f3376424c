"""Texts, character by character."""

import pathlib

import numpy as np
import tensorflow as tf

from rigl_tf.datasets import prepared
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.utils.validation import check_count

NUM_CHARACTERS = 256  # bytes of UTF-8


def characters(path=None, length=128, batch_size=32):
    """Loads a text: after each character, the next is to be predicted.

    A character is a byte. The text is cut into pieces of `length` characters;
    the last tenth of it is for testing and the tenth before for validation.

    Args:
        path: Path of a text file, or `None` for the help that Python has of
            its own language, `pydoc_data.topics`: about 0.7 MB, which differ
            a little from one version of Python to the next.
        length: Integer, at least 1, characters in an example.
        batch_size: Integer, at least 1, examples in a batch.

    Returns:
        `Dataset` of 256 classes, whose `x` and `y` are of shape (examples,
        length).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the text is too short for an example of each split.
    """
    check_count("length", length)
    text = _topics() if path is None else pathlib.Path(path).read_bytes()
    if prepared.are_faked():
        text = text[: 20 * length + 1]
    num = (len(text) - 1) // length
    held_out = num // 10
    if held_out < 1:
        raise ValueError(
            f"The text has {len(text)} characters: not enough for ten "
            f"examples of length={length}. Shorten them."
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
