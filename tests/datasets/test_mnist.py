"""MNIST and Fashion-MNIST are prepared from IDX files, and read."""

import gzip
import hashlib

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums
from tensorflow_datasets.image_classification import mnist as tfds_mnist

from rigl_tf import datasets
from rigl_tf.bin.prepare import prepare_dataset
from rigl_tf.datasets import idx_builder
from rigl_tf.datasets import prepared
from tests.datasets import official
from tests.datasets.test_prepared import all_of

NAME = "fashion_mnist"
PIXELS = {"mean": 0, "std": 1 / 255}  # as they are in the files


def splits(num_train=20, num_test=6):
    """Labels and images; the first pixel is the number of the image."""
    rng = np.random.default_rng(0)
    pairs = []
    for num in (num_train, num_test):
        images = rng.integers(0, 256, (num, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = np.arange(num)
        pairs.append((np.arange(num) % 10, images))
    return pairs


@pytest.fixture(autouse=True)
def quiet():
    tfds.display_progress_bar(False)
    yield
    tfds.display_progress_bar(True)


@pytest.fixture
def known(monkeypatch):
    """Takes small files for the official ones."""

    def known(paths):
        for path in paths:
            data = path.read_bytes()
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            monkeypatch.setitem(
                idx_builder.CONTENT[NAME],
                path.name.removesuffix(".gz"),
                hashlib.md5(data).hexdigest(),
            )
        return paths

    return known


@pytest.mark.parametrize("compressed", [True, False])
def test_every_image_keeps_its_label_and_its_split(compressed, known, tmp_path):
    train, test = splits()
    known(official.idx_files(tmp_path / "idx", train, test, compressed))

    prepare_dataset(NAME, [tmp_path / "idx"], tmp_path)
    data = datasets.fashion_mnist(
        batch_size=4, validation=6, data_dir=tmp_path, **PIXELS
    )

    assert data.input_shape == (28, 28, 1)
    assert (data.num_train, data.num_classes, data.steps_per_epoch) == (
        14,
        10,
        4,
    )
    parts = [all_of(data.train(0), data.steps_per_epoch)]
    parts.append(all_of(data.validation))
    for (labels, images), read in (
        (train, [np.concatenate(pair) for pair in zip(*parts, strict=True)]),
        (test, all_of(data.test)),
    ):
        x, y = read
        order = x[:, 0, 0, 0].round().astype(int)
        assert sorted(order) == list(range(len(images)))
        np.testing.assert_allclose(x[..., 0], images[order], atol=1e-3)
        np.testing.assert_array_equal(y, labels[order])


def test_files_are_prepared_as_by_tfds(known, tmp_path, monkeypatch):
    paths = known(official.idx_files(tmp_path / "idx", *splits()))
    prepare_dataset(NAME, paths, tmp_path / "ours")
    monkeypatch.setattr(tfds_mnist, "_TRAIN_EXAMPLES", 20)
    monkeypatch.setattr(tfds_mnist, "_TEST_EXAMPLES", 6)
    builder = tfds.builder(NAME, data_dir=tmp_path / "tfds")
    infos = {info.filename: info for info in builder.url_infos.values()}
    monkeypatch.setattr(
        checksums, "compute_url_info", lambda path: infos[path.name]
    )

    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=tmp_path / "idx"
        )
    )

    ours, theirs = (
        {
            path.name: path.read_bytes()
            for path in (tmp_path / who / NAME / "3.0.1").glob("*.tfrecord*")
        }
        for who in ("ours", "tfds")
    )
    assert len(ours) == 2 and ours == theirs


def test_images_are_decoded_once(known, tmp_path, monkeypatch):
    paths = known(official.idx_files(tmp_path / "idx", *splits()))
    prepare_dataset(NAME, paths, tmp_path)
    first = all_of(datasets.fashion_mnist(validation=4, data_dir=tmp_path).test)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "as_dataset", None)

    again = all_of(datasets.fashion_mnist(validation=4, data_dir=tmp_path).test)

    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_damaged_file_of_pixels_is_written_again(known, tmp_path):
    paths = known(official.idx_files(tmp_path / "idx", *splits()))
    prepare_dataset(NAME, paths, tmp_path)
    first = all_of(datasets.fashion_mnist(validation=4, data_dir=tmp_path).test)
    path = tmp_path / NAME / "3.0.1" / "test.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])

    again = all_of(datasets.fashion_mnist(validation=4, data_dir=tmp_path).test)

    np.testing.assert_array_equal(first[0], again[0])
    assert len(path.read_bytes()) == len(whole)


def cut_off(data):
    return data[:-20]


def other_label(data):
    return gzip.compress(gzip.decompress(data)[:-1] + b"\7")


def not_compressed(data):
    return gzip.decompress(data)


@pytest.mark.parametrize("change", [cut_off, other_label, not_compressed])
def test_a_damaged_file_is_refused(change, known, tmp_path):
    paths = known(official.idx_files(tmp_path / "idx", *splits()))
    path = next(p for p in paths if p.name == "t10k-labels-idx1-ubyte.gz")
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(ValueError, match=f"{path} is damaged.*again"):
        prepare_dataset(NAME, [tmp_path / "idx"], tmp_path)
    assert not prepared.is_prepared(NAME, tmp_path)


def test_files_of_another_data_set_are_refused(known, tmp_path):
    known(official.idx_files(tmp_path / "idx", *splits()))

    with pytest.raises(ValueError, match="same name from another data set"):
        prepare_dataset("mnist", [tmp_path / "idx"], tmp_path)


def test_a_missing_file_is_named(tmp_path):
    paths = official.idx_files(tmp_path / "idx", *splits())
    paths[0].unlink()

    with pytest.raises(
        FileNotFoundError,
        match=f"archive={paths[0]}. Download {paths[0].name} from https://",
    ):
        prepare_dataset(NAME, [tmp_path / "idx"], tmp_path)
