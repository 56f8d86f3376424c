"""What holds for all programs."""

import importlib
import pkgutil

from rigl_tf import bin as programs


def test_programs_can_be_imported_together():
    """No flag is defined twice."""
    for module in pkgutil.iter_modules(programs.__path__):
        importlib.import_module(f"{programs.__name__}.{module.name}")
