"""The TFDS builder behind `tiny_imagenet`. Imports TFDS; import when needed."""

import pathlib

import tensorflow_datasets as tfds

from rigl_tf.datasets import prepared

_FOLDER = "tiny-imagenet-200"
_SOURCE = prepared.SOURCES["tiny_imagenet"]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Tiny ImageNet: 64 x 64 pixels, 200 classes of ImageNet.

    The pictures for testing of the official archive have no labels and are
    left out.
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
        archive = pathlib.Path(dl_manager.manual_dir) / _SOURCE.files[0]
        folder = pathlib.Path(dl_manager.extract(archive)) / _FOLDER
        ids = (folder / "wnids.txt").read_text().split()
        labels = {wnid: label for label, wnid in enumerate(sorted(ids))}
        return {
            "train": self._generate_examples(_train(folder), labels),
            "validation": self._generate_examples(_validation(folder), labels),
        }

    def _generate_examples(self, files, labels):
        for path, wnid in files:
            yield (
                path.name,
                {"id": path.name, "image": path, "label": labels[wnid]},
            )


def _train(folder):
    """Pairs of a picture's path and its WordNet ID."""
    for path in sorted((folder / "train").glob("*/images/*.JPEG")):
        yield path, path.parent.parent.name


def _validation(folder):
    lines = (folder / "val" / "val_annotations.txt").read_text().splitlines()
    for line in lines:
        name, wnid, *_ = line.split("\t")
        yield folder / "val" / "images" / name, wnid
