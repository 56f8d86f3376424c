"""Files without zeros: what goes in comes out, and nothing else gets in."""

import hashlib
import json
import struct
import zipfile

import keras
import numpy as np
import pytest
import zstandard
from keras import layers as kl

import rigl_tf
from rigl_tf.deploy import compact
from rigl_tf.deploy import loading
from tests.networks import NETWORKS

START = len(compact.MAGIC) + 32


def bits(variable):
    array = np.asarray(variable)
    return array.reshape(-1).view(f"u{array.itemsize}")


def assert_same(one, two):
    for here, there in zip(one.weights, two.weights, strict=True):
        assert (here.dtype, here.shape) == (there.dtype, there.shape)
        np.testing.assert_array_equal(bits(there), bits(here))


@pytest.mark.few(2)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_comes_back_bit_for_bit(network, tmp_path):
    sparse = rigl_tf.sparsify(
        NETWORKS[network](), rigl_tf.algorithms.Static(), sparsity=0.8
    )
    plain = rigl_tf.densify(sparse)
    x = np.random.default_rng(0).normal(size=(4, 16))

    compact.write(plain, tmp_path / "model.rigl")
    loaded = compact.read(tmp_path / "model.rigl")

    assert_same(plain, loaded)
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), plain.predict(x, verbose=0)
    )
    assert [p.name for p in tmp_path.iterdir()] == ["model.rigl"]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_bit_counts(dtype, tmp_path):
    model = keras.Sequential([keras.Input((3,)), kl.Dense(2, dtype=dtype)])
    model.layers[0].kernel.assign(
        [[0.0, -0.0], [np.nan, -np.inf], [1e-40, 1.5]]
    )

    compact.write(model, tmp_path / "model.rigl")

    assert_same(model, compact.read(tmp_path / "model.rigl"))


def test_nine_tenths_of_zeros_leave_an_eighth_of_the_file(tmp_path):
    network = keras.Sequential(
        [keras.Input((784,)), kl.Dense(512), kl.Dense(512), kl.Dense(10)]
    )
    plain = rigl_tf.densify(
        rigl_tf.sparsify(network, rigl_tf.algorithms.Static(), sparsity=0.9)
    )
    plain.save(tmp_path / "dense.keras")
    compact.write(plain, tmp_path / "model.rigl")

    sizes = [
        (tmp_path / name).stat().st_size
        for name in ("model.rigl", "dense.keras")
    ]

    assert sizes[0] / sizes[1] <= 0.12


@pytest.fixture
def written(tmp_path):
    model = keras.Sequential([keras.Input((3,)), kl.Dense(2, name="layer")])
    compact.write(model, tmp_path / "model.rigl")
    return tmp_path / "model.rigl"


def test_a_changed_byte_is_noticed_wherever_it_is(written):
    data = bytearray(written.read_bytes())
    for place in range(len(data)):
        data[place] ^= 1
        written.write_bytes(data)
        with pytest.raises(ValueError, match="cannot be read"):
            compact.read(written)
        data[place] ^= 1


@pytest.mark.parametrize("length", [0, 7, 20, 44, 100, -1])
def test_a_file_cut_off_is_refused(written, length):
    written.write_bytes(written.read_bytes()[:length])

    with pytest.raises(ValueError, match="cannot be read"):
        compact.read(written)


def forge(path, change):
    """Writes a file again, with another header and a digest that is right."""
    body = path.read_bytes()[START:]
    (length,) = struct.unpack("<I", body[:4])
    header = json.loads(body[4 : 4 + length])
    rest = change(header, body[4 + length :]) or body[4 + length :]
    text = json.dumps(header).encode()
    body = struct.pack("<I", len(text)) + text + rest
    path.write_bytes(compact.MAGIC + hashlib.sha256(body).digest() + body)


def negative(header, rest):
    header["weights"][0]["shape"] = [-3, -2]


def huge(header, rest):
    header["weights"][0]["shape"] = [2**40, 2]


def other(header, rest):
    header["weights"][0]["shape"] = [2, 3]


def unknown(header, rest):
    header["weights"][0]["dtype"] = "object"


def fewer(header, rest):
    header["weights"].pop()
    header["lengths"] = header["lengths"][:2]
    return rest[: sum(header["lengths"])]


def longer(header, rest):
    header["lengths"][0] += 1


def bomb(header, rest):
    part = zstandard.ZstdCompressor().compress(bytes(2**24))
    before = header["lengths"][0]
    header["lengths"][0] = len(part)
    return part + rest[before:]


def code(header, rest):
    for layer in header["model"]["config"]["layers"]:
        if layer["class_name"] == "Dense":
            layer["config"]["activation"] = {
                "class_name": "__lambda__",
                "config": {"value": "4wEAAAAA"},
            }


def nothing(header, rest):
    header.clear()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (negative, r"has an invalid shape \[-3, -2\]"),
        (huge, "weights take .* bytes. Allow"),
        (other, r"has shape \(3, 2\) in the model and \(2, 3\) in the file"),
        (unknown, "not a compact model .*object"),
        (fewer, "model has 2 weights, the file 1"),
        (longer, "parts do not have the lengths in its header"),
        (bomb, "a part does not have the expected size"),
        (code, "not a compact model .*lambda"),
        (nothing, "not a compact model .KeyError"),
    ],
)
def test_a_harmful_file_is_refused_with_a_reason(written, change, reason):
    forge(written, change)

    with pytest.raises(ValueError, match=f"(?s)cannot be read.*{reason}"):
        compact.read(written)


def wider(header, rest):
    text = json.dumps(header["model"]).replace('"units": 2', '"units": 2000000')
    header["model"] = json.loads(text)


def test_a_class_that_is_not_imported_is_named(tmp_path):
    class Mine(kl.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((3,)), Mine()])
    compact.write(model, tmp_path / "model.rigl")

    with pytest.raises(ValueError, match="class Mine. Import the module"):
        compact.read(tmp_path / "model.rigl")


def test_no_memory_is_taken_for_a_model_that_its_weights_do_not_fit(
    written, monkeypatch
):
    forge(written, wider)
    made = []
    monkeypatch.setattr(
        keras.initializers.GlorotUniform,
        "__call__",
        lambda self, shape, dtype=None: made.append(shape),
    )

    with pytest.raises(ValueError, match=r"\(3, 2000000\) in the model and"):
        compact.read(written)

    assert made == []


def test_a_header_nested_too_deeply_is_refused(written):
    header = b"[" * 100_000
    body = struct.pack("<I", len(header)) + header
    written.write_bytes(compact.MAGIC + hashlib.sha256(body).digest() + body)

    with pytest.raises(ValueError, match="cannot be read.*RecursionError"):
        compact.read(written)


def test_a_keras_file_that_describes_too_much_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((3,)), kl.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = parts["config.json"].replace(b'"units": 2', b'"units": 200000000')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (parts | {"config.json": config}).items():
            archive.writestr(name, data)

    with pytest.raises(ValueError, match="take 3,200,000,000 bytes, too many"):
        loading.read_keras(path)


@pytest.mark.parametrize("limit", [float("nan"), "1", 0.5])
def test_a_limit_that_is_no_number_of_bytes_is_refused(written, limit):
    with pytest.raises(ValueError, match="`max_bytes` must be an integer"):
        compact.read(written, max_bytes=limit)


def test_a_large_model_is_read_if_asked(written):
    with pytest.raises(ValueError, match="Allow that with `max_bytes=32`"):
        compact.read(written, max_bytes=31)

    assert compact.read(written, max_bytes=32).count_params() == 8
