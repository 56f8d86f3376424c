"""The wrapper that owns the masks of a layer."""

import dataclasses

import keras
import numpy as np
from keras import layers as kl

from rigl_tf import refusals
from rigl_tf import storage

# Layers that hold kernels of their own, and the kernels' attributes.
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
# Layers that are made of the ones above.
_CONTAINERS = (
    kl.MultiHeadAttention,
    kl.GroupQueryAttention,
    kl.RNN,
    kl.Bidirectional,
    kl.TimeDistributed,
)
# Few weights that matter much, or a table of rows: dense unless asked.
_ON_REQUEST = (kl.DepthwiseConv1D, kl.DepthwiseConv2D, kl.Embedding)


@keras.saving.register_keras_serializable(package="rigl_tf")
class Sparse(kl.Wrapper):
    """Wraps a layer and owns one boolean mask for each of its kernels.

    The masks start dense. The wrapped layer computes with its kernels as they
    are: they hold exact zeros wherever their mask is `False`, which a kernel
    constraint renews after every optimizer step.

    Args:
        layer: A layer with kernels: Dense, EinsumDense, a convolution,
            Embedding, attention or a recurrent layer. Layers that need
            several input shapes, such as attention, must be built.

    Raises:
        TypeError: If the layer cannot be sparse.
    """

    def __init__(self, layer, **kwargs):
        check_can_be_sparse(layer)
        kwargs.setdefault("name", layer.name)
        super().__init__(layer, **kwargs)
        # The wrapped layer casts its inputs itself.
        self.autocast = False
        self.supports_masking = layer.supports_masking
        self._masks = []
        self._refusal = None
        if layer.built:
            self._add_masks()
            self.built = True

    @property
    def kernels(self):
        """List of `SparseKernel`, named relative to this layer."""
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} has no kernels yet. Call "
                "`build(input_shape)`, or give its model an `Input`."
            )
        if isinstance(self.layer, storage.Active):
            return [self.layer.sparse_kernel()]
        found = list(_find_kernels(self.layer))
        return [
            storage.DenseKernel(
                name if len(found) > 1 else "", owner, variable, mask
            )
            for (name, owner, variable), mask in zip(
                found, self._masks, strict=True
            )
        ]

    def set_masks(self, masks):
        """Sets every mask and zeroes the kernels under them.

        Args:
            masks: List of boolean arrays, one a kernel, of kernel shape.

        Raises:
            ValueError: If a mask is not boolean, has another shape, or leaves
                a kernel without a single connection.
        """
        kernels = self.kernels
        if len(masks) != len(kernels):
            raise ValueError(
                f"Layer {self.name!r} has {len(kernels)} kernels, each with "
                f"a mask. Received: {len(masks)} masks."
            )
        for kernel, mask in zip(kernels, masks, strict=True):
            kernel.set_mask(
                storage.checked_mask(mask, kernel.kernel_shape, self.name)
            )

    def build(self, input_shape=None):
        if isinstance(self.layer, _CONTAINERS[:2]):
            raise ValueError(
                f"Layer {self.layer.name!r} takes several inputs. Build it "
                "before it is wrapped: `layer.build(query_shape, value_shape)`."
            )
        super().build(input_shape)
        self._add_masks()

    def _add_masks(self):
        for part in _parts(self.layer):
            part.quantize = self.quantize  # Keras asks the innermost layers
        if isinstance(self.layer, storage.Active):
            return  # what it stores says what is active
        for name, _, variable in _find_kernels(self.layer):
            if isinstance(variable.constraint, storage.KeepZeros):
                raise TypeError(
                    f"Layer {self.layer.name!r} has a `Sparse` wrapper "
                    "already. Call that one wherever the layer is used."
                )
            mask = self.add_weight(
                name=f"{name.replace('/', '_')}_mask",
                shape=variable.shape,
                initializer="ones",
                dtype="bool",
                trainable=False,
            )
            self._masks.append(mask)
            variable.constraint = storage.KeepZeros(mask, variable.constraint)

    def call(self, inputs=None, *args, **kwargs):
        if inputs is not None:  # attention may take all of them by name
            args = (inputs, *args)
        return self.layer(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        return self.layer.compute_mask(inputs, previous_mask)

    def get_build_config(self):
        return {"layer": self.layer.get_build_config()}

    def build_from_config(self, config):
        self.layer.build_from_config(config["layer"])
        self._add_masks()
        self.built = True

    def load_own_variables(self, store):
        if self._refusal is not None:  # Keras tries again, with nothing
            raise self._refusal
        self._check_load_own_variables(store)
        for i, mask in enumerate(self._masks):
            loaded = np.asarray(store[str(i)])
            try:
                mask.assign(storage.checked_mask(loaded, mask.shape, self.name))
            except ValueError as error:
                self._refusal = error
                raise

    def quantize(self, *args, **kwargs):
        del args, kwargs
        refusals.refuse_to_quantize(self.name)


def sparse_layers(model):
    """The `Sparse` layers of a model, each once, in the order of the model."""
    return [layer for _, layer in _walk(_network(model), "", _is_sparse)]


def sparse_kernels(model):
    """The masked kernels of a model, as a list of `SparseKernel`."""
    return [
        dataclasses.replace(
            kernel, name="/".join(filter(None, (path, kernel.name)))
        )
        for path, layer in _walk(_network(model), "", _is_sparse)
        for kernel in layer.kernels
    ]


def kernels_to_be(model, chosen):
    """What `sparse_kernels` will be once some layers of a model are wrapped.

    Args:
        model: A built `keras.Model`.
        chosen: Function from a layer to whether it will be wrapped.

    Returns:
        List of `SparseKernel` without masks.
    """
    kernels = []
    for path, layer in _walk(model, "", chosen):
        found = list(_find_kernels(layer))
        for name, owner, variable in found:
            name = f"{path}/{name}" if len(found) > 1 else path
            kernels.append(storage.DenseKernel(name, owner, variable, None))
    return kernels


def can_be_sparse(layer):
    """Whether `sparsify` masks layers of this kind unless told otherwise."""
    return _has_kernels(layer) and not isinstance(layer, _ON_REQUEST)


def check_can_be_sparse(layer):
    """Raises a TypeError that says why a layer cannot be wrapped, if so."""
    refusals.refuse_keras_2(layer, "layer")
    if not isinstance(layer, kl.Layer):
        raise TypeError(
            "`layer` must be a layer, such as `keras.layers.Dense(10)`. "
            f"Received: layer={layer!r}."
        )
    hint = f"Leave it out, for example with `exclude=[{layer.name!r}]`."
    if isinstance(layer, Sparse):
        raise TypeError(f"Layer {layer.name!r} is sparse already. {hint}")
    if not _has_kernels(layer):
        raise TypeError(
            f"Layer {layer.name!r} of type {type(layer).__name__} has no "
            f"kernel that can be sparse. {hint}"
        )
    for part in _parts(layer):
        if getattr(part, "lora_enabled", False):
            raise TypeError(
                f"Layer {layer.name!r} has LoRA enabled, whose kernel is a "
                f"sum that no mask can zero. {hint}"
            )
        if getattr(part, "quantization_mode", None):
            raise TypeError(
                f"Layer {layer.name!r} is quantized to "
                f"{part.quantization_mode}. Make it sparse before it is "
                f"quantized. {hint}"
            )


def children(layer):
    """The layers directly inside a layer or model."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def _network(model):
    """The network inside a `SparseModel`, or the model itself."""
    return getattr(model, "network", model)


def _is_sparse(layer):
    return isinstance(layer, Sparse)


def _walk(layer, path, is_wanted, seen=None):
    """Pairs of path and wanted layer, each layer once."""
    seen = set() if seen is None else seen
    for child in children(layer):
        if id(child) in seen:
            continue
        seen.add(id(child))
        here = f"{path}/{child.name}" if path else child.name
        if is_wanted(child):
            yield here, child
        else:
            yield from _walk(child, here, is_wanted, seen)


def _parts(layer):
    """The layer itself, or what a container is made of."""
    if isinstance(layer, _CONTAINERS):
        for child in children(layer):
            yield from _parts(child)
    else:
        yield layer


def _attributes(layer):
    for kind, attributes in _KERNELS.items():
        if isinstance(layer, kind):
            return attributes
    return ()


def _has_kernels(layer):
    if isinstance(layer, kl.MultiHeadAttention | kl.GroupQueryAttention):
        return True  # even before it is built
    return any(_attributes(part) for part in _parts(layer))


def _find_kernels(layer, path=""):
    """Triples of name, layer and variable."""
    if isinstance(layer, _CONTAINERS):
        for child in children(layer):
            cell = isinstance(layer, kl.RNN)
            name = path if cell else f"{path}/{child.name}".strip("/")
            yield from _find_kernels(child, name)
    else:
        for attribute in _attributes(layer):
            several = len(_attributes(layer)) > 1 or not path
            name = f"{path}/{attribute}".strip("/") if several else path
            yield name, layer, getattr(layer, attribute)
