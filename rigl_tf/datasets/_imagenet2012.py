"""ImageNet of 2012: 1,281,167 photographs in 1,000 classes, streamed."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from rigl_tf.datasets import augment
from rigl_tf.datasets import images
from rigl_tf.datasets import prepared
from rigl_tf.datasets._tiny_imagenet import MEAN
from rigl_tf.datasets._tiny_imagenet import STD
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.datasets.dataset import check_integer
from rigl_tf.datasets.dataset import check_position
from rigl_tf.typing import PathLike
from rigl_tf.utils.tensors import shuffle

_NAME = "imagenet2012"
_SIZE = prepared.SOURCES[_NAME].shape[0]
_SHUFFLED = 4096  # examples, about half a gigabyte
_FILES = 16  # read at once


def imagenet2012(
    batch_size: int = 256,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    data_dir: PathLike | None = None,
) -> Dataset:
    """Reads ImageNet, which `rigl-prepare --dataset=imagenet2012` has prepared.

    Training images are crops of random size and aspect ratio, resized to 224 x
    224 pixels; half of the images are flipped. Test images are the central
    87.5 % of the 50,000 validation images, resized to 224 x 224 pixels. There
    is no validation split.

    The order of files depends on seed and epoch. 16 files are read at once, and
    examples are shuffled in groups of 4,096. To resume in the middle of an
    epoch, the earlier records are read again, but not decoded.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        mean: Tuple of three floats, subtracted from pixels in [0, 1].
        std: Tuple of three floats that then divide the pixels.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 1,000 classes.

    Raises:
        FileNotFoundError: If the data set is not prepared.

    Reference:
        [Russakovsky et al., 2015](https://arxiv.org/abs/1409.0575).
    """
    check_integer(batch_size, "batch_size", least=1)
    transform = images.normalizer(mean, std)
    if prepared.is_mocked():
        mock = prepared.mock_images(_NAME)
        return from_arrays(
            _NAME,
            train=mock,
            test=mock,
            num_classes=1000,
            batch_size=batch_size,
            transform=transform,
        )
    builder = prepared.builder(_NAME, data_dir)
    splits = builder.info.splits
    options = tf.data.Options()
    options.deterministic = True
    parse = _parser(builder)

    def finish(batches):
        batches = batches.map(lambda x, y: (transform(x), y), tf.data.AUTOTUNE)
        return batches.prefetch(tf.data.AUTOTUNE).with_options(options)

    def train(seed, epoch=0, batch=0):
        check_position(seed, epoch, batch)

        def one_epoch(number):
            seeds = tf.stack([tf.constant(seed, tf.int64), number])
            files = shuffle(tf.constant(_paths(splits["train"])), seeds)
            examples = tf.data.Dataset.from_tensor_slices(files).interleave(
                tf.data.TFRecordDataset, _FILES, 1, tf.data.AUTOTUNE, True
            )

            def shuffled(index, records):
                order = shuffle(
                    tf.range(tf.shape(records)[0]),
                    tf.random.fold_in(seeds, index),
                )
                records = tf.gather(records, order)
                return tf.data.Dataset.from_tensor_slices(records)

            def crop(index, record):
                image, label = parse(record)
                image = augment.resize_and_flip(
                    image[None],
                    tf.random.fold_in(seeds, index),
                    size=(_SIZE, _SIZE),
                )
                return image[0], label

            parts: Any = examples.batch(_SHUFFLED).enumerate()
            examples = parts.flat_map(shuffled)
            skipped = tf.where(number == epoch, batch * batch_size, 0)
            examples = examples.enumerate().skip(tf.cast(skipped, tf.int64))
            return examples.map(crop, tf.data.AUTOTUNE).batch(batch_size)

        return finish(tf.data.Dataset.counter(epoch).flat_map(one_epoch))

    test = tf.data.TFRecordDataset(_paths(splits["validation"]))
    test = test.map(lambda r: _center_crop(*parse(r)), tf.data.AUTOTUNE)
    return Dataset(
        name=_NAME,
        input_shape=prepared.SOURCES[_NAME].shape,
        num_classes=1000,
        num_train=splits["train"].num_examples,
        batch_size=batch_size,
        train=train,
        validation=None,
        test=finish(test.batch(batch_size)),
    )


def _paths(split):
    return [str(path) for path in split.filepaths]


def _parser(builder):
    """Returns a function from a record to an image, uint8, and its label."""

    def parse(record):
        example = builder.info.features.deserialize_example(record)
        return example["image"], tf.cast(example["label"], tf.int32)

    return parse


def _center_crop(image, label):
    """Crops the central square, 87.5 % of the shorter side, and resizes it."""
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    part = 0.875 * tf.reduce_min(shape) / shape
    box = tf.concat([(1 - part) / 2, (1 + part) / 2], axis=0)
    image = tf.image.crop_and_resize(
        image[None], box[None], [0], (_SIZE, _SIZE)
    )
    return tf.cast(tf.round(image[0]), tf.uint8), label
