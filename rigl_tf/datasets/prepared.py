"""Data sets that TFDS prepares on disk once."""

import contextlib
import contextvars
import dataclasses
import os
import pathlib

import numpy as np

from rigl_tf.utils import extras

_NUM_MOCKED = contextvars.ContextVar("rigl_tf_num_mocked", default=0)


@dataclasses.dataclass(frozen=True)
class Source:
    """The source of a data set.

    Attributes:
        name: String, the TFDS name of the data set.
        files: Tuple of strings, names of the archives.
        url: String, the download page of the archives.
        shape: Tuple of integers, the shape of an example.
        num_classes: Integer.
        builder: String, the module of a TFDS builder in this library, or
            `None` if TFDS has a builder.
        by_hand: Boolean, whether users must download the archives.
        is_idx: Boolean, whether the archives are compressed IDX files, which
            may also be passed without compression.
    """

    name: str
    files: tuple
    url: str
    shape: tuple
    num_classes: int
    builder: str | None = None
    by_hand: bool = False
    is_idx: bool = False


_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
SOURCES = {
    source.name: source
    for source in (
        Source(
            "mnist",
            _IDX,
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            (28, 28, 1),
            10,
            is_idx=True,
        ),
        Source(
            "fashion_mnist",
            _IDX,
            "https://github.com/zalandoresearch/fashion-mnist",
            (28, 28, 1),
            10,
            is_idx=True,
        ),
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
def mock_data(num):
    """Replaces prepared data sets by random data of the same shapes.

    Args:
        num: Integer, examples of each split.
    """
    token = _NUM_MOCKED.set(num)
    try:
        yield
    finally:
        _NUM_MOCKED.reset(token)


def is_mocked():
    """Returns whether `mock_data` is in effect."""
    return _NUM_MOCKED.get() > 0


def mock_images(name):
    """Returns random uint8 images of the shape of a data set, and labels."""
    source, num = SOURCES[name], _NUM_MOCKED.get()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (num, *source.shape), dtype=np.uint8)
    # Few classes, so that every split has examples of each class.
    return x, np.arange(num) % min(max(num // 4, 1), source.num_classes)


def directory(data_dir=None):
    """Returns the directory of prepared data, by default TFDS's."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return pathlib.Path(data_dir or default).expanduser()


def is_prepared(name, data_dir=None):
    """Returns whether a data set is prepared."""
    return any((directory(data_dir) / name).glob("*/dataset_info.json"))


def builder(name, data_dir=None):
    """Returns the TFDS builder of a prepared data set.

    Raises:
        FileNotFoundError: If the data set is not prepared. TFDS and the
            network are not used before this check.
    """
    source, path = SOURCES[name], directory(data_dir)
    if not is_prepared(name, data_dir):
        several = len(source.files) > 1
        archive_flag = "DIRECTORY" if several else source.files[0]
        data_dir_flag = f" --data_dir={path}" if data_dir else ""
        raise FileNotFoundError(
            f"{name} is not prepared in {path}. Download "
            f"{' and '.join(source.files)} from {source.url} and run\n"
            f"  rigl-prepare --dataset={name} --archive={archive_flag}"
            f"{data_dir_flag}"
        )
    return make_builder(name, path)


def make_builder(name, path):
    """Returns the TFDS builder of a data set, prepared or not."""
    import importlib  # TFDS is slow to import

    with extras.needed("runs"):
        import tensorflow_datasets as tfds

    source = SOURCES[name]
    if source.builder is not None:
        return importlib.import_module(source.builder).Builder(data_dir=path)
    return tfds.builder(name, data_dir=path)
