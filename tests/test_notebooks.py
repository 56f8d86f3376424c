"""Every notebook runs, twice in a row, and stores what it shows."""

import contextlib

import IPython.display
import pytest

import rigl_tf
from rigl_tf.datasets import prepared
from tests import notebooks

# What each must print or show; the quickest one is first. Accuracies are left
# out: they are not the same on every machine.
SAYS = {
    "count_flops": (
        "1,079,642 parameters",
        "315,460,096 FLOPs per example",
        "| 110,810    | 32,345,344       | 0.10253  |",
        "| 110,432    | 54,748,672       | 0.17355  |",
        "| rigl   | 0.1055  | 0.1763             |",
        "| snfs   | 0.4017  | 0.4490             |",
        "mean density of gradual pruning: 0.2741",
    ),
    "add_an_algorithm": (
        "SampledRigL grows only where there is a gradient",
        "SET does not, and the test says so",
        "expected 0.9",
        "dense: test accuracy 0.",
        "RigL(): test accuracy 0.",
    ),
    "compare_methods": (
        "| digits | dense  |              | 0        |",
        "| digits | static | ERK          | 0.98     |",
        "| 2     | 1,414             | 0.0200x         | 0.0200x        |",
        "| 2     | 1,414             | 0.0200x         | 0.0497x        |",
    ),
    "fashion_mnist": (
        "images of (28, 28, 1)",
        "| fashion | dense  |              | 0        |",
        "| fashion | rigl   | ERK          | 0.995    |",
    ),
    "find_a_ticket": (
        "dense: test accuracy",
        "| before training, % | after, % | shuffle | reinitialize | invert |",
        "| digits | gem_miner | 0.98     | 15             | 1     |",
        "density 0.0200",
    ),
    "quickstart": (
        "dense: test accuracy 0.",
        "sparse: test accuracy 0.",
        "0.100 of the dense FLOPs",
        "RigL() at step 470",
        "weights are zero",
        "| saved_model |",
        "| litert      |",
        "| multi_head_attention",
    ),
}
PICTURES = {
    "add_an_algorithm": 0,
    "compare_methods": 3,
    "count_flops": 1,
    "fashion_mnist": 1,
    "find_a_ticket": 2,
    "quickstart": 2,
}

every_notebook = pytest.mark.parametrize("name", SAYS)


def show(*objects):
    """Prints tables as their text, and checks pictures."""
    for shown in objects:
        if isinstance(shown, IPython.display.Image):
            assert shown.data.startswith(b"\x89PNG")
        else:
            print(shown.data)


def test_every_notebook_is_here():
    assert set(SAYS) == set(notebooks.names())


@every_notebook
def test_a_notebook_starts_with_its_link_and_installation(name):
    notebook = notebooks.read(name)
    first, *others = (cell.source for cell in notebooks.code(notebook))

    assert notebooks.head(name) in notebook.cells[0].source
    assert first == notebooks.INSTALL
    assert not any('"install"' in source for source in others)


@every_notebook
def test_links_lead_to_the_one_address(name):
    for cell in notebooks.read(name).cells:
        assert "](.." not in cell.source, "not there in Colab"
        for word in cell.source.split():
            if "github.com/" in word:
                assert notebooks.ADDRESS in word


@every_notebook
def test_stored_outputs_are_of_this_version_and_code(name):
    """`python -m tests.notebooks` stores them again."""
    notebook = notebooks.read(name)
    cells = notebooks.code(notebook)

    assert notebook.metadata["rigl_tf"]["code"] == notebooks.digest(notebook)
    text = notebooks.stored(notebook)
    assert f"rigl_tf {rigl_tf.__version__}\n" in text
    assert [words for words in SAYS[name] if words not in text] == []
    assert [cell.execution_count for cell in cells] == [
        *range(1, len(cells) + 1)
    ]
    types = [
        type_
        for cell in cells
        for output in cell.outputs
        for type_ in output.get("data", {})
    ]
    assert types.count("image/png") == PICTURES[name]


@pytest.mark.few(1)
@every_notebook
def test_the_notebook_runs_twice_in_a_row(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IPython.display, "display", show)
    # Fashion-MNIST may not be prepared here. Fewer steps would move no masks.
    data = prepared.mock_data(12_000)
    with data if name == "fashion_mnist" else contextlib.nullcontext():
        for _ in range(2):
            run(name)

            output = capsys.readouterr().out
            assert [words for words in SAYS[name] if words not in output] == []


def run(name):
    names = {"__name__": "__main__"}
    for cell in notebooks.code(notebooks.read(name)):
        exec(cell.source, names)
