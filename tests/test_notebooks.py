"""Every notebook runs from its first cell to its last."""

import pathlib

import nbformat
import pytest

NOTEBOOKS = sorted(
    (pathlib.Path(__file__).parent.parent / "colab").glob("*.ipynb")
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_runs_as_a_plain_script(
    path, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = {}

    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)

    assert "test accuracy" in capsys.readouterr().out
