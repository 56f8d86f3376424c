"""Private names of Keras and TensorFlow are in `_keras_compat` only.

A test of this package that fails after an upgrade says what no longer works.
"""

import ast
import pathlib

import keras
from keras import layers as kl

from rigl_tf import _keras_compat

PACKAGE = pathlib.Path(_keras_compat.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE.parent).as_posix(): ast.parse(path.read_text())
    for path in sorted(PACKAGE.parent.rglob("*.py"))
    if PACKAGE not in path.parents
}
MODULES = (
    "keras.src",
    "numba.core",
    "tensorflow.python",
    "tensorflow_datasets.core",
)
# What is private and is used elsewhere.
ELSEWHERE = {
    # TFDS hides its progress bars, but does not tell whether they are hidden.
    ("datasets/_digits.py", "tensorflow_datasets.core.utils"),
    # TFDS has no other way to subclass a builder under its own name.
    ("datasets/idx_builder.py", "tensorflow_datasets.core"),
    ("datasets/_digits.py", "_active"),
    # numba's documentation of intrinsics refers to these.
    ("kernels/ops/simd_rows.py", "numba.core"),
    ("kernels/ops/simd_rows.py", "numba.core.datamodel"),
    ("kernels/ops/simd_planes.py", "numba.core"),
    ("kernels/ops/simd_tiles.py", "numba.core"),
}
# The library's own, on objects of several classes; and that of named tuples.
OWN = {"_holds", "_replace"}


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name != "_"


def of_keras():
    """The private methods and properties of classes of Keras."""
    kinds = keras.Model, kl.Dense, keras.optimizers.Adam, keras.Variable
    names = {name for kind in kinds for name in dir(kind)}
    return set(filter(is_private, names))


def own_names():
    """The names that the library defines or assigns itself."""
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Name | ast.Attribute):
                if isinstance(node.ctx, ast.Store):
                    yield getattr(node, "id", None) or node.attr


def is_own(node, names):
    """Whether an attribute is one that the object's own class defines."""
    owner = node.value
    if isinstance(owner, ast.Call):
        owner = owner.func
    name = owner.id if isinstance(owner, ast.Name) else None
    return node.attr in OWN or (
        name in ("self", "cls", "super") and node.attr in names
    )


def private_uses(tree, methods, names):
    """Yields the private names of others that a module uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            yield from (one for one in modules if one.startswith(MODULES))
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            if not is_own(node, names):
                yield node.attr
        elif isinstance(node, ast.ClassDef):
            yield from (
                each.name
                for each in node.body
                if isinstance(each, ast.FunctionDef) and each.name in methods
            )
        elif isinstance(node, ast.Call):
            if getattr(node.func, "id", "") in ("getattr", "hasattr"):
                name = getattr(node.args[1], "value", None)
                if isinstance(name, str) and is_private(name):
                    if name not in OWN:
                        yield name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.startswith(MODULES):
                yield node.value


def test_no_other_module_uses_a_private_name():
    names, methods = set(own_names()), of_keras()
    assert "_make_function" in methods

    found = {
        (path, use)
        for path, tree in SOURCES.items()
        for use in private_uses(tree, methods, names)
    }

    assert found == ELSEWHERE


def test_every_name_is_tried_here():
    tests = pathlib.Path(__file__).parent.glob("test_*.py")
    text = "".join(path.read_text() for path in tests)
    # In two processes: tests/distribute/test_multi_worker_fit.py.
    elsewhere = {"MultiWorkerFit", "patch_fit"}
    offered = {
        alias.name
        for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    tried = {one for one in offered if f"_keras_compat.{one}" in text}
    assert offered - tried == elsewhere
