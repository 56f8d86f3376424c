"""What the README and the page on deployment say is true."""

import pathlib
import re

import numpy as np
import pytest

import rigl_tf
from rigl_tf import storage
from rigl_tf.exporting import litert

README = pathlib.Path(__file__).parent.parent / "README.md"
DEPLOY = README.parent / "docs" / "deploy.md"


def block(number, page=README):
    """The names that a block of Python makes."""
    found = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
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


def test_blocks_are_exported_to_be_multiplied_as_they_are(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = block(0, DEPLOY)

    assert litert.stored(names["exported"].path) == (2, 2)
    assert names["ratio"] > 1.5


def test_our_mobilenet_is_friendly_and_that_of_keras_is_told_why_not(capsys):
    block(1, DEPLOY)

    yes, no, *reasons = capsys.readouterr().out.splitlines()
    assert yes.startswith("On ARM, XNNPACK skips the zeros of 'mobilenet_v1'")
    assert no.startswith("On ARM, as on x86, XNNPACK computes")
    assert [line.split(":")[0] for line in reasons] == [
        "- Conv1",
        "- block_1_depthwise, block_3_depthwise, block_6_depthwise and 1 more",
    ]


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantized_kernels_have_their_zeros(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = block(2, DEPLOY)

    layers = [each for each in names["plain"].layers if each.weights]
    for layer, kernel in zip(layers, names["model"].kernels, strict=True):
        stored = np.array(layer.kernel)
        assert stored.dtype == "int8"
        assert not stored[~np.array(kernel.mask)].any()


def test_the_table_of_names_lists_every_public_name():
    listed = set(re.findall(r"^\| `rigl_tf\.(\w+)`", README.read_text(), re.M))
    text = pathlib.Path(rigl_tf.__file__).read_text()

    assert listed == set(re.findall(r" as (\w+)$", text, re.M))
