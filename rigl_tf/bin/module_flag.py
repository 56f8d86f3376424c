"""Imports modules of the user, which register classes with Keras."""

import importlib


def import_all(flags):
    """Imports the modules of `--module`."""
    for module in flags.module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"There is no module {error.name}. Received: "
                f"--module={module}. Set PYTHONPATH to its folder."
            ) from error
