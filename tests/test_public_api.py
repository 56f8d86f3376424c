"""What `import rigl_tf` offers: names, signatures, and nothing else."""

import ast
import importlib
import pathlib
import pkgutil
import re
import types

import rigl_tf
from tests import public_api

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted((ROOT / "rigl_tf").rglob("*.py"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "colab").glob("*.ipynb")),
]
DOTTED = re.compile(r"(?<![\w./-])(?<!-m )rigl_tf(?:\.[A-Za-z_]\w*)+")


def test_names_and_signatures_are_those_that_users_know():
    """`python -m tests.public_api > tests/public_api.txt` after a change."""
    expected = (ROOT / "tests" / "public_api.txt").read_text().splitlines()

    assert list(public_api.lines()) == expected


def test_nothing_but_public_names_is_shown():
    assert dir(rigl_tf) == sorted([*rigl_tf.__all__, "__version__"])
    for name in rigl_tf.__all__:
        assert re.search(rf"\b{name}\b", rigl_tf.__doc__), name


def documented():
    """Every dotted name in pages, notebooks and docstrings, by where it is."""
    for path in PAGES:
        for name in DOTTED.findall(path.read_text()):
            yield path.name, name
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for name in DOTTED.findall(ast.get_docstring(node) or ""):
                    yield f"{path.name}, {getattr(node, 'name', '')}", name


def test_no_function_has_the_name_of_its_module():
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name != path.stem, path
    for found in pkgutil.walk_packages(rigl_tf.__path__, "rigl_tf."):
        parent, _, name = found.name.rpartition(".")
        module = importlib.import_module(found.name)
        value = getattr(importlib.import_module(parent), name)
        assert isinstance(value, types.ModuleType), (found.name, module)
