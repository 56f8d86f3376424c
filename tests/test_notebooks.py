"""Every notebook runs from its first cell to its last, and says something."""

import pathlib

import IPython.display
import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "colab"
INSTALL = """\
# In Colab, install the library first:
# %pip install git+<where you have the repository>"""

# What each must print or show. Accuracies are left out: they are not the same
# on every machine.
SAYS = {
    "add_an_algorithm": (
        "SampledRigL grows only where there is a gradient",
        "SET does not, and the test says so",
        "expected 0.9",
        "RigL(): test accuracy 0.",
    ),
    "compare_methods": (
        "| digits | dense  |              | 0        |",
        "| digits | static | ERK          | 0.98     |",
        "| 2     | 1,414             | 0.0200x         | 0.0200x        |",
        "| 2     | 1,414             | 0.0200x         | 0.0497x        |",
        "figures/accuracy.png",
        "figures/flops.png",
        "figures/masks.png",
    ),
    "count_flops": (
        "1,079,642 parameters",
        "315,460,096 FLOPs per example",
        "| 110,810    | 32,345,344       | 0.10253  |",
        "| 110,432    | 54,748,672       | 0.17355  |",
        "| rigl   | 0.1055  | 0.1763             |",
        "| snfs   | 0.4017  | 0.4490             |",
        "mean density of gradual pruning: 0.2741",
    ),
    "find_a_ticket": (
        "| before training, % | after, % | shuffle | reinitialize | invert |",
        "| digits | gem_miner | 0.98     | 15             | 1     |",
        "figures/search.png",
        "masks.png",
        "density 0.0200",
    ),
    "quickstart": (
        "masks.png",
        "0.100 of the dense FLOPs",
        "RigL() at step 470",
        "weights are zero",
        "| saved_model |",
        "| litert      |",
        "| multi_head_attention/query ",
    ),
}

every_notebook = pytest.mark.parametrize("name", sorted(SAYS))


def cells(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells


def code(name):
    return [cell for cell in cells(name) if cell.cell_type == "code"]


def show(*objects):
    """Prints tables as their text, and pictures as the file they are of."""
    for shown in objects:
        if isinstance(shown, IPython.display.Image):
            assert shown.data.startswith(b"\x89PNG")
            print(shown.filename)
        else:
            print(shown.data)


def test_every_notebook_is_here():
    assert set(SAYS) == {path.stem for path in FOLDER.glob("*.ipynb")}


@every_notebook
def test_the_first_cell_of_code_installs_and_no_other(name):
    first, *others = (cell.source for cell in code(name))

    assert first == INSTALL
    assert not any("pip install" in source for source in others)


@every_notebook
def test_no_outputs_are_stored(name):
    for cell in code(name):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.few(1)
@every_notebook
def test_the_notebook_runs_as_a_plain_script(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IPython.display, "display", show)
    names = {"__name__": "__main__"}

    for cell in code(name):
        exec(cell.source, names)

    output = capsys.readouterr().out
    assert [words for words in SAYS[name] if words not in output] == []
