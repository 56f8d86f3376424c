"""Selection of layers by name, pattern, class, object or function."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras

from rigl_tf._keras_compat import all_layers
from rigl_tf.utils.patterns import close_names
from rigl_tf.utils.patterns import match

Pattern = str | type | keras.Layer | Callable[[keras.Layer], bool]


def match_layers(
    patterns: Pattern | Iterable[Pattern] | None,
    layers: Sequence[tuple[str, keras.Layer]],
    argument: str,
) -> set[str]:
    """Returns the paths of all layers that at least one pattern selects.

    A layer inside a selected layer is selected, too.

    Args:
        patterns: One of the following, or a list of them; `None` for none.
            - String, a layer's name or path, or a pattern with `*`. A whole
              path selects this layer only; any other string is compared with
              every part of a path: `conv*` also selects `block/conv_1`.
            - Class of layers, such as `keras.layers.Conv2D`. It also selects
              its subclasses.
            - A layer of the model.
            - Function from a layer to whether it is selected. It may select
              none.
        layers: List of pairs: path, with `/` between the names of layers, and
            layer. A class, a layer or a function can only select a container,
            such as a nested model, if the list has a pair for it.
        argument: String, the argument that errors name.

    Returns:
        Set of strings.

    Raises:
        ValueError: If a string, a class or a layer selects nothing.
        TypeError: If a pattern is of another kind.

    Example:

    >>> layers = [
    ...     ("stem", keras.layers.Conv2D(8, 3)),
    ...     ("block/conv_1", keras.layers.Conv2D(8, 3)),
    ...     ("logits", keras.layers.Dense(10)),
    ... ]
    >>> sorted(match_layers(["stem", keras.layers.Dense], layers, "exclude"))
    ['logits', 'stem']
    >>> match_layers("conv*", layers, "exclude")
    {'block/conv_1'}
    """
    selected = set()
    for pattern in _as_list(patterns, argument):
        selected.update(_selected(pattern, layers, argument))
    return {
        path
        for path, _ in layers
        if any(path == s or path.startswith(f"{s}/") for s in selected)
    }


def _as_list(patterns: Any, argument: str) -> list:
    if patterns is None:
        return []
    if isinstance(patterns, dict):
        raise TypeError(_wrong_kind(patterns, argument))
    is_one = isinstance(patterns, str | type) or callable(patterns)
    if is_one or not isinstance(patterns, Iterable):
        return [patterns]
    return list(patterns)


def _selected(
    pattern: Pattern, layers: Sequence[tuple[str, keras.Layer]], argument: str
) -> list[str]:
    """Returns the paths that one pattern selects."""
    if isinstance(pattern, str):
        return match([pattern], [path for path, _ in layers], argument)[pattern]
    if isinstance(pattern, keras.Layer):
        return _of_object(pattern, layers, argument)
    if isinstance(pattern, type) and issubclass(pattern, keras.Layer):
        return _of_class(pattern, layers, argument)
    if isinstance(pattern, type) or not callable(pattern):
        raise TypeError(_wrong_kind(pattern, argument))
    return [path for path, layer in layers if pattern(layer)]


def _of_object(
    wanted: keras.Layer,
    layers: Sequence[tuple[str, keras.Layer]],
    argument: str,
) -> list[str]:
    """Returns the paths of a layer and of the layers inside it."""
    inside = {id(layer) for layer in all_layers(wanted)}
    selected = [path for path, layer in layers if id(layer) in inside]
    if selected:
        return selected
    paths = [path for path, _ in layers]
    namesakes = [p for p in paths if p.rpartition("/")[2] == wanted.name]
    hint = f"Layers: {', '.join(close_names(wanted.name, paths) or paths)}."
    if namesakes:
        hint = (
            f"{namesakes[0]!r} has the same name and is another object: pass "
            "this name, or a layer of the model itself."
        )
    raise ValueError(
        f"`{argument}` contains a layer that is not in the model. Received: "
        f"{argument}={wanted!r}. {hint}"
    )


def _of_class(
    wanted: type[keras.Layer],
    layers: Sequence[tuple[str, keras.Layer]],
    argument: str,
) -> list[str]:
    """Returns the paths of a class's instances."""
    selected = [path for path, layer in layers if isinstance(layer, wanted)]
    if selected:
        return selected
    classes = sorted({type(layer).__name__ for _, layer in layers})
    close = close_names(wanted.__name__, classes)
    raise ValueError(
        f"`{argument}` contains a class that no layer of the model has. "
        f"Received: {argument}={wanted.__name__}. "
        f"Classes: {', '.join(close or classes)}."
    )


def _wrong_kind(pattern: Any, argument: str) -> str:
    return (
        f"`{argument}` takes names of layers, patterns with `*`, classes of "
        "layers, layers, and functions from a layer to a boolean, or a list "
        f"of these. Received: {argument}={pattern!r}."
    )
