"""Data sets are prepared from archives in the official formats, and read."""

import sys
import tarfile
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums

from rigl_tf import datasets
from rigl_tf.bin import prepare
from rigl_tf.bin.prepare import dataset_table
from rigl_tf.bin.prepare import prepare_dataset
from rigl_tf.datasets import augment
from rigl_tf.datasets import prepared
from tests.bin import command_line
from tests.datasets import official

NAMES = {
    "cifar10": datasets.cifar10,
    "cifar100": datasets.cifar100,
    "tiny_imagenet": datasets.tiny_imagenet,
    "caltech101": datasets.caltech101,
    "imagenet2012": datasets.imagenet2012,
    "mnist": datasets.mnist,
    "fashion_mnist": datasets.fashion_mnist,
}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Prepares small archives, which TFDS takes for the official ones."""

    def small(name, *archives):
        known = prepared.make_builder(name, tmp_path).url_infos or {}
        monkeypatch.setattr(
            checksums,
            "compute_url_info",
            lambda path: next(
                i for i in known.values() if i.filename == path.name
            ),
        )
        prepare_dataset(name, archives, tmp_path / "data")
        return tmp_path / "data"

    tfds.display_progress_bar(False)
    yield small
    tfds.display_progress_bar(True)


def all_of(batches, num=None):
    batches = list(batches if num is None else batches.take(num))
    return tuple(
        np.concatenate([np.array(part) for part in parts])
        for parts in zip(*batches, strict=True)
    )


def cifar(num_classes, num_train=20, num_test=6):
    rng = np.random.default_rng(0)

    def split(num):
        images = rng.integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
        return np.arange(num) % num_classes, images

    return split(num_train), split(num_test)


@pytest.mark.few(1)
@pytest.mark.parametrize("num_classes", [10, 100])
def test_cifar_is_read_as_it_was_written(num_classes, small, tmp_path):
    name = f"cifar{num_classes}"
    (labels, images), test = cifar(num_classes)
    write = getattr(official, name)
    data_dir = small(name, write(tmp_path, (labels, images), test))
    # The mean and scale are such that pixels are what they were.
    data = NAMES[name](
        batch_size=4,
        validation=6,
        mean=(0, 0, 0),
        std=(1 / 255,) * 3,
        augment=None,
        data_dir=data_dir,
    )
    assert (data.num_train, data.num_classes) == (14, num_classes)
    x, y = all_of(data.test)
    np.testing.assert_allclose(x, test[1], atol=1e-3)
    np.testing.assert_array_equal(y, test[0])
    x, y = all_of(data.validation)
    np.testing.assert_allclose(x, images[14:], atol=1e-3)
    np.testing.assert_array_equal(y, labels[14:])
    x, y = all_of(data.train(0), data.steps_per_epoch)
    order = np.argsort(x[:, 0, 0, 0] * 1e6 + x[:, 0, 1, 1])
    expected = np.argsort(images[:14, 0, 0, 0] * 1e6 + images[:14, 0, 1, 1])
    np.testing.assert_allclose(x[order], images[:14][expected], atol=1e-3)
    np.testing.assert_array_equal(y[order], labels[:14][expected])


def test_cifar_is_normalized_as_the_papers_say(small, tmp_path):
    train, test = cifar(10)
    data_dir = small("cifar10", official.cifar10(tmp_path, train, test))
    x, _ = all_of(datasets.cifar10(validation=4, data_dir=data_dir).test)
    expected = (test[1] / 255 - [0.4914, 0.4822, 0.4465]) / [
        0.2023,
        0.1994,
        0.2010,
    ]
    np.testing.assert_allclose(x, expected, atol=1e-5)
    # The RigL paper standardizes each image by itself.
    data = datasets.cifar10(validation=0, std=None, data_dir=data_dir)
    x, _ = all_of(data.test)
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1, atol=1e-5)
    assert data.validation is None and data.num_train == 20


def test_only_training_pictures_are_augmented(small, tmp_path):
    train, test = cifar(10)
    data_dir = small("cifar10", official.cifar10(tmp_path, train, test))
    plain, augmented = (
        datasets.cifar10(
            batch_size=7, validation=6, augment=change, data_dir=data_dir
        )
        for change in (None, augment.crop_and_flip)
    )
    for split in ("validation", "test"):
        np.testing.assert_array_equal(
            all_of(getattr(plain, split))[0],
            all_of(getattr(augmented, split))[0],
        )
    one, two = (all_of(data.train(5), 2) for data in (plain, augmented))
    np.testing.assert_array_equal(one[1], two[1])
    changed = (one[0] != two[0]).any(axis=(1, 2, 3))
    assert changed.mean() > 0.8  # one of 162 stays as it is


def test_augmentation_goes_on_in_the_middle_of_an_epoch(small, tmp_path):
    train, test = cifar(10)
    data_dir = small("cifar10", official.cifar10(tmp_path, train, test))
    data = datasets.cifar10(batch_size=5, validation=4, data_dir=data_dir)
    whole = list(data.train(3).take(9))  # four batches an epoch
    for batch, (x, y) in zip(whole[6:], data.train(3, 1, 2), strict=False):
        np.testing.assert_array_equal(batch[0], x)
        np.testing.assert_array_equal(batch[1], y)
    again = next(iter(data.train(3, 1, 0)))[0]
    assert np.any(again != whole[0][0]), "Other epochs, other crops."


def test_too_many_examples_for_validation_are_refused(small, tmp_path):
    train, test = cifar(10)
    data_dir = small("cifar10", official.cifar10(tmp_path, train, test))
    with pytest.raises(ValueError, match="below the 20.*validation=5000"):
        datasets.cifar10(data_dir=data_dir)


def test_tiny_imagenet_is_read_from_the_official_archive(small, tmp_path):
    ids = ["n02", "n01", "n03"]
    data_dir = small("tiny_imagenet", official.tiny_imagenet(tmp_path, ids))
    plain = {
        "mean": (0, 0, 0),
        "std": (1 / 255,) * 3,
        "augment": None,
        "data_dir": data_dir,
    }
    data = datasets.tiny_imagenet(**plain)
    assert data.input_shape == (64, 64, 3)
    assert (data.num_train, data.num_classes) == (9, 200)
    x, y = all_of(data.train(0), 1)
    np.testing.assert_allclose(x, y[:, None, None, None] * np.ones_like(x))
    for split in (data.validation, data.test):
        x, y = all_of(split)
        np.testing.assert_allclose(
            x, 100 + y[:, None, None, None] * np.ones_like(x)
        )
        assert sorted(y) == [0, 0, 1, 1, 2, 2]
    whole = datasets.tiny_imagenet(halves=False, **plain)
    assert whole.validation is None and len(all_of(whole.test)[1]) == 12


def test_caltech_101_is_read_without_its_background(small, tmp_path):
    names = ["accordion", "BACKGROUND_Google", "airplanes"]
    data_dir = small("caltech101", official.caltech101(tmp_path, names))
    data = datasets.caltech101(data_dir=data_dir)
    assert data.input_shape == (224, 224, 3)
    counts = {}
    for split in ("validation", "test"):
        counts[split] = np.bincount(all_of(getattr(data, split))[1])
    labels = all_of(data.train(0), data.steps_per_epoch)[1]
    # 20 % of 31 are 6; a quarter of the other 50 are 12.
    assert counts["test"].tolist() == [6, 6]
    assert counts["validation"].sum() == 12
    assert len(labels) == data.num_train == 62 - 12 - 12


def test_imagenet_is_read_in_an_order_that_follows_the_seed(small, tmp_path):
    ids = ["n01440764", "n01443537"]
    data_dir = small("imagenet2012", *official.imagenet2012(tmp_path, ids))
    data = datasets.imagenet2012(batch_size=4, data_dir=data_dir)
    assert (data.num_train, data.steps_per_epoch) == (10, 3)
    whole = list(data.train(7).take(6))
    assert [len(y) for _, y in whole] == [4, 4, 2, 4, 4, 2]
    for epoch in (whole[:3], whole[3:]):
        labels = np.concatenate([y for _, y in epoch])
        assert sorted(labels) == [0] * 5 + [1] * 5
    for batch, (x, y) in zip(whole[4:], data.train(7, 1, 1), strict=False):
        np.testing.assert_array_equal(batch[0], x)
        np.testing.assert_array_equal(batch[1], y)
    assert np.any(whole[0][0] != next(iter(data.train(8)))[0])
    x, y = all_of(data.test)
    assert x.shape == (3, 224, 224, 3) and y.dtype == np.int32


@pytest.mark.parametrize("name", NAMES)
def test_data_that_are_not_prepared_say_how(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # too slow
    file = prepared.SOURCES[name].files[0]
    with pytest.raises(
        FileNotFoundError,
        match=rf"(?s)Download {file}.*rigl-prepare --dataset={name} --archive",
    ):
        NAMES[name](data_dir=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_data_can_be_faked(name):
    with prepared.mock_data(8):
        data = NAMES[name](batch_size=4)
    source = prepared.SOURCES[name]
    x, y = next(iter(data.train(0)))
    assert x.shape == (min(4, data.num_train), *source.shape)
    assert data.num_classes == source.num_classes > int(max(y))
    assert not prepared.is_mocked()


def with_entries(path, **entries):
    """Puts other files into an archive of Tiny ImageNet."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for name, data in entries.items():
        files[f"tiny-imagenet-200/{name.replace('__', '/')}"] = data
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def annotated(name):
    return {"val__val_annotations.txt": f"{name}\tn01\t0\t0\t62\t62\n"}


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (annotated("{}/secret.JPEG"), "it has no val/images//.*secret.JPEG"),
        (annotated("../../../secret.JPEG"), "it has no val/images/../../"),
        (annotated("val_0.JPEG"), None),
        ({"val__val_annotations.txt": "val_0.JPEG"}, "not enough values"),
        ({"val__val_annotations.txt": None}, "no val/val_annotations.txt"),
        (
            {"wnids.txt": "n02"},
            "wnids.txt has no 'n01', the class of train/n01",
        ),
        ({"wnids.txt": None}, "it has no wnids.txt"),
        ({"wnids.txt": b"\xff"}, "UnicodeDecodeError"),
        ({"wnids.txt": bytes(2**20 + 1)}, "wnids.txt would take 1,048,577"),
        ({"val__images__val_0.JPEG": b"no"}, "val_0.JPEG is no JPEG"),
        (
            {"val__images__val_0.JPEG": official.jpeg(official.picture(9, 8))},
            "val_0.JPEG has 9 x 8 pixels",
        ),
    ],
)
def test_only_what_is_in_an_archive_becomes_data(
    entries, problem, small, tmp_path
):
    (tmp_path / "secret.JPEG").write_bytes(official.jpeg(official.picture()))
    archive = official.tiny_imagenet(tmp_path, ["n01"])
    entries = {
        name: data.format(tmp_path) if isinstance(data, str) else data
        for name, data in entries.items()
    }
    with_entries(archive, **entries)
    if problem is None:
        small("tiny_imagenet", archive)
        return
    with pytest.raises(ValueError, match=f"{archive}.*{problem}"):
        small("tiny_imagenet", archive)
    assert not prepared.is_prepared("tiny_imagenet", tmp_path / "data")


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_an_archive_cut_off_is_named(size, small, tmp_path):
    archives = official.tiny_imagenet(tmp_path, ["n01"])
    whole = archives.read_bytes()
    archives.write_bytes(whole[:size])
    with pytest.raises(ValueError, match=f"{archives}: "):
        small("tiny_imagenet", archives)
    archives.write_bytes(whole[size:])
    if size:  # now places are before the file's beginning
        with pytest.raises(ValueError, match=f"{archives}: "):
            small("tiny_imagenet", archives)
    archives = official.imagenet2012(tmp_path, ["n01440764"])
    archives[0].write_bytes(archives[0].read_bytes()[:size])
    with pytest.raises(ValueError, match=f"{archives[0]}.*: "):
        small("imagenet2012", *archives)


@pytest.mark.parametrize(
    ("kind", "to"),
    [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "../x")]
    + [(kind, "") for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE)],
)
def test_an_archive_with_more_than_files_is_refused(kind, to, small, tmp_path):
    archives = official.imagenet2012(tmp_path, ["n01440764"])
    with tarfile.open(archives[1], "a") as archive:
        info = tarfile.TarInfo("ILSVRC2012_val_00000009.JPEG")
        info.type, info.linkname = kind, to
        archive.addfile(info)
    with pytest.raises(
        ValueError, match="00000009.JPEG' is not a regular file"
    ):
        small("imagenet2012", *archives)


def test_archives_within_an_archive_have_only_files_too(small, tmp_path):
    archives = official.imagenet2012(tmp_path, ["n01440764"])
    info = tarfile.TarInfo("n01440764_9.JPEG")
    info.type = tarfile.GNUTYPE_SPARSE  # of a gigabyte, and no data
    inner = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    inner[483:495] = b"%011o\0" % 2**30
    inner[148:156] = b" " * 8
    inner[148:156] = b"%06o\0 " % sum(inner)
    inner += bytes(2 * len(inner))
    official.tar(archives[0], {"n01440764.tar": bytes(inner)})
    with pytest.raises(ValueError, match="_9.JPEG' is not a regular file"):
        small("imagenet2012", *archives)


@pytest.mark.parametrize(
    "name",
    [n for n, s in prepared.SOURCES.items() if not (s.by_hand or s.is_idx)],
)
def test_archives_with_a_known_checksum_are_not_opened_otherwise(
    name, tmp_path
):
    archive = tmp_path / prepared.SOURCES[name].files[0]
    archive.write_bytes(b"something else")
    with pytest.raises(ValueError, match="checksum"):
        prepare_dataset(name, [archive], tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "archives", "error", "problem"),
    [
        (
            "cifar10",
            ["cifar.zip"],
            ValueError,
            "needs the archives cifar-10-binary",
        ),
        (
            "cifar10",
            ["no/cifar-10-binary.tar.gz"],
            FileNotFoundError,
            "archive=no/cifar",
        ),
        (
            "mnist",
            ["."],
            FileNotFoundError,
            "train-images-idx3-ubyte.gz from https://",
        ),
        ("imagenet2012", [], ValueError, "Download ILSVRC2012_img_train.tar"),
        ("tiny_imagenet", [], ValueError, "and pass --archive="),
    ],
)
def test_archives_that_will_not_do(name, archives, error, problem, tmp_path):
    with pytest.raises(error, match=problem):
        prepare_dataset(name, archives, tmp_path)


def test_archives_in_two_directories_are_refused(tmp_path):
    train, validation = official.imagenet2012(tmp_path, ["n01440764"])
    (tmp_path / "other").mkdir()
    validation = validation.rename(tmp_path / "other" / validation.name)
    with pytest.raises(ValueError, match="in one directory.*other/ILSVRC"):
        prepare_dataset("imagenet2012", [train, validation], tmp_path)


def test_the_program_prepares_a_data_set_that_it_knows(monkeypatch, capsys):
    monkeypatch.setattr(
        prepare, "prepare_dataset", lambda *given: "/".join(map(str, given))
    )
    given = ["--dataset=mnist", "--archive=a", "--data_dir=d"]
    prepare.main(command_line.flags("prepare", *given))
    assert capsys.readouterr().out == "mnist is prepared in mnist/['a']/d.\n"
    with pytest.raises(ValueError, match="mnist.*Received: --dataset=minst"):
        prepare.main(command_line.flags("prepare", "--dataset=minst"))


def test_without_a_network_a_download_ends_at_once(monkeypatch, tmp_path):
    def unreachable(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(ConnectionError, match="no network.*--archive=path"):
        prepare_dataset("cifar10", [], tmp_path)


def test_the_list_says_what_is_prepared(small, tmp_path):
    data_dir = small("tiny_imagenet", official.tiny_imagenet(tmp_path, ["n01"]))
    rows = dataset_table(data_dir).splitlines()
    (row,) = [row for row in rows if "tiny_imagenet" in row]
    assert row.split("|")[2].strip() == "yes"
    (row,) = [row for row in rows if "imagenet2012" in row]
    assert row.split("|")[2].strip() == "no"
