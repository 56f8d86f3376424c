"""TFDS builders that read IDX files; imports TFDS, so import it late.

TFDS's own builders of MNIST and Fashion-MNIST take only the compressed files on
its servers, byte for byte. Other copies have the same content, but it is
compressed differently or not at all.
"""

import gzip
import hashlib
import zlib

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

# MD5 of the uncompressed official files. Both data sets have the same names of
# files, so that only this tells one from the other.
CONTENT = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
_SPLITS = {"train": "train", "test": "t10k"}
_MAX_BYTES = 2**26  # of an uncompressed file


def make_builder(name, files, data_dir):
    """Returns TFDS's builder of a data set, which reads IDX files.

    What it prepares is equal to what TFDS prepares from a download.

    Args:
        name: String, a key of `CONTENT`.
        files: List of paths, with the official names, with or without `.gz`.
        data_dir: Where TFDS keeps prepared data.

    Returns:
        `tfds.core.DatasetBuilder`.
    """
    dataset = name
    paths = {path.name.removesuffix(".gz"): path for path in files}

    def read(split, kind):
        file = f"{_SPLITS[split]}-{kind}-ubyte"
        return _read(paths[file], CONTENT[dataset][file])

    # TFDS has registered a class with this name.
    with registered.skip_registration():

        class Builder(tfds.builder_cls(name)):
            name = dataset

            def _split_generators(self, dl_manager):
                del dl_manager  # nothing to download
                return {
                    split: self._generate_examples(
                        read(split, "images-idx3"), read(split, "labels-idx1")
                    )
                    for split in _SPLITS
                }

            def _generate_examples(self, images, labels):
                pairs = zip(images, labels, strict=True)
                for index, (image, label) in enumerate(pairs):
                    yield index, {"image": image[..., None], "label": label}

    return Builder(data_dir=data_dir)


def _read(path, md5):
    """Returns the array in an IDX file with the given MD5."""
    try:
        with path.open("rb") as file:
            is_gzip = path.suffix == ".gz"
            stream = gzip.GzipFile(fileobj=file) if is_gzip else file
            data = stream.read(_MAX_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        data = b""
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(
            f"{path} is damaged, or a file of the same name from another data "
            "set: its content differs from the official file. Download it again"
        )
    # A byte with the number of dimensions, their sizes in four bytes each, and
    # one byte for each number.
    start = 4 + 4 * data[3]
    shape = np.frombuffer(data[4:start], ">u4")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
