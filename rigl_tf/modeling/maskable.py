"""Finds the kernels of a layer that can have masks."""

import dataclasses
from collections.abc import Iterator

import keras
from keras import layers as kl

from rigl_tf._keras_compat import children
from rigl_tf._keras_compat import own_trainable_variables
from rigl_tf.kernels import Active

# The kernels of Keras's layers, by attribute.
_KERNELS = {
    kl.Dense: ("kernel",),
    kl.EinsumDense: ("kernel",),
    kl.Conv1D: ("kernel",),
    kl.Conv2D: ("kernel",),
    kl.Conv3D: ("kernel",),
    kl.Conv1DTranspose: ("kernel",),
    kl.Conv2DTranspose: ("kernel",),
    kl.Conv3DTranspose: ("kernel",),
    kl.DepthwiseConv1D: ("kernel",),
    kl.DepthwiseConv2D: ("kernel",),
    kl.SeparableConv1D: ("pointwise_kernel",),
    kl.SeparableConv2D: ("pointwise_kernel",),
    kl.Embedding: ("embeddings",),
    kl.SimpleRNNCell: ("kernel", "recurrent_kernel"),
    kl.LSTMCell: ("kernel", "recurrent_kernel"),
    kl.GRUCell: ("kernel", "recurrent_kernel"),
}
_CELL = ("kernel", "recurrent_kernel")
# Few weights that matter much, or a table of rows: dense unless asked.
_ON_REQUEST = (kl.DepthwiseConv1D, kl.DepthwiseConv2D, kl.Embedding)
# The methods of Keras's layers that use the kernels.
_USES = ("call", "convolution_op")


@dataclasses.dataclass(frozen=True)
class MaskableKernel:
    """A kernel that can have a mask.

    Attributes:
        name: String, the path of its layer inside the layer that was searched,
            followed by the attribute if the layer has several kernels. Empty
            for the only kernel of the searched layer itself.
        path: String, the path of its layer.
        position: String, the same kernel by the numbers of layers among those
            inside another, as `#0/2/kernel`. Names that Keras gives may differ
            in a layer that is made again; positions do not.
        layer: The `keras.Layer` that computes with the kernel.
        variable: `keras.Variable`, the weights; the stored ones if only active
            connections are stored.
    """

    name: str
    path: str
    position: str
    layer: keras.Layer
    variable: keras.Variable

    @property
    def is_on_request(self) -> bool:
        """Returns whether only a request by name gives it a mask."""
        return isinstance(self.layer, _ON_REQUEST)

    @property
    def may_be_transformed(self) -> bool:
        """Returns whether the layer may change the kernel before using it."""
        kind = type(self.layer)
        base = next((b for b in kind.__mro__ if b in _KERNELS), None)
        if base is None or hasattr(self.layer, "sparse_kernels"):
            return False
        return not isinstance(self.layer, Active) and any(
            getattr(kind, use, None) is not getattr(base, use, None)
            for use in _USES
        )


def maskable_kernels(layer: keras.Layer) -> list[MaskableKernel]:
    """Returns the kernels inside a built layer or model, each once.

    Of equal names, all but the first end with `_1`, `_2` and so on.

    These are the kernels of Keras's layers and of recurrent cells, and the
    weights that a layer names in its attribute `sparse_kernels`.
    """
    found, seen, names = [], set(), set()
    for kernel in _search(layer, "", "", None):
        if id(kernel.variable) not in seen:
            seen.add(id(kernel.variable))
            name = unique(kernel.name, names)
            found.append(dataclasses.replace(kernel, name=name))
    return found


def default_kernels(layer: keras.Layer) -> list[MaskableKernel]:
    """Returns the kernels of a built layer that get masks without a request.

    All of them, if only a request could give any of them a mask.
    """
    found = maskable_kernels(layer)
    return [kernel for kernel in found if not kernel.is_on_request] or found


def has_kernels(layer: keras.Layer) -> bool:
    """Returns whether a layer has kernels, or will have them when built."""
    if isinstance(layer, kl.MultiHeadAttention | kl.GroupQueryAttention):
        return True
    return bool(_attributes(layer, None)) or any(
        has_kernels(child) or _attributes(child, layer)
        for child in _children(layer)
    )


def named_kernels(
    layer: keras.Layer, names: tuple[str, ...]
) -> list[MaskableKernel]:
    """Returns kernels of a built layer by name.

    Args:
        layer: `keras.Layer`.
        names: Names as in `maskable_kernels`, or attributes of the layer, or
            of a layer inside it: `"w"`, `"block/w"`. Or their positions. From
            then on, attributes are among the `sparse_kernels` of their layer.

    Raises:
        ValueError: If a name is of no weight with two dimensions or more.
    """
    for name in names:
        if name not in _by_name(layer):
            _declare(layer, name)
    known = _by_name(layer)
    # A single kernel has the name of its layer.
    return [known.get(name) or known[_parent(name)] for name in names]


def _by_name(layer):
    kernels = maskable_kernels(layer)
    by_position = {kernel.position: kernel for kernel in kernels}
    return by_position | {kernel.name: kernel for kernel in kernels}


def own_weights(layer: keras.Layer) -> list[keras.Variable]:
    """Returns the trainable weights of one layer that a mask would fit."""
    return [w for w in own_trainable_variables(layer) if _is_kernel(w)]


def missing_kernels(layer: keras.Layer) -> list[str]:
    """Returns the names in `sparse_kernels` that are no weights of a layer."""
    if not layer.built or not hasattr(layer, "sparse_kernels"):
        return []
    if isinstance(layer, Active):
        return []  # it makes its kernel from what it stores
    return [
        name
        for name in _attributes(layer, None)
        if not isinstance(getattr(layer, name, None), keras.Variable)
    ]


def layers_of(model: keras.Layer) -> Iterator[tuple[str, keras.Layer]]:
    """Yields (path, layer) for all layers inside a model, each once.

    Layers that only hold another one, as `Sparse` does, and inputs are left
    out. Of equal paths, all but the first end with `_1`, `_2` and so on.
    """
    seen, paths = set(), set()

    def walk(layer, path):
        for child in _children(layer):
            if id(child) not in seen and not isinstance(child, kl.InputLayer):
                seen.add(id(child))
                here = unique(_join(path, child.name), paths)
                yield here, child
                yield from walk(child, here)

    return walk(_inside(model), "")


def unique(name, names):
    """Returns a name that is not among `names` yet, and adds it to them."""
    new, count = name, 0
    while new in names:
        count += 1
        new = f"{name}_{count}"
    names.add(new)
    return new


def _search(layer, path, numbers, parent):
    layer = _inside(layer)
    attributes = _attributes(layer, parent)
    for attribute in attributes:
        variable = getattr(layer, attribute, None)
        if isinstance(layer, Active):
            variable = layer.stored_values
        several = len(attributes) > 1
        name = _join(path, attribute) if several else path
        if isinstance(variable, keras.Variable):
            position = "#" + _join(numbers, attribute)
            yield MaskableKernel(name, path, position, layer, variable)
    for number, child in enumerate(_children(layer)):
        # A recurrent layer has one cell, and one name is enough for both.
        is_cell = isinstance(layer, kl.RNN)
        yield from _search(
            child,
            path if is_cell else _join(path, child.name),
            _join(numbers, str(number)),
            layer,
        )


def _inside(layer):
    """Returns the layer, or the layer inside a wrapper of the same name."""
    return layer._holds() if hasattr(layer, "_holds") else layer


def _children(layer):
    return [_inside(child) for child in children(layer)]


def _attributes(layer, parent):
    named = getattr(layer, "sparse_kernels", None)
    if isinstance(named, str):
        return (named,)
    if isinstance(named, tuple | list):
        return tuple(named)
    for kind, attributes in _KERNELS.items():
        if isinstance(layer, kind):
            return attributes
    if isinstance(parent, kl.RNN | kl.StackedRNNCells):
        return tuple(
            name for name in _CELL if _is_kernel(getattr(layer, name, None))
        )
    return ()


def _declare(layer, name):
    """Adds an attribute to the `sparse_kernels` of its layer."""
    owner, (*path, attribute) = layer, name.removeprefix("#").split("/")
    for part in path:
        inside = _children(owner)
        if name.startswith("#"):
            inside = inside[int(part) : int(part) + 1]
        else:
            inside = [child for child in inside if child.name == part]
        owner = next(iter(inside), None)
    if owner is None or not _is_kernel(getattr(owner, attribute, None)):
        known = [kernel.name for kernel in maskable_kernels(layer)]
        raise ValueError(
            f"Layer {layer.name!r} has no kernel {name!r}. A kernel is an "
            "attribute of the layer, or of a layer inside it, that is a weight "
            "with two dimensions or more. Kernels: "
            f"{', '.join(filter(None, known)) or 'none known by name'}."
        )
    known = _attributes(owner, None)
    if attribute not in known:
        owner.sparse_kernels = (*known, attribute)


def _parent(name):
    return name.rpartition("/")[0]


def _is_kernel(value):
    return isinstance(value, keras.Variable) and len(value.shape) >= 2


def _join(path, name):
    return f"{path}/{name}" if path else name
