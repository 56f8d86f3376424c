"""Whether XNNPACK on ARM skips the zeros of a model's convolutions."""

import numpy as np
from keras import layers as kl

from rigl_tf.deploy import unwrapping
from rigl_tf.deploy.shrinking import flatten_model
from rigl_tf.modeling.convert import densified
from rigl_tf.xnnpack import obstacles
from rigl_tf.xnnpack.network import AFTER
from rigl_tf.xnnpack.network import INSIDE
from rigl_tf.xnnpack.network import network
from rigl_tf.xnnpack.verdict import Verdict


def check(model):
    """Whether XNNPACK on ARM skips the zeros of 1x1 convolutions, or why not.

    It does so in a model that begins with a 3x3 convolution of stride 2, ends
    in global average pooling, and has only 1x1 and depthwise convolutions,
    sums, products and activations between. A single layer of another kind
    spoils it for all. What was not seen to go with it counts as such a layer.

    This is a statement about the XNNPACK of TensorFlow 2.21 and LiteRT 2.3 and
    files of `rigl_tf.export`. It rests on instructions counted for small
    networks, a rule each, on an emulated Neoverse N1, and on XNNPACK's source.
    On x86 with AVX it computes convolutions densely at any sparsity.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.

    Returns:
        `Verdict`.

    Raises:
        TypeError: If the model is a subclassed one.
    """
    if unwrapping.is_subclassed(model):
        raise TypeError(
            f"`model` must be Sequential or functional. {model.name!r} is a "
            f"subclassed model. Received: model={model!r}."
        )
    with densified(model) as plain:
        opened, names = flatten_model.opened(plain)
        seen = network(opened)
        reasons = []
        for call in seen.calls:
            if INSIDE in {*seen.places_of_inputs(call), seen.place(call)}:
                found = obstacles.obstacle(call, seen)
                if found is not None:
                    reasons.append((names[id(call.operation)], found))
        zeros, size = _zeros(seen, INSIDE)
        more_zeros, more = _zeros(seen, AFTER)
        if size == 0:
            reasons.append((plain.name, "It has no 1x1 convolutions."))
        elif not _enough(zeros, size):
            reasons.append(
                (
                    plain.name,
                    "Of the weights of its 1x1 convolutions "
                    f"{zeros / size:.1%} are zero. More than two thirds need "
                    "to be.",
                )
            )
        elif not _enough(zeros + more_zeros, size + more):
            share = (zeros + more_zeros) / (size + more)
            reasons.append(
                (
                    plain.name,
                    "Newer versions of XNNPACK count the layers behind the "
                    f"pooling too, and with them {share:.1%} of weights are "
                    "zero. More than two thirds need to be.",
                )
            )
        return Verdict(plain.name, zeros / max(size, 1), tuple(reasons))


def _enough(zeros, size):
    return 3 * zeros > 2 * size


def _zeros(seen, place):
    """Zeros and weights of 1x1 convolutions, and Dense layers, in a place."""
    kernels = {
        id(call.operation): np.asarray(call.operation.kernel)
        for call in seen.calls
        if seen.place(call) == place
        and (
            obstacles.is_1x1(call)
            or (place == AFTER and isinstance(call.operation, kl.Dense))
        )
    }
    size = sum(kernel.size for kernel in kernels.values())
    nonzero = sum(int(np.count_nonzero(k)) for k in kernels.values())
    return size - nonzero, size
