"""TensorBoard logs of finished runs."""

import pathlib

import tensorflow as tf

from rigl_tf.results import grouping
from rigl_tf.utils import extras

with extras.needed("runs"):
    from tensorboard.plugins.hparams import api as hparams


def write(directory, record, figures):
    """Writes settings, test results and figures of a run.

    TensorBoard's HParams shows each setting once, and the test results as the
    metrics. The directory must have no other logs: HParams would show all
    their scalars.

    Args:
        directory: Path of the logs.
        record: `Record`.
        figures: Path of a directory of PNG files.
    """
    settings = {
        "task": record.task,
        "method": grouping.group_key(record).method,
        "distribution": record.distribution,
        "sparsity": record.sparsity,
        "seed": record.seed,
    }
    for name, value in record.settings.items():
        if name.lower() not in settings:
            settings[name] = str(value) if value is None else value
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default(step=record.steps):
        hparams.hparams(settings)
        for name, value in record.test.items():
            tf.summary.scalar(f"test/{name}", value)
        for path in sorted(pathlib.Path(figures).glob("*.png")):
            image = tf.io.decode_png(path.read_bytes())
            tf.summary.image(f"figures/{path.stem}", image[None])
    writer.close()
