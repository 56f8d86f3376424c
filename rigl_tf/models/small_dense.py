"""The same network with fewer channels."""

import math

import keras
from keras.src.models import Functional  # keras exports no name for it

_ROUNDINGS = {"floor": math.floor, "ceil": math.ceil, "nearest": round}
_WIDTHS = ("units", "filters")


def small_dense(model, sparsity, rounding="floor"):
    """Builds a dense network with about as many weights as a sparse one.

    Every layer's units or filters, but those of the outputs, are multiplied
    by the square root of the density.

    Args:
        model: A Sequential or functional `keras.Model` without models in it.
        sparsity: Float in [0, 1), whose number of weights is to be matched.
        rounding: String: `"floor"`, as the code of the reference has it,
            `"ceil"`, which its FLOPs of WRN-22-2 at 0.9 agree with, or
            `"nearest"`.

    Returns:
        `keras.Model` of the same kind, newly initialized.

    Raises:
        TypeError: If the model is of another kind.
        ValueError: If `rounding` is unknown or a layer would have no unit.

    Reference:
        [Sundar & Dwaraknath, 2021](https://arxiv.org/abs/2103.15767),
        section 4.1.
    """
    if rounding not in _ROUNDINGS:
        raise ValueError(
            f"`rounding` must be one of {', '.join(_ROUNDINGS)}. "
            f"Received: rounding={rounding!r}."
        )
    nested = [x.name for x in model.layers if isinstance(x, keras.Model)]
    if nested or not isinstance(model, keras.Sequential | Functional):
        raise TypeError(
            "Only a Sequential or functional model without models in it can "
            f"be made with fewer channels. Received: model={model!r}"
            + (f" with {', '.join(nested)}." if nested else ".")
        )
    factor = math.sqrt(1 - sparsity)
    outputs = {
        tensor._keras_history.operation.name
        for tensor in keras.tree.flatten(model.outputs)
    }

    def scaled(layer):
        config = layer.get_config()
        for width in _WIDTHS:
            if width in config and layer.name not in outputs:
                wanted = config[width] * factor
                config[width] = _ROUNDINGS[rounding](wanted)
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
