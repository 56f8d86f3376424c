"""Packages that only some functions need, in extras of the distribution."""

import contextlib
from collections.abc import Iterator


class MissingExtra(ImportError):
    """A function needs a package that is not installed."""


@contextlib.contextmanager
def needed(extra: str) -> Iterator[None]:
    """Explains which extra has the package that an import does not find.

    Args:
        extra: String, the name of an extra in `pyproject.toml`.

    Raises:
        MissingExtra: If an import inside finds no package.

    Example:

    >>> with needed("runs"):
    ...     import matplotlib
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{error.name} is not installed. Install the extra {extra!r}: "
            f"pip install 'rigl-tf[{extra}]'."
        ) from error
