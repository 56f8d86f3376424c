"""Data sets that are prepared on disk once, by TFDS, and read ever after."""

import contextlib
import contextvars
import dataclasses
import os
import pathlib

import numpy as np

_FAKED = contextvars.ContextVar("rigl_tf_faked_examples", default=None)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        name: String, TFDS's name of it.
        files: Tuple of strings, the archives that it is made of.
        url: String, a page that offers them.
        shape: Tuple of integers, of an example as it is read.
        num_classes: Integer.
        builder: String, the module of our own TFDS builder, or `None` if TFDS
            has one.
        by_hand: Whether its archives have to be downloaded by hand.
    """

    name: str
    files: tuple
    url: str
    shape: tuple
    num_classes: int
    builder: str | None = None
    by_hand: bool = False


SOURCES = {
    source.name: source
    for source in (
        Source(
            "cifar10",
            ("cifar-10-binary.tar.gz",),
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            (32, 32, 3),
            10,
        ),
        Source(
            "cifar100",
            ("cifar-100-binary.tar.gz",),
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            (32, 32, 3),
            100,
        ),
        Source(
            "tiny_imagenet",
            ("tiny-imagenet-200.zip",),
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            (64, 64, 3),
            200,
            "rigl_tf.datasets.tiny_imagenet_builder",
            by_hand=True,
        ),
        Source(
            "caltech101",
            ("caltech-101.zip",),
            "https://data.caltech.edu/records/mzrjq-6wc02",
            (224, 224, 3),
            101,
        ),
        Source(
            "imagenet2012",
            ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"),
            "https://image-net.org/download-images",
            (224, 224, 3),
            1000,
            by_hand=True,
        ),
    )
}


@contextlib.contextmanager
def faked(num):
    """Within it, data sets that are to be prepared are random ones.

    Args:
        num: Integer, examples of each split. They have the right shapes.
    """
    token = _FAKED.set(num)
    try:
        yield
    finally:
        _FAKED.reset(token)


def are_faked():
    """Whether data sets are random ones."""
    return _FAKED.get() is not None


def fake_pictures(name):
    """Random pictures of the shape of a data set, uint8, and labels."""
    source, num = SOURCES[name], _FAKED.get()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (num, *source.shape), dtype=np.uint8)
    # Few classes, so that splits have some of each.
    return x, np.arange(num) % min(max(num // 4, 1), source.num_classes)


def directory(data_dir=None):
    """Where TFDS keeps prepared data: `data_dir`, or its own default."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return pathlib.Path(data_dir or default).expanduser()


def is_prepared(name, data_dir=None):
    """Whether a data set is there to be read."""
    return any((directory(data_dir) / name).glob("*/dataset_info.json"))


def builder(name, data_dir=None):
    """The TFDS builder of a data set that is prepared.

    Raises:
        FileNotFoundError: If it is not; without waiting for TFDS or a
            network.
    """
    source, place = SOURCES[name], directory(data_dir)
    if not is_prepared(name, data_dir):
        wanted = " ".join(f"--archive={file}" for file in source.files)
        there = f" --data_dir={place}" if data_dir else ""
        raise FileNotFoundError(
            f"{name} is not prepared in {place}. Download "
            f"{' and '.join(source.files)} from {source.url} and run\n"
            f"  rigl-prepare --dataset={name} {wanted}{there}"
        )
    return make_builder(name, place)


def make_builder(name, place):
    """The TFDS builder of a data set, prepared or not."""
    import importlib  # TFDS is slow to import, and not everybody needs it

    import tensorflow_datasets as tfds

    source = SOURCES[name]
    if source.builder is not None:
        return importlib.import_module(source.builder).Builder(data_dir=place)
    return tfds.builder(name, data_dir=place)
