"""What TensorBoard shows of a run that is finished."""

import pathlib

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from rigl_tf.results import grouping


def write(directory, record, figures):
    """Adds settings, the results of the test and the figures to a run's logs.

    Its HParams then compare the runs below a directory.

    Args:
        directory: Path of the logs.
        record: `Record`.
        figures: Path of a directory of PNG files.
    """
    settings = {
        **{name: _shown(value) for name, value in record.settings.items()},
        "task": record.task,
        "method": grouping.of(record).method,
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
            picture = tf.io.decode_png(path.read_bytes())
            tf.summary.image(path.stem, picture[None])
    writer.close()


def _shown(value):
    return str(value) if value is None else value
