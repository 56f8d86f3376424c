"""The house: short files, imports one way, no gin in the library."""

import ast
import pathlib

import pytest

import rigl_tf

PACKAGE = pathlib.Path(rigl_tf.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# A module may import those before it, never after.
FLOOR_PLAN = """
    _keras_compat checks patterns config tables learning_rates losses locks
    durable files checkpoints strategies tensors selection masks distributions
    schedules algorithms layout granularity refusals storage stores grow_init
    slots views update replicas plan multi_worker modeling exporting flops
    shrinking condensing xnnpack estimates summary monitor snapshot datasets
    callbacks fitting extension tickets models schema results kinds reports
    comparisons plots board methods costs papers recording smoke training bin
    __init__
""".split()


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: room(p))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=lambda p: room(p))
def test_imports_flow_one_way(path):
    for name in imported(path):
        package, *inside = name.split(".")
        if package == "rigl_tf" and inside and inside[0] in FLOOR_PLAN:
            other = inside[0]
            assert FLOOR_PLAN.index(other) <= FLOOR_PLAN.index(room(path)), (
                f"{room(path)} must not import {other}: it comes later."
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: room(p))
def test_only_the_programs_know_gin_and_flags(path):
    roots = {name.split(".")[0] for name in imported(path)}

    assert room(path) == "bin" or not roots & {"gin", "absl"}


def test_every_module_stands_in_the_floor_plan():
    assert {room(path) for path in MODULES} == set(FLOOR_PLAN)
