"""The TFDS builder of `tiny_imagenet`; imports TFDS, so import it late."""

import io
import pathlib
import re
import zipfile

import tensorflow as tf
import tensorflow_datasets as tfds

from rigl_tf.datasets import prepared

_FOLDER = "tiny-imagenet-200/"
_TRAIN = re.compile(rf"{_FOLDER}train/([^/]+)/images/[^/]+\.JPEG")
_MAX_BYTES = 2**20  # size of a file in the archive
_SOURCE = prepared.SOURCES["tiny_imagenet"]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Tiny ImageNet: images of 64 x 64 pixels, 200 classes of ImageNet.

    The test images of the official archive have no labels and are left out.
    """

    name = "tiny_imagenet"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "100,000 train, 10,000 validation images."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Put {_SOURCE.files[0]} there."

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(shape=_SOURCE.shape),
                    "label": tfds.features.ClassLabel(
                        num_classes=_SOURCE.num_classes
                    ),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=_SOURCE.url,
        )

    def _split_generators(self, dl_manager):
        path = pathlib.Path(dl_manager.manual_dir) / _SOURCE.files[0]
        archive = zipfile.ZipFile(path)  # open until all splits are read
        ids = _read(archive, "wnids.txt").decode().split()
        labels = {wnid: label for label, wnid in enumerate(sorted(ids))}
        return {
            "train": self._generate_examples(archive, _train(archive), labels),
            "validation": self._generate_examples(
                archive, _validation(archive), labels
            ),
        }

    def _generate_examples(self, archive, files, labels):
        for name, wnid in files:
            if wnid not in labels:
                raise ValueError(
                    f"wnids.txt has no {wnid!r}, the class of {name}"
                )
            image, key = _image(archive, name), name.split("/")[-1]
            yield key, {"id": key, "image": image, "label": labels[wnid]}


def _train(archive):
    """Yields pairs of the name of an image and its WordNet ID."""
    for name in sorted(archive.namelist()):
        match = _TRAIN.fullmatch(name)
        if match:
            yield name.removeprefix(_FOLDER), match[1]


def _validation(archive):
    annotations = _read(archive, "val/val_annotations.txt").decode()
    for line in annotations.splitlines():
        name, wnid, *_ = line.split("\t")
        yield f"val/images/{name}", wnid


def _read(archive, name):
    """Returns the content of a file in the archive."""
    if _FOLDER + name not in archive.NameToInfo:
        raise ValueError(f"it has no {name}")
    entry = archive.getinfo(_FOLDER + name)
    if entry.file_size > _MAX_BYTES:
        raise ValueError(f"{name} would take {entry.file_size:,} bytes")
    return archive.read(entry)


def _image(archive, name):
    """Returns an image file, checked to be a JPEG of the right size."""
    data = _read(archive, name)
    try:
        shape = tf.io.extract_jpeg_shape(data)[:2].numpy().tolist()
        if shape == list(_SOURCE.shape[:2]):
            tf.io.decode_jpeg(data)
            return io.BytesIO(data)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{name} is no JPEG file") from error
    raise ValueError(f"{name} has {shape[0]} x {shape[1]} pixels")
