"""Names, paths, and patterns with `*` that select layers."""

import difflib
import fnmatch
from collections.abc import Iterable
from collections.abc import Sequence

from rigl_tf.typing import Names

OTHERS = "*"


def match(
    patterns: Names, names: Sequence[str], argument: str
) -> dict[str, list[str]]:
    """Finds the names that each pattern selects.

    A pattern that is a whole path, such as `block/conv`, selects this path.
    Any other pattern is compared with every part of a path: `conv*` selects
    `conv_1` and also `block/conv_1`. A pattern also selects everything below:
    `block` selects `block/conv`.

    Args:
        patterns: String or iterable of strings: names, paths, or patterns
            with `*`.
        names: List of strings, paths with `/` between their parts.
        argument: String, the argument that the error names.

    Returns:
        Dictionary from pattern to list of names, in the order of `names`.

    Raises:
        TypeError: If a pattern is not a string.
        ValueError: If a pattern selects nothing.

    Example:

    >>> match(["fc", "conv*"], ["conv", "block/conv", "fc"], "dense")
    {'fc': ['fc'], 'conv*': ['conv', 'block/conv']}
    """
    if isinstance(patterns, str):
        patterns = (patterns,)
    patterns = list(patterns)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(
            f"`{argument}` takes names of layers, or patterns with `*`. "
            f"Received: {argument}={patterns!r}."
        )
    selected = {}
    for pattern in patterns:
        below = f"{pattern}/"
        selected[pattern] = [
            name for name in names if name == pattern or name.startswith(below)
        ] or [name for name in names if _is_match(name, pattern)]
        if not selected[pattern]:
            raise ValueError(
                f"`{argument}` matches no layer. Received: "
                f"{argument}={pattern!r}. "
                f"Layers: {', '.join(close_names(pattern, names) or names)}."
            )
    return selected


def first_match(
    patterns: Iterable[str], names: Sequence[str], argument: str
) -> dict[str, str]:
    """Finds the pattern that counts for each name: the first that matches.

    The pattern `"*"` comes last, wherever it stands.

    Args:
        patterns: Names, paths or patterns, as for `match`.
        names: List of strings, paths with `/` between their parts.
        argument: String, the argument that the error names.

    Returns:
        Dictionary from name to pattern, without the names that none matches.

    Raises:
        ValueError: If a pattern matches no name, or only names that others
            before it match.

    Example:

    >>> first_match(["*", "fc"], ["conv", "fc"], "sparsity")
    {'fc': 'fc', 'conv': '*'}
    """
    patterns = list(patterns)
    found = {}
    for pattern, matched in match(
        [each for each in patterns if each != OTHERS], names, argument
    ).items():
        new = [name for name in matched if name not in found]
        if not new:
            raise ValueError(
                f"`{argument}` never uses the key {pattern!r}: the first match "
                "counts, and earlier keys match the same layers. Put this key "
                f"before them. Received: {argument} with the keys {patterns!r}."
            )
        found.update(dict.fromkeys(new, pattern))
    if OTHERS in patterns:
        others = [name for name in names if name not in found]
        found.update(dict.fromkeys(others, OTHERS))
    return found


def block_of(names: Sequence[str], blocks: Names = ()) -> dict[str, str]:
    """Returns the block of each layer: a pattern, or the start of its path.

    Args:
        names: List of strings, paths with `/` between their parts.
        blocks: Names, paths or patterns that match one block each.

    Returns:
        Dictionary from name to the pattern that matches it or, if none does,
        to the first part of its path.

    Raises:
        ValueError: If a pattern matches no name.

    Example:

    >>> block_of(["a/0/key", "a/1/key", "a/1/value", "logits"], ["a/1"])
    {'a/0/key': 'a', 'a/1/key': 'a/1', 'a/1/value': 'a/1', 'logits': 'logits'}
    """
    block = {name: name.split("/")[0] for name in names}
    for pattern, matched in match(blocks, names, "blocks").items():
        block |= dict.fromkeys(matched, pattern)
    return block


def close_names(name: str, names: Iterable[str]) -> list[str]:
    """Returns the names that resemble a misspelt one, the closest first.

    Args:
        name: String.
        names: List of strings. The last part of a path counts, too.

    Returns:
        List of at most three strings.
    """
    by_part = {}
    for each in names:
        for part in (each, each.rpartition("/")[2]):
            by_part.setdefault(part, each)
    close = difflib.get_close_matches(name, by_part, cutoff=0.5)
    return list(dict.fromkeys(by_part[part] for part in close))


def _is_match(name: str, pattern: str) -> bool:
    """Returns whether a pattern matches a path from one of its parts on."""
    parts = name.split("/")
    rests = ["/".join(parts[i:]) for i in range(len(parts))]
    return any(
        fnmatch.fnmatchcase(rest, pattern)
        or fnmatch.fnmatchcase(rest, f"{pattern}/*")
        for rest in rests
    )
