"""Tickets are saved, loaded and put on networks."""

import dataclasses
import json
import re
import struct
import zipfile

import keras
import numpy as np
import pytest

from rigl_tf import tickets
from rigl_tf.tickets import ticket_file
from tests.tickets import small

MODEL, DATA = small.network(), small.dataset()
TICKET = dataclasses.replace(
    tickets.SNIP().find(MODEL, DATA, 0.25, seed=3, exclude=["last"]),
    weights=MODEL.get_weights(),
    history={"loss": [0.1, float("nan"), 1 / 3], "accuracy": [np.float32(0.1)]},
)


@pytest.fixture
def path(tmp_path):
    TICKET.save(tmp_path / "ticket.npz")
    return tmp_path / "ticket.npz"


def same(one, two):
    """Returns whether two arrays are the same, bit for bit."""
    return (one.dtype, one.shape, one.tobytes()) == (
        two.dtype,
        two.shape,
        two.tobytes(),
    )


def test_everything_comes_back(path):
    again = tickets.load(path)
    assert [p.name for p in path.parent.iterdir()] == ["ticket.npz"]
    for field in ("masks", "scores"):
        one, two = getattr(TICKET, field), getattr(again, field)
        assert list(one) == list(two)
        assert all(same(one[name], two[name]) for name in one)
    for one, two in zip(TICKET.weights, again.weights, strict=True):
        assert same(one, two)
    np.testing.assert_equal(again.history, TICKET.history)
    finder = re.sub(r" at 0x\w+", "", str(tickets.SNIP()))
    assert again.request == {"finder": finder, "density": 0.25, "seed": 3}
    assert again.exclude == ("last",) and again.include == ()
    assert again.signed_constant is False and again.density == TICKET.density


def test_what_a_ticket_does_not_have_it_does_not_get(tmp_path):
    bare = tickets.Ticket({"a/b": np.eye(3, dtype=bool)}, signed_constant=True)
    bare.save(str(tmp_path / "bare"))
    again = tickets.load(str(tmp_path / "bare"))
    assert again.weights is None and again.scores is None
    assert again.history == {} and again.request == {}
    assert again.signed_constant is True
    assert same(again.masks["a/b"], bare.masks["a/b"])


def test_weights_of_any_dtype_come_back(tmp_path):
    weights = [
        keras.ops.convert_to_numpy(keras.ops.cast([1.5, -2.0, 3.0], dtype))
        for dtype in ("bfloat16", "float16", "float64", "uint32")
    ]
    ticket = tickets.Ticket({"w": np.ones(2, bool)}, weights=weights)
    ticket.save(tmp_path / "ticket")
    again = tickets.load(tmp_path / "ticket").weights
    assert [a.dtype.name for a in again] == [
        "bfloat16",
        "float16",
        "float64",
        "uint32",
    ]
    assert all(map(same, weights, again))


def test_a_loaded_ticket_is_put_on_a_network(path):
    model = small.network()
    sparse = tickets.load(path).sparsify(model)
    assert [k.name for k in sparse.kernels] == ["first", "second"]
    for kernel in sparse.kernels:
        mask = TICKET.masks[kernel.name]
        np.testing.assert_array_equal(kernel.mask, mask)
        assert np.array_equal(np.array(kernel.variable) != 0, mask)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([("first", 12), ("second", 9), ("last", 3)], r"second: \(12, 8\) and"),
        ([("first", 12), ("second", 8), ("last", 5)], "8, 3.* and .*8, 5"),
        ([("second", 8), ("last", 3)], r"first: \(4, 12\) and None"),
    ],
)
def test_a_network_of_other_kernels_is_refused_and_left_alone(
    path, layers, problem
):
    model = keras.Sequential([keras.Input((4,))])
    for name, units in layers:
        model.add(keras.layers.Dense(units, name=name))
        if name == "first":
            model.add(keras.layers.BatchNormalization())
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"same architecture.*{problem}"):
        tickets.load(path).sparsify(model)
    assert [type(each) for each in model.layers if each.name == "last"] == [
        keras.layers.Dense
    ]
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_damage_is_noticed_wherever_it_matters(path):
    whole = path.read_bytes()
    expected = [mask.tobytes() for mask in TICKET.masks.values()]
    noticed = 0
    places = range(0, len(whole), len(whole) // 150)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            again = tickets.load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path} cannot be read as a ticket")
            noticed += 1
        else:  # a date, an attribute
            assert [m.tobytes() for m in again.masks.values()] == expected
            assert all(map(same, TICKET.weights, again.weights))
    assert noticed > len(places) / 2
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="cannot be read as a ticket"):
            tickets.load(path)


def rewritten(path, change):
    """Changes the JSON of a ticket."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    facts = json.loads(parts["ticket.json"])
    change(facts)
    parts["ticket.json"] = json.dumps(facts).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: f.update(version=2), "expected version 1, received 2"),
        (lambda f: f.update(format="a cake"), "'a cake'"),
        (lambda f: f.pop("names"), "names"),
        (lambda f: f.update(names=None), "cannot be read"),
        (lambda f: f["names"]["masks"].append("more"), "masks/more"),
        (lambda f: f.update(dtypes=[]), "cannot be read"),
        (lambda f: f.update(history=3), "cannot be read"),
        (lambda f: f.update(history={"loss": [None]}), "cannot be read"),
        (lambda f: f["names"].update(masks=None), "has no masks"),
        (
            lambda f: f["dtypes"].update({"masks/first": "uint8"}),
            "has no masks",
        ),
        (lambda f: f.update(signed_constant=1), "no boolean"),
        (lambda f: f.update(exclude=[3]), "names of layers"),
    ],
)
def test_another_version_or_content_is_refused(path, change, problem):
    rewritten(path, change)
    with pytest.raises(ValueError, match=problem):
        tickets.load(path)


def test_what_is_not_a_ticket_is_refused(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        tickets.load(path)
    path.write_text("not a ticket")
    with pytest.raises(ValueError, match="cannot be read as a ticket: File is"):
        tickets.load(path)
    with path.open("wb") as file:
        np.savez(file, masks=np.ones(3))
    with pytest.raises(ValueError, match="has no ticket.json"):
        tickets.load(path)


def described(header):
    """A file of NumPy's that says of its array what it likes."""
    data = header.encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data


@pytest.mark.parametrize(
    "header",
    [
        described(
            f"{{'descr': '|b1', 'fortran_order': False, 'shape': ({2**39},)}}"
        ),
        described("'''"),  # NumPy's error is one of `tokenize`
        described("\n  x\n y"),
        described("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
        b"\x93NUMPY\x03\x00",
    ],
)
def test_an_array_is_not_what_it_says_of_itself(path, header):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["weights/0.npy"] = header
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=f"{path} cannot be read as a ticket"):
        tickets.load(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(ValueError, match="cannot be read as a ticket"):
        facts = {"names": {"masks": ["w"], "scores": None, "weights": None}}
        evil = np.array([{"a": 1}], dtype=object)
        with path.open("wb") as file:
            np.savez(file, **{"masks/w": evil})
        with zipfile.ZipFile(path, "a") as archive:
            facts |= {"format": "rigl_tf ticket", "dtypes": {"masks/w": "bool"}}
            facts |= {"version": ticket_file.VERSION}
            archive.writestr("ticket.json", json.dumps(facts))
        tickets.load(path)


def test_a_full_disk_leaves_the_ticket_before(path, monkeypatch):
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        TICKET.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["ticket.npz"]


def test_layers_that_have_no_names_cannot_be_saved(tmp_path):
    ticket = dataclasses.replace(TICKET, exclude=keras.layers.Conv2D)
    with pytest.raises(ValueError, match="`exclude` must be names.*Conv2D"):
        ticket.save(tmp_path / "ticket")
    one = dataclasses.replace(TICKET, exclude="last")
    one.save(tmp_path / "ticket")
    assert tickets.load(tmp_path / "ticket").exclude == ("last",)
