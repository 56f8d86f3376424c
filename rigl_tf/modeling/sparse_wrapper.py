"""The wrapper that owns the masks of a layer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers as kl

from rigl_tf._keras_compat import Untracked
from rigl_tf._keras_compat import check_number_of_variables
from rigl_tf.kernels import Active
from rigl_tf.kernels import DenseKernel
from rigl_tf.kernels import KeepZeros
from rigl_tf.kernels import checked_mask
from rigl_tf.kernels.base import SparseKernel
from rigl_tf.modeling import maskable
from rigl_tf.utils import refusals


@keras.saving.register_keras_serializable(package="rigl_tf")
class Sparse(kl.Wrapper):
    """Wraps a layer and owns one boolean mask for each of its kernels.

    The layer stays the same object. Its kernels hold exact zeros wherever
    their mask is `False`. Initially, every connection is active.

    Args:
        layer: `keras.Layer`. Its kernels, and the kernels of layers inside it,
            get masks. Known kernels belong to Dense, EinsumDense, convolution,
            attention and recurrent layers, and to classes that name kernels in
            an attribute, such as `sparse_kernels = ("w",)`. Layers that need
            several input shapes, such as attention, must be built.
        kernels: Names of the kernels that get masks, for example
            `("query", "key")` or, in a custom layer, `("w",)`: attributes of
            the layer, or paths to them such as `"block/w"`. By default, all
            known kernels, except depthwise convolutions and embeddings that
            are parts of another layer.

    Raises:
        TypeError: If the layer cannot be sparse.
        ValueError: If the layer has no kernel with a given name.

    Example:

    >>> layer = rigl_tf.Sparse(keras.layers.Dense(3))
    >>> layer.build((None, 2))
    >>> tuple(layer.kernels[0].mask.shape)
    (2, 3)
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        kernels: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(kernels, str):
            kernels = (kernels,)
        check_can_be_sparse(layer, kernels)
        kwargs.setdefault("name", layer.name)
        super().__init__(layer, **kwargs)
        # The wrapped layer casts its inputs itself.
        self.autocast = False
        self.supports_masking = layer.supports_masking
        self.kernel_names = None if kernels is None else tuple(kernels)
        self.masks = []
        # Returns the sparse model that shows this wrapper in its network.
        self.owner = lambda: None
        self._refused_file = None
        if layer.built:
            self.add_masks()
            self.built = True

    def _holds(self):
        """Returns the wrapped layer, which has the same name."""
        return self.layer

    @property
    def weights(self):
        """List of the weights of the layer; `variables` also has the masks."""
        return self.layer.weights

    @property
    def kernels(self) -> list[SparseKernel]:
        """List of `SparseKernel`, with names relative to this layer."""
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} has no kernels yet. Call "
                "`build(input_shape)`, or give its model an `Input`."
            )
        return [kernel_of(found) for found in self._found()]

    def set_masks(self, masks: Sequence[np.ndarray]) -> None:
        """Sets every mask, then sets inactive weights to zero.

        Args:
            masks: List of boolean arrays, one for each kernel and of its
                shape.

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
        checked = [  # all of them before the first is used
            checked_mask(mask, kernel.kernel_shape, self.name)
            for kernel, mask in zip(kernels, masks, strict=True)
        ]
        for kernel, mask in zip(kernels, checked, strict=True):
            kernel.set_mask(mask)

    def build(self, input_shape=None):
        if isinstance(self.layer, kl.MultiHeadAttention):
            raise ValueError(
                f"Layer {self.layer.name!r} takes several inputs. Build it "
                "before it is wrapped: `layer.build(query_shape, value_shape)`."
            )
        super().build(input_shape)
        if not all(layer.built for _, layer in maskable.layers_of(self.layer)):
            # Layers that are built when they are called for the first time.
            keras.backend.compute_output_spec(
                self.layer, keras.KerasTensor(input_shape)
            )
        self.add_masks()

    def set_weights(self, weights):
        """Sets the weights of the layer, and inactive weights to zero."""
        self.layer.set_weights(weights)
        for kernel in self.kernels:
            kernel.impose()

    def release(self) -> None:
        """Removes the masks from the layer; the wrapper keeps them."""
        for found in self._found():
            found.variable.constraint = found.variable.constraint.inner
        for part, methods in self._refusing.value:
            for name, method in methods.items():
                if method is None:  # of its class
                    object.__delattr__(part, name)
                else:
                    setattr(part, name, method)

    def _found(self):
        """The `MaskableKernel`s that have masks."""
        if self.kernel_names is not None:
            return maskable.named_kernels(self.layer, self.kernel_names)
        return maskable.default_kernels(self.layer)

    def add_masks(self) -> None:
        """Creates a mask for each kernel of the wrapped layer."""
        found = self._found()
        parts = {id(each.layer): each.layer for each in found}.values()
        self._refusing = Untracked(
            [(part, self._refuse_changes(part)) for part in parts]
        )
        for each in found:
            variable = each.variable
            if isinstance(variable.constraint, KeepZeros):
                raise TypeError(
                    f"Layer {self.layer.name!r} already has a `Sparse` "
                    "wrapper. Call that wrapper wherever you use the layer."
                )
            mask = None  # the positions are the mask
            if not isinstance(each.layer, Active):
                mask = self.add_weight(
                    name=f"{each.name.replace('/', '_')}_mask",
                    shape=variable.shape,
                    initializer="ones",
                    dtype="bool",
                    trainable=False,
                )
                self.masks.append(mask)
            variable.constraint = KeepZeros(mask, variable.constraint, self)

    def _refuse_changes(self, part):
        """Lets a layer refuse to replace its kernel; returns what could."""
        methods = {}
        for name in ("quantize", "enable_lora"):
            if hasattr(part, name):
                methods[name] = vars(part).get(name)
                setattr(part, name, getattr(self, name))
        return methods

    def call(self, inputs=None, *args, **kwargs):
        if inputs is not None:  # attention may take all of them by name
            args = (inputs, *args)
        return self.layer(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        return self.layer.compute_mask(inputs, previous_mask)

    def get_config(self):
        config = super().get_config()
        return (
            config
            if self.kernel_names is None
            else config | {"kernels": self.saved_names()}
        )

    def saved_names(self) -> Sequence[str] | None:
        """Returns names of kernels that a reloaded layer has, or `None`."""
        if self.kernel_names is None or not self.built:
            return self.kernel_names
        return [
            found.position if "/" in found.position else name
            for found, name in zip(
                self._found(), self.kernel_names, strict=True
            )
        ]

    def get_build_config(self):
        return {"layer": self.layer.get_build_config()}

    def build_from_config(self, config):
        self.layer.build_from_config(config["layer"])
        self.add_masks()
        self.built = True

    def load_own_variables(self, store):
        if self._refused_file is not None:  # Keras tries again, with nothing
            raise self._refused_file
        check_number_of_variables(self, store)
        for i, mask in enumerate(self.masks):
            loaded = np.asarray(store[str(i)])
            try:
                mask.assign(checked_mask(loaded, mask.shape, self.name))
            except ValueError as error:
                self._refused_file = error
                raise

    def quantize(self, *args, **kwargs):
        del args, kwargs
        refusals.refuse_to_quantize(self.name)

    def enable_lora(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        refusals.refuse_lora(self.name)


def kernel_of(found):
    """Returns the `SparseKernel` of a `MaskableKernel` that has a mask."""
    name = found.name
    if isinstance(found.layer, Active):
        return found.layer.sparse_kernel(name)
    mask = found.variable.constraint.mask
    return DenseKernel(name, found.layer, found.variable, mask)


def is_masked(found):
    """Returns whether a `MaskableKernel` has a mask."""
    return isinstance(found.variable.constraint, KeepZeros)


def sparse_kernels(model):
    """Returns the kernels of a model that have masks.

    Args:
        model: `SparseModel`, or a built `keras.Model` or `keras.Layer`.

    Returns:
        List of `SparseKernel` in the order of the model. Names are unique: the
        path of the layer, followed by the attribute if the layer has several
        kernels. Equal names get `_1`, `_2` and so on.
    """
    if hasattr(model, "sparse_step"):
        return list(model.sparse_step.kernels)
    found = maskable.maskable_kernels(model)
    return [kernel_of(each) for each in found if is_masked(each)]


def sparse_layers(model: keras.Model) -> list[Sparse]:
    """Returns the `Sparse` layers of a model in its order, each once.

    Example:

    >>> sparse = rigl_tf.sparsify(network, "rigl", sparsity=0.5)
    >>> len(rigl_tf.sparse_layers(sparse))
    2
    """
    wrappers = [
        found.variable.constraint.wrapper
        for found in maskable.maskable_kernels(model)
        if is_masked(found)
    ]
    return list({id(wrapper): wrapper for wrapper in wrappers}.values())


def check_can_be_sparse(layer, kernels=None):
    """Raises a TypeError with the reason if a layer cannot be wrapped."""
    refusals.refuse_keras_2(layer, "layer")
    if not isinstance(layer, kl.Layer):
        raise TypeError(
            "`layer` must be a layer, such as `keras.layers.Dense(10)`. "
            f"Received: layer={layer!r}."
        )
    hint = f"Leave it out, for example with `exclude=[{layer.name!r}]`."
    if isinstance(layer, Sparse):
        raise TypeError(f"Layer {layer.name!r} is sparse already. {hint}")
    has_kernels = kernels or maskable.has_kernels(layer)
    if not has_kernels:
        raise TypeError(
            f"Layer {layer.name!r} of type {type(layer).__name__} has no "
            "kernel that rigl_tf knows. Name the attributes to mask, "
            '`Sparse(layer, kernels=("w",))` or `sparse_kernels = ("w",)` on '
            f"its class. {hint}"
        )
    for part in (layer, *(part for _, part in maskable.layers_of(layer))):
        check_uses_kernel(part)


def check_uses_kernel(layer):
    """Raises an error if a layer does not multiply by its kernels."""
    missing = maskable.missing_kernels(layer)
    if missing:
        raise ValueError(
            f"Layer {layer.name!r} names {missing[0]!r} in `sparse_kernels`, "
            "which is no attribute that holds a weight. Correct the name."
        )
    hint = f"Leave it out, for example with `exclude=[{layer.name!r}]`."
    if getattr(layer, "lora_enabled", False):
        raise TypeError(
            f"Layer {layer.name!r} has LoRA enabled: its kernel is a sum, "
            f"which a mask cannot keep at zero. {hint}"
        )
    if getattr(layer, "quantization_mode", None):
        raise TypeError(
            f"Layer {layer.name!r} is quantized to "
            f"{layer.quantization_mode}. Make it sparse before it is "
            f"quantized. {hint}"
        )
