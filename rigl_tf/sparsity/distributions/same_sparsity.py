"""Distributions with the same sparsity in all layers."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from rigl_tf.sparsity.distributions.layer_arguments import first_layer
from rigl_tf.sparsity.distributions.layer_arguments import fixed_sparsities
from rigl_tf.typing import Names
from rigl_tf.typing import Shape
from rigl_tf.utils.patterns import match


def uniform(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: Names | Callable[[Sequence[str]], Names] | None = first_layer,
) -> list[float]:
    """Gives every layer but the first the same sparsity.

    The first layer stays dense, as in the RigL papers. If it is large, the
    network has far fewer zeros than `sparsity` suggests: see `uniform_all`.

    Args:
        shapes: List of tuples, the kernel shapes in the order of the model.
        sparsity: Float in [0, 1), the fraction of zeros in each layer that is
            neither dense nor custom.
        names: List of strings, the layers' names. Defaults to `layer_0`,
            `layer_1` and so on.
        dense: Names, or patterns with `*`, of layers to keep dense.
        custom: Dictionary from name, or pattern, to sparsity in [0, 1). It
            applies to the first layer, too.
        first: Name or names of the network's first layer, which stays dense:
            several names if it has several kernels, or if the network has
            several inputs. `None` if the first layer has no kernel among
            `names`, so that every layer gets the same sparsity. Or a function
            from `names` to such names: by default, `first_layer`.

    Returns:
        List of floats, a sparsity per layer.

    Raises:
        ValueError: If an argument is out of range or a name matches no layer.

    Example:

    >>> shapes, names = [(8, 4), (4, 4), (4, 2)], ["a", "b", "c"]
    >>> uniform(shapes, 0.5, names=names)
    [0.0, 0.5, 0.5]
    >>> uniform(shapes, 0.5, names=names, first=["a", "b"])
    [0.0, 0.0, 0.5]
    >>> uniform(shapes, 0.5, names=names, first=None)
    [0.5, 0.5, 0.5]

    Reference:
        [Evci et al., 2020](https://arxiv.org/abs/1911.11134), section 3 (1).
    """
    fixed, names = fixed_sparsities(shapes, sparsity, names, dense, custom)
    if callable(first):
        first = first(names)
    for matched in match(first or (), names, "first").values():
        for name in matched:
            fixed.setdefault(name, 0.0)
    return [fixed.get(name, float(sparsity)) for name in names]


def uniform_all(
    shapes: Sequence[Shape],
    sparsity: float,
    *,
    names: Sequence[str] | None = None,
    dense: Names = (),
    custom: Mapping[str, float] | None = None,
    first: Names | Callable[[Sequence[str]], Names] | None = None,
) -> list[float]:
    """Gives every layer the same sparsity, the first one too.

    See `uniform` for the arguments. `first` has no effect: use `dense` to keep
    a layer dense.

    Example:

    >>> uniform_all([(8, 4), (4, 2)], 0.5)
    [0.5, 0.5]

    Reference:
        [Parger et al., 2022](https://arxiv.org/abs/2210.14012), section 5.
    """
    del first
    fixed, names = fixed_sparsities(shapes, sparsity, names, dense, custom)
    return [fixed.get(name, float(sparsity)) for name in names]
