"""The same network with fewer channels."""

import math

import keras
from keras.src.models import Functional  # keras exports no name for it

from rigl_tf.utils.patterns import match

_ROUNDINGS = {"floor": math.floor, "ceil": math.ceil, "nearest": round}
_WIDTHS = ("units", "filters")


def small_dense(model, sparsity, rounding=None, multiples=None):
    """Builds a dense network with as many parameters as a sparse one.

    Every layer's units or filters, but those of the outputs, are multiplied
    by the same factor.

    Args:
        model: A Sequential or functional `keras.Model` without models in it.
        sparsity: Float in [0, 1), of the kernels of the network to match;
            biases and normalization are not sparse there.
        rounding: `None` for the largest network that has no more trainable
            parameters. A string for the reference's factor, the square root
            of the density, and how it rounds widths: `"floor"`, as its code
            has it, `"ceil"`, which its FLOPs of WRN-22-2 at 0.9 agree with,
            or `"nearest"`. Layers that inputs or outputs are connected to
            then have more parameters than is matched.
        multiples: Dictionary from the name of a layer, or a pattern with `*`,
            to an integer: its width stays a multiple of it. With
            `{"*_conv3": 4, "*_shortcut": 4}`, the bottlenecks of a ResNet-50
            are still expanded by 4, as in the reference's code.

    Returns:
        `keras.Model` of the same kind, newly initialized.

    Raises:
        TypeError: If the model is of another kind.
        ValueError: If `rounding` is unknown, a layer would have no unit, or a
            pattern matches no layer.

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
            "Only a Sequential or functional model without models in it can "
            f"be made with fewer channels. Received: model={model!r}"
            + (f" with {', '.join(nested)}." if nested else ".")
        )
    names = [layer.name for layer in model.layers]
    matched = match(multiples or {}, names, "multiples")
    units = {name: multiples[p] for p in matched for name in matched[p]}
    if rounding is not None:
        factor = math.sqrt(1 - sparsity)
        return _scaled(model, factor, _ROUNDINGS[rounding], units)
    sizes = [
        (len(v.shape), math.prod(v.shape)) for v in model.trainable_variables
    ]
    most = sum(
        size if rank < 2 else (1 - sparsity) * size for rank, size in sizes
    )
    return _largest(model, most, units)


def _largest(model, most, units):
    """The largest network with at most so many trainable parameters."""

    def scaled(factor):
        return _scaled(
            model, factor, lambda width: max(math.floor(width), 1), units
        )

    def size(small):
        return sum(math.prod(v.shape) for v in small.trainable_variables)

    if size(model) <= most:
        return scaled(1.0)
    found, low, high = scaled(0.0), 0.0, 1.0
    if size(found) > most:
        raise ValueError(
            f"With one unit a layer, {model.name!r} has {size(found)} "
            f"parameters, and {most:.0f} are to be matched. Lower the sparsity."
        )
    while high - low > 1e-3:
        middle = (low + high) / 2
        small = scaled(middle)
        if size(small) <= most:
            found, low = small, middle
        else:
            high = middle
    return found


def _scaled(model, factor, rounded, units):
    """The network with its widths multiplied and rounded."""
    outputs = {
        tensor._keras_history.operation.name
        for tensor in keras.tree.flatten(model.outputs)
    }

    def scaled(layer):
        config = layer.get_config()
        for width in _WIDTHS:
            if width in config and layer.name not in outputs:
                unit = units.get(layer.name, 1)
                wanted = config[width] * factor
                config[width] = unit * rounded(wanted / unit)
                if config[width] < 1:
                    raise ValueError(
                        f"Layer {layer.name!r} would have {wanted:.2f} "
                        f"{width}, rounded to none. Lower the sparsity, or "
                        'take rounding="ceil".'
                    )
        return type(layer).from_config(config)

    small = keras.models.clone_model(model, clone_function=scaled)
    if small.output_shape != model.output_shape:
        raise ValueError(
            f"{model.name!r} ends in {', '.join(outputs)}, behind which its "
            "last units would be fewer, too. Let it end in the layer with "
            "those units: its activation can be an argument of the layer."
        )
    return small
