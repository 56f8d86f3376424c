"""The public names and their signatures, a line each.

python -m tests.public_api > tests/public_api.txt
"""

import inspect
import re
import types

import rigl_tf


def lines():
    """Yields each public name with its signature, packages first."""
    for name in sorted(rigl_tf.__all__):
        value = getattr(rigl_tf, name)
        if isinstance(value, types.ModuleType):
            for inside in sorted(names(value)):
                yield _line(f"{name}.{inside}", getattr(value, inside))
        else:
            yield _line(name, value)


def names(module):
    """The names that a module offers: of `__all__`, or its own definitions."""
    return getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", module.__name__).startswith(
            module.__name__
        )
    ]


def _line(name, value):
    if isinstance(value, types.ModuleType) or not callable(value):
        return f"{name}: {type(value).__name__}"
    try:
        # Functions that are defaults have an address.
        return re.sub(
            " at 0x[0-9a-f]+", "", f"{name}{inspect.signature(value)}"
        )
    except ValueError:  # a builtin
        return name


if __name__ == "__main__":
    print(*lines(), sep="\n")
