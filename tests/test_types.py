"""The public API has types, and users' type checkers find them."""

import inspect
import pathlib
import subprocess
import sys
import types
import zipfile

import rigl_tf
from tests import public_api

ROOT = pathlib.Path(__file__).parent.parent


def _public(package=rigl_tf):
    """Yields each public function, class and method with its name."""
    for name in public_api.names(package):
        value = getattr(package, name)
        path = f"{package.__name__}.{name}"
        if isinstance(value, types.ModuleType):
            yield from _public(value)
        elif isinstance(value, type):
            yield path, value
            yield from _methods(path, value)
        elif inspect.isfunction(value):
            yield path, value


def _methods(path, kind):
    """Yields the methods of a class that do not override Keras's."""
    ours = [c for c in kind.__mro__ if c.__module__.startswith("rigl_tf.")]
    others = [c for c in kind.__mro__ if c not in ours]
    for name in {name for each in ours for name in vars(each)}:
        value = inspect.getattr_static(kind, name)
        if isinstance(value, property):
            value = value.fget
        value = getattr(value, "__func__", value)
        is_ours = not any(name in vars(each) for each in others)
        # A lambda cannot have types.
        is_named = getattr(value, "__name__", "") != "<lambda>"
        if inspect.isfunction(value) and is_ours and is_named:
            if not name.startswith("_"):
                yield f"{path}.{name}", value


def _untyped(function):
    """The parameters of a function that have no type, and its return."""
    signature = inspect.signature(function)
    untyped = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty
        and name not in ("self", "cls")
    ]
    returns = signature.return_annotation is not signature.empty
    return untyped + ["return"] * (
        not returns and not isinstance(function, type)
    )


def test_public_functions_and_classes_say_what_they_take_and_return():
    public = dict(_public())
    untyped = {name: _untyped(function) for name, function in public.items()}

    assert len(public) > 300
    assert {name: names for name, names in untyped.items() if names} == {}


def test_a_wheel_tells_type_checkers_that_there_are_types(tmp_path):
    read = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    for name in (*read, "rigl_tf", "gin_configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True)

    (wheel,) = tmp_path.glob("*.whl")
    assert "rigl_tf/py.typed" in zipfile.ZipFile(wheel).namelist()
