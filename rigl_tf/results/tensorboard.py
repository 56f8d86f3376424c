"""TensorBoard logs of finished runs."""

import pathlib

import tensorflow as tf

from rigl_tf.results import grouping
from rigl_tf.utils import extras

with extras.needed("runs"):
    from tensorboard.plugins.hparams import api as hparams


def write(directory, record, figures):
    """Adds settings, test results and figures to the logs of a run.

    TensorBoard's HParams can then compare runs.

    Args:
        directory: Path of the logs.
        record: `Record`.
        figures: Path of a directory of PNG files.
    """
    settings = {
        **{name: _loggable(value) for name, value in record.settings.items()},
        "task": record.task,
        "method": grouping.group_key(record).method,
        "distribution": record.distribution,
        "sparsity": record.sparsity,
        "seed": record.seed,
    }
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default(step=record.steps):
        hparams.hparams(settings)
        for name, value in record.test.items():
            tf.summary.scalar(f"test/{name}", value)
        for path in sorted(pathlib.Path(figures).glob("*.png")):
            image = tf.io.decode_png(path.read_bytes())
            tf.summary.image(path.stem, image[None])
    writer.close()


def _loggable(value):
    return str(value) if value is None else value
