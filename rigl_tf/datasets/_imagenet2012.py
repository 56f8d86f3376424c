"""ImageNet of 2012: 1,281,167 photographs in 1,000 classes, read as needed."""

import tensorflow as tf

from rigl_tf.datasets import augment
from rigl_tf.datasets import pictures
from rigl_tf.datasets import prepared
from rigl_tf.datasets._tiny_imagenet import MEAN
from rigl_tf.datasets._tiny_imagenet import STD
from rigl_tf.datasets.arrays import from_arrays
from rigl_tf.datasets.dataset import Dataset
from rigl_tf.datasets.dataset import check_integer
from rigl_tf.datasets.dataset import check_place

_NAME = "imagenet2012"
_SIZE = prepared.SOURCES[_NAME].shape[0]
_SHUFFLED = 4096  # examples, about half a gigabyte
_FILES = 16  # read at once


def imagenet2012(batch_size=256, mean=MEAN, std=STD, data_dir=None):
    """Reads ImageNet, which `rigl-prepare --dataset=imagenet2012` has prepared.

    For training, a part of random size and shape is resized to 224 x 224
    pixels and half are mirrored; for testing, on the 50,000 pictures for
    validation, the middle 87.5 % are. Nothing is kept for validation.

    Files are read in an order that follows seed and epoch, 16 at once, and of
    what is read, 4,096 examples at a time are shuffled. Going on in the middle
    of an epoch reads what was read before, without decoding it.

    Args:
        batch_size: Integer, at least 1, examples in a batch.
        mean: Tuple of three floats, subtracted from pixels in [0, 1].
        std: Tuple of three floats, by which they are divided then.
        data_dir: Where TFDS keeps prepared data, or `None` for its default.

    Returns:
        `Dataset` of 1,000 classes.

    Raises:
        FileNotFoundError: If it is not prepared; says how to do it.

    Reference:
        [Russakovsky et al., 2015](https://arxiv.org/abs/1409.0575).
    """
    check_integer(batch_size, "batch_size", least=1)
    transform = pictures.normalized(mean, std)
    if prepared.are_faked():
        fake = prepared.fake_pictures(_NAME)
        return from_arrays(
            _NAME,
            train=fake,
            test=fake,
            num_classes=1000,
            batch_size=batch_size,
            transform=transform,
        )
    builder = prepared.builder(_NAME, data_dir)
    splits = builder.info.splits
    options = tf.data.Options()
    options.deterministic = True
    parse = _parser(builder)

    def finished(batches):
        batches = batches.map(lambda x, y: (transform(x), y), tf.data.AUTOTUNE)
        return batches.prefetch(tf.data.AUTOTUNE).with_options(options)

    def train(seed, epoch=0, batch=0):
        check_place(seed, epoch, batch)

        def one_epoch(number):
            seeds = tf.stack([tf.constant(seed, tf.int64), number])
            files = tf.random.experimental.stateless_shuffle(
                tf.constant(_paths(splits["train"])), seeds, alg="philox"
            )
            examples = tf.data.Dataset.from_tensor_slices(files).interleave(
                tf.data.TFRecordDataset, _FILES, 1, tf.data.AUTOTUNE, True
            )

            def shuffled(index, records):
                order = tf.random.experimental.stateless_shuffle(
                    tf.range(tf.shape(records)[0]),
                    tf.random.experimental.stateless_fold_in(seeds, index),
                    alg="philox",
                )
                records = tf.gather(records, order)
                return tf.data.Dataset.from_tensor_slices(records)

            def cut(index, record):
                image, label = parse(record)
                image = augment.resize_and_flip(
                    image[None],
                    tf.random.experimental.stateless_fold_in(seeds, index),
                    size=(_SIZE, _SIZE),
                )
                return image[0], label

            examples = examples.batch(_SHUFFLED).enumerate().flat_map(shuffled)
            skipped = tf.where(number == epoch, batch * batch_size, 0)
            examples = examples.enumerate().skip(tf.cast(skipped, tf.int64))
            return examples.map(cut, tf.data.AUTOTUNE).batch(batch_size)

        return finished(tf.data.Dataset.counter(epoch).flat_map(one_epoch))

    test = tf.data.TFRecordDataset(_paths(splits["validation"]))
    test = test.map(lambda r: _middle(*parse(r)), tf.data.AUTOTUNE)
    return Dataset(
        name=_NAME,
        input_shape=prepared.SOURCES[_NAME].shape,
        num_classes=1000,
        num_train=splits["train"].num_examples,
        batch_size=batch_size,
        train=train,
        validation=None,
        test=finished(test.batch(batch_size)),
    )


def _paths(split):
    return [str(path) for path in split.filepaths]


def _parser(builder):
    """The function from a record to a picture, uint8, and its label."""

    def parse(record):
        example = builder.info.features.deserialize_example(record)
        return example["image"], tf.cast(example["label"], tf.int32)

    return parse


def _middle(image, label):
    """The middle square of a picture, 87.5 % of its shorter side, resized."""
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    part = 0.875 * tf.reduce_min(shape) / shape
    box = tf.concat([(1 - part) / 2, (1 + part) / 2], axis=0)
    image = tf.image.crop_and_resize(
        image[None], box[None], [0], (_SIZE, _SIZE)
    )
    return tf.cast(tf.round(image[0]), tf.uint8), label
