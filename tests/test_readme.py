"""What the README says is true."""

import pathlib
import re

import numpy as np

import rigl_tf
from rigl_tf import storage

README = pathlib.Path(__file__).parent.parent / "README.md"


def block(number):
    """The names that a block of Python makes."""
    found = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(found[number], names)
    return names


def test_the_five_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(0)

    assert (tmp_path / "sparse.keras").exists()
    assert names["plain"].count_params() == names["keras_model"].count_params()


def test_kernels_are_stored_without_their_zeros():
    model = block(1)["model"]

    first, last = model.kernels
    assert first.variable.shape == (int(first.count()),)
    assert int(first.count()) + int(last.count()) == 40_653
    assert isinstance(first, storage.ActiveKernel)


def test_a_ticket_is_found():
    names = block(2)

    assert names["ticket"].density == 0.05
    masks = [kernel.mask for kernel in names["model"].kernels]
    for mask, expected in zip(
        masks, names["ticket"].masks.values(), strict=True
    ):
        np.testing.assert_array_equal(mask, expected)


def test_the_table_of_names_lists_every_public_name():
    listed = set(re.findall(r"^\| `rigl_tf\.(\w+)`", README.read_text(), re.M))
    text = pathlib.Path(rigl_tf.__file__).read_text()

    assert listed == set(re.findall(r" as (\w+)$", text, re.M))
