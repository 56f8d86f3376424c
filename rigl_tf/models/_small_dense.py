"""Small dense baselines: the same network with fewer channels."""

import math
from collections.abc import Mapping

import keras

from rigl_tf._keras_compat import Functional
from rigl_tf._keras_compat import operation_of
from rigl_tf.utils.patterns import match

_ROUNDINGS = {"floor": math.floor, "ceil": math.ceil, "nearest": round}
_WIDTHS = ("units", "filters")


def small_dense(
    model: keras.Model,
    sparsity: float,
    rounding: str | None = None,
    multiples: Mapping[str, int] | None = None,
) -> keras.Model:
    """Builds a dense network with as many parameters as a sparse one.

    The numbers of units and filters of all layers, except the output layers,
    are multiplied by the same factor.

    Args:
        model: Sequential or functional `keras.Model` without nested models.
        sparsity: Float in [0, 1), sparsity of the kernels of the sparse
            network, whose biases and normalization are dense.
        rounding: `None` for the largest network that has no more trainable
            parameters than the sparse network. A string for the factor of the
            reference, the square root of the density, with widths rounded by
            `"floor"`, as in its code, by `"ceil"`, which agrees with its
            FLOPs of WRN-22-2 at 0.9, or by `"nearest"`. With a string, layers
            next to inputs or outputs have more parameters than in the sparse
            network.
        multiples: Dictionary from the name of a layer, or a pattern with `*`,
            to an integer: the width of the layer stays a multiple of it. With
            `{"*_conv3": 4, "*_shortcut": 4}`, the bottlenecks of a ResNet-50
            still expand by 4, as in the code of the reference.

    Returns:
        `keras.Model` of the same class, newly initialized.

    Raises:
        TypeError: If the model is subclassed or has nested models.
        ValueError: If `rounding` is unknown, if a layer would have no unit, if
            a pattern matches no layer, or if a layer, such as a `Reshape`,
            needs inputs of its old width.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 4.1.
    """
    if rounding is not None and rounding not in _ROUNDINGS:
        raise ValueError(
            f"`rounding` must be None or one of {', '.join(_ROUNDINGS)}. "
            f"Received: rounding={rounding!r}."
        )
    nested = [x.name for x in model.layers if isinstance(x, keras.Model)]
    if nested or not isinstance(model, keras.Sequential | Functional):
        raise TypeError(
            "`model` must be a Sequential or functional model without nested "
            f"models. Received: model={model!r}"
            + (f" with {', '.join(nested)}." if nested else ".")
        )
    names = [layer.name for layer in model.layers]
    multiples = multiples or {}
    matched = match(multiples, names, "multiples")
    units = {name: multiples[p] for p in matched for name in matched[p]}
    if rounding is not None:
        factor = math.sqrt(1 - sparsity)
        return _scale(model, factor, _ROUNDINGS[rounding], units)
    sizes = [
        (len(v.shape), math.prod(v.shape)) for v in model.trainable_variables
    ]
    max_size = sum(
        size if rank < 2 else (1 - sparsity) * size for rank, size in sizes
    )
    return _largest(model, max_size, units)


def _largest(model, max_size, units):
    """Returns the largest network with at most `max_size` parameters."""

    def scaled(factor):
        return _scale(
            model, factor, lambda width: max(math.floor(width), 1), units
        )

    def size(small):
        return sum(math.prod(v.shape) for v in small.trainable_variables)

    if size(model) <= max_size:
        return scaled(1.0)
    best, low, high = scaled(0.0), 0.0, 1.0
    if size(best) > max_size:
        raise ValueError(
            f"With one unit in each layer, {model.name!r} has {size(best)} "
            f"parameters, more than the {max_size:.0f} of the sparse network. "
            "Lower the sparsity."
        )
    while high - low > 1e-3:
        middle = (low + high) / 2
        small = scaled(middle)
        if size(small) <= max_size:
            best, low = small, middle
        else:
            high = middle
    return best


def _scale(model, factor, rounded, units):
    """Returns the network with its widths multiplied and rounded."""
    outputs = {
        operation_of(tensor).name
        for tensor in keras.tree.flatten(model.outputs)
    }

    def scaled_config(layer):
        config = layer.get_config()
        for width in _WIDTHS:
            if width in config and layer.name not in outputs:
                unit = units.get(layer.name, 1)
                scaled_width = config[width] * factor
                config[width] = unit * rounded(scaled_width / unit)
                if config[width] < 1:
                    raise ValueError(
                        f"Layer {layer.name!r} would have {scaled_width:.2f} "
                        f"{width}, rounded to 0. Lower the sparsity, or pass "
                        'rounding="ceil".'
                    )
        return config

    configs = {layer.name: scaled_config(layer) for layer in model.layers}
    try:
        small = keras.models.clone_model(
            model,
            clone_function=lambda layer: type(layer).from_config(
                configs[layer.name]
            ),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{model.name!r} cannot be built with {factor:.3g} times its "
            "widths: a layer needs inputs of its old width, as reshapes, "
            "groups and paddings of channels do. Build the small network "
            f"yourself. Keras says: {error}"
        ) from error
    if small.output_shape != model.output_shape:
        raise ValueError(
            "The last layer of the model must have its output units. "
            f"{model.name!r} ends in {', '.join(outputs)}. Pass the activation "
            "as an argument of the layer before."
        )
    return small
