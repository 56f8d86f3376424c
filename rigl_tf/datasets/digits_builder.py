"""The TFDS builder of `digits`; imports TFDS, so import it late."""

import numpy as np

from rigl_tf.utils import extras

with extras.needed("runs"):
    import tensorflow_datasets as tfds

_CITATION = """\
@misc{alpaydin1998optical,
  title={Optical Recognition of Handwritten Digits},
  author={Alpaydin, E. and Kaynak, C.},
  year={1998},
  publisher={UCI Machine Learning Repository},
  doi={10.24432/C50P49},
}
"""


class Digits(tfds.core.GeneratorBasedBuilder):
    """Handwritten digits as 8x8 counts of ink, bundled with scikit-learn.

    Each pixel is the number of dark pixels in 4x4 pixels of a scan, 0 to 16.
    """

    name = "rigl_digits"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "1,259 train, 179 validation, 359 test images."}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=(8, 8, 1), dtype=np.uint8
                    ),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://doi.org/10.24432/C50P49",
            citation=_CITATION,
            license="CC BY 4.0",
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # nothing to download

        with extras.needed("runs"):
            from sklearn import datasets

        digits = datasets.load_digits()
        return {
            split: self._generate_examples(digits, indices)
            for split, indices in split_indices(digits.target).items()
        }

    def _generate_examples(self, digits, indices):
        for index in indices.tolist():
            yield (
                index,
                {
                    "image": digits.images[index, ..., np.newaxis].astype(
                        np.uint8
                    ),
                    "label": int(digits.target[index]),
                },
            )


def split_indices(labels):
    """Splits examples at random, with a fixed seed.

    For each class, 20 % of the examples are for testing and 10 % for
    validation, rounded to whole examples; the rest is for training.

    Args:
        labels: Integer array of shape (examples,).

    Returns:
        Dictionary from split name to an array of sorted indices.
    """
    # NumPy guarantees that this generator's stream never changes.
    random = np.random.RandomState(0)
    parts = {"train": [], "validation": [], "test": []}
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        num_test = round(0.2 * len(members))
        num_held_out = num_test + round(0.1 * len(members))
        parts["test"].append(members[:num_test])
        parts["validation"].append(members[num_test:num_held_out])
        parts["train"].append(members[num_held_out:])
    return {split: np.sort(np.concatenate(p)) for split, p in parts.items()}
