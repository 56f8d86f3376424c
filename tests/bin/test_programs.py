"""What holds for all programs."""

import importlib
import pkgutil

from rigl_tf import bin as programs
from rigl_tf.bin import configs


def test_programs_share_no_flag_and_are_installed():
    """A flag that is defined twice cannot be imported."""
    modules = {
        found.name: importlib.import_module(f"{programs.__name__}.{found.name}")
        for found in pkgutil.iter_modules(programs.__path__)
    }
    runnable = {
        name
        for name, module in modules.items()
        if hasattr(module, "main") and hasattr(module, "run")
    }
    setup = (configs.folder().parent / "setup.py").read_text()
    assert len(runnable) >= 5
    for name in runnable:
        assert f'"rigl-{name} = rigl_tf.bin.{name}:run"' in setup
