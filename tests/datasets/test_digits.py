"""Tests of the handwritten digits."""

import importlib
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

import rigl_tf
from rigl_tf import datasets
from rigl_tf.datasets import digits_builder

SIZES = {"train": 1259, "validation": 179, "test": 359}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    datasets.digits(data_dir=path)
    return path


@pytest.fixture(scope="module")
def originals():
    """scikit-learn's copy, sorted."""
    digits = load_digits()
    return sorted_rows(digits.data, digits.target)


def sorted_rows(images, labels):
    rows = np.column_stack([images.reshape(len(images), 64), labels])
    return rows[np.lexsort(rows.T)]


def splits(dataset):
    """Arrays (x, y) of each split, the training set in the order of seed 0."""
    batches = {
        "train": dataset.train(seed=0).take(dataset.steps_per_epoch),
        "validation": dataset.validation,
        "test": dataset.test,
    }
    return {
        split: tuple(np.concatenate(parts) for parts in zip(*pairs))
        for split, pairs in batches.items()
    }


def joined(dataset):
    return (np.concatenate(parts) for parts in zip(*splits(dataset).values()))


def test_the_splits_have_the_documented_sizes(data_dir):
    digits = datasets.digits(data_dir=data_dir)

    sizes = {split: len(y) for split, (_, y) in splits(digits).items()}

    assert sizes == SIZES
    assert digits.num_train == SIZES["train"]
    assert digits.steps_per_epoch == 40  # 39 batches of 32, and 11 images


def test_the_splits_are_disjoint_and_cover_all_images(data_dir, originals):
    x, y = joined(datasets.digits(data_dir=data_dir))

    # No two of the originals are equal, so none is in two splits.
    assert len(np.unique(originals, axis=0)) == 1797
    np.testing.assert_array_equal(sorted_rows(16 * x, y), originals)


def test_the_splits_have_each_class_in_the_same_proportion(data_dir):
    digits = datasets.digits(data_dir=data_dir)
    counts = np.bincount(load_digits().target)

    for split, share in ("test", 0.2), ("validation", 0.1), ("train", 0.7):
        _, y = splits(digits)[split]
        # Two splits are rounded, each by half an image at most.
        assert np.all(np.abs(np.bincount(y) - share * counts) <= 1)


def test_images_have_one_channel_in_0_to_1(data_dir):
    digits = datasets.digits(data_dir=data_dir)

    x, _ = joined(digits)

    assert digits.input_shape == (8, 8, 1)
    assert digits.num_classes == 10
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)


def test_images_stand_upright(data_dir):
    digits = datasets.digits(data_dir=data_dir)
    x, y = splits(digits)["train"]

    mean_one = x[y == 1].mean(axis=0)[..., 0]

    # The stroke of a 1 fills the middle columns from top to bottom.
    assert mean_one[:, 3:5].mean() > 0.6
    assert mean_one[3:5, :].mean() < 0.5


def test_flatten_changes_the_shape_only(data_dir):
    flat = datasets.digits(flatten=True, data_dir=data_dir)
    square = datasets.digits(data_dir=data_dir)

    assert flat.input_shape == (64,)
    for (x, y), (expected_x, expected_y) in zip(flat.test, square.test):
        np.testing.assert_array_equal(x, np.reshape(expected_x, (-1, 64)))
        np.testing.assert_array_equal(y, expected_y)


def test_standardize_uses_the_training_pixels_for_all_splits(data_dir):
    plain = splits(datasets.digits(data_dir=data_dir))
    standard = splits(datasets.digits(standardize=True, data_dir=data_dir))

    mean, deviation = (f(plain["train"][0]) for f in (np.mean, np.std))

    assert (round(mean, 3), round(deviation, 3)) == (0.306, 0.377)
    for split in SIZES:
        expected = (plain[split][0] - mean) / deviation
        np.testing.assert_allclose(standard[split][0], expected, atol=1e-5)


def test_two_calls_give_the_same_batches(data_dir):
    first, second = (datasets.digits(data_dir=data_dir) for _ in range(2))

    for a, b in zip(first.train(seed=1).take(3), second.train(seed=1).take(3)):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_the_batch_size_is_checked(data_dir):
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        datasets.digits(batch_size=0, data_dir=data_dir)


def test_the_split_is_the_same_each_time():
    labels = load_digits().target

    first = digits_builder.split_indices(labels)
    np.random.seed(5)
    second = digits_builder.split_indices(labels)

    for split in SIZES:
        np.testing.assert_array_equal(first[split], second[split])
    # Written down, because published results depend on it.
    assert first["test"][:5].tolist() == [3, 7, 13, 19, 36]


def test_tfds_knows_the_builder_by_name(data_dir):
    builder = tfds.builder("rigl_digits", data_dir=data_dir)

    sizes = {
        name: info.num_examples for name, info in builder.info.splits.items()
    }

    assert sizes == SIZES
    assert builder.info.features["label"].num_classes == 10


def test_preparing_says_nothing_and_keeps_the_progress_bar_on(tmp_path, capsys):
    from tensorflow_datasets.core.utils import tqdm_utils

    datasets.digits(data_dir=tmp_path)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "example" not in captured.err
    assert tqdm_utils._active


def test_a_process_that_comes_second_uses_what_the_first_prepared(
    tmp_path, monkeypatch, originals
):
    prepare = digits_builder.Digits._split_generators
    rivals = []

    def overtaken(self, dl_manager):
        if not rivals:
            rivals.append(digits_builder.Digits(data_dir=tmp_path))
            rivals[0].download_and_prepare()
        return prepare(self, dl_manager)

    monkeypatch.setattr(digits_builder.Digits, "_split_generators", overtaken)

    x, y = joined(datasets.digits(data_dir=tmp_path))

    assert len(rivals) == 1
    np.testing.assert_array_equal(sorted_rows(16 * x, y), originals)
    assert not list(tmp_path.glob("**/*incomplete*"))


def test_a_preparation_that_fails_leaves_nothing_and_is_reported(
    tmp_path, monkeypatch
):
    def full_disk(self, digits, chosen):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(digits_builder.Digits, "_generate_examples", full_disk)
        with pytest.raises(OSError, match="No space left"):
            datasets.digits(data_dir=tmp_path)

    assert datasets.digits(data_dir=tmp_path).num_train == SIZES["train"]


def test_importing_datasets_needs_neither_tfds_nor_scikit_learn(monkeypatch):
    monkeypatch.setattr(rigl_tf, "datasets", datasets)  # put back afterwards
    for name in list(sys.modules):
        if name.startswith("rigl_tf.datasets"):
            monkeypatch.delitem(sys.modules, name)
        elif name.partition(".")[0] in ("tensorflow_datasets", "sklearn"):
            monkeypatch.setitem(sys.modules, name, None)  # refuses imports

    again = importlib.import_module("rigl_tf.datasets")

    assert again is not datasets
    assert again.digits is not datasets.digits
    with pytest.raises(ImportError, match="tensorflow_datasets"):
        again.digits()
