"""Files of others are read within the memory that their size allows."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf.deploy import loading


@pytest.fixture
def path(tmp_path):
    network = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    path = tmp_path / "model.keras"
    rigl_tf.sparsify(network, "set", sparsity=0.5).save(path)
    return path


def replace(path, **changes):
    """Changes parts of a file; compressed, zeros take no space."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in parts.items():
            change = changes.get(name.split(".")[0], lambda data: data)
            archive.writestr(name, change(data))


def declare(data, dtype):
    """Declares a huge array of the same type in place of a kernel or mask."""
    file = io.BytesIO(data)
    with h5py.File(file, "r+") as weights:
        names = []
        weights.visit(names.append)
        name = next(
            name
            for name in names
            if getattr(weights[name], "shape", 0) == (4, 2)
            and weights[name].dtype == dtype
        )
        del weights[name]
        shape, chunks = (50_000, 50_000), (100, 100)
        weights.create_dataset(name, shape, dtype, chunks=chunks)
    return file.getvalue()


@pytest.mark.parametrize("part", ["model", "metadata"])
def test_a_compressed_part_that_is_too_large_is_refused(path, part):
    replace(path, **{part: lambda data: data + bytes(3 * 10**8)})

    with pytest.raises(ValueError, match="take 300,.* bytes, too many for so"):
        loading.read_keras(path)


@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_an_array_that_hdf5_only_declares_is_refused(path, dtype):
    replace(path, model=lambda data: declare(data, dtype))

    with pytest.raises(ValueError, match="take .*,000,... bytes, too many"):
        loading.read_keras(path)


def test_a_whole_file_is_read(path):
    model = keras.saving.load_model(path)

    for one, two in zip(
        model.weights, loading.read_keras(path).weights, strict=True
    ):
        np.testing.assert_array_equal(one, two)
