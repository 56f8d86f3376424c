"""What holds for all programs."""

import importlib
import pkgutil
import re
import sys

import pytest
from absl import flags

from rigl_tf import bin as programs
from rigl_tf.gin_tools import config_files

# A flag that is defined twice cannot be imported.
MODULES = {
    found.name: importlib.import_module(f"{programs.__name__}.{found.name}")
    for found in pkgutil.iter_modules(programs.__path__)
}
PROGRAMS = sorted(
    name
    for name, module in MODULES.items()
    if hasattr(module, "main") and hasattr(module, "run")
)


def test_programs_are_installed():
    setup = (config_files.folder().parent / "setup.py").read_text()
    assert len(PROGRAMS) >= 6
    for name in PROGRAMS:
        assert f'"rigl-{name} = rigl_tf.bin.{name}:run"' in setup


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_has_an_example_and_every_flag(name, monkeypatch, capsys):
    module = MODULES[name]
    monkeypatch.setattr(sys, "argv", [f"rigl-{name}", "--help"])

    module.run()

    out = capsys.readouterr().out
    assert f"\nrigl-{name}" in out or f"\n  rigl-{name}" in out
    for flag in flags.FLAGS.get_flags_for_module(module):
        assert f"\n  --{flag.name}\n" in out
    for given in re.findall(r"--(\w+)", module.__doc__):
        assert f"\n  --{given}\n" in out, "An example must be possible."
