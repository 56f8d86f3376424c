"""Smart ratios: random tickets whose densities follow a formula."""

import dataclasses
import warnings

from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.random.random_draw import RANDOM
from rigl_tf.tickets.random.random_draw import of_densities
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_number

SHAPES = ("quadratic", "vgg")
LAST = 0.3  # density of the last layer, of Su et al.
MOST = 2 / 3  # of all connections kept, for the last layer


@dataclasses.dataclass(frozen=True)
class SmartRatio(Finder):
    """Keeps random connections, fewer and fewer from layer to layer.

    The density of layer l of L is proportional to k^2 + k with k = L - l + 1,
    and that of the last layer is fixed. The total is exact, where the authors
    round down in each layer. At high sparsity, the last layer alone may take
    more than all connections that are kept. It gets at most two thirds of
    them then, with a warning; the sources do not say what to do.

    Rare Gems calls this version 1. In version 2, the first and last layers
    have the densities that Gem-Miner finds, in version 3 they are dense. The
    layers in between are those of version 1, so that the total is above the
    density asked for: `Ticket.density` tells. `SmartRatioSearch` is version
    4, and `SmartRatioTuned` versions 5 and 6.

    Args:
        last: Float in (0, 1], density of the last layer.
        first: Float in (0, 1], density of the first, or `None`: as the
            formula says. If it is given, the formula takes no notice of
            `first` and `last`: the layers in between have the densities of
            `SmartRatio()`.
        shape: `"quadratic"`, or `"vgg"`: divided by l^2, as Su et al. do for
            VGG.

    Reference:
        [Su et al., 2020](https://arxiv.org/abs/2009.11094), section 4.2;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix.
    """

    last: float = LAST
    first: float | None = None
    shape: str = "quadratic"

    refused = RANDOM

    def __post_init__(self):
        check_choice("shape", self.shape, SHAPES)
        check_number("last", self.last, "(0, 1]")
        if self.first is not None:
            check_number("first", self.first, "(0, 1]")

    def search(self, sparse, request):
        sizes = [kernel.size for kernel in sparse.kernels]
        wanted = densities(
            sizes, request.density, self.last, self.first, self.shape
        )
        return of_densities(sparse.kernels, wanted, request.seed)

    def num_epochs(self, density, epochs):
        del density, epochs
        return 0


def densities(sizes, density, last=LAST, first=None, shape="quadratic"):
    """The densities of layers.

    What a layer has no room for goes to the next one that has some.

    Args:
        sizes: List of integers, the connections of each layer, in order.
        density: Float in (0, 1), of all together.
        last: Float in (0, 1], of the last layer.
        first: Float in (0, 1], of the first, or `None`.
        shape: `"quadratic"` or `"vgg"`.

    Returns:
        List of floats in (0, 1]. Their mean is `density` if `first` is `None`.

    Raises:
        ValueError: If the layers have no room for all connections.

    Example:
        >>> densities([100, 100, 10], 0.2)
        [0.26, 0.13, 0.3]
    """
    if len(sizes) == 1:
        return [density]
    if first is not None:
        between = densities(sizes, density, LAST, None, shape)[1:-1]
        return [first, *between, last]
    wanted = density * sum(sizes)
    if last * sizes[-1] > MOST * wanted:
        fixed, last = last, MOST * wanted / sizes[-1]
        warnings.warn(
            f"A density of {density} keeps {wanted:.0f} connections. The last "
            f"layer gets two thirds of them, a density of {last:.4f} in the "
            f"place of {fixed}.",
            stacklevel=2,
        )
    num = len(sizes)
    raw = [k * k + k for k in range(num, 1, -1)]  # k = L - l + 1
    if shape == "vgg":
        raw = [r / (layer + 1) ** 2 for layer, r in enumerate(raw)]
    gamma = wanted - last * sizes[-1]
    gamma /= sum(n * r for n, r in zip(sizes[:-1], raw, strict=True))
    result, excess = [], 0.0
    for size, r in zip(sizes[:-1], raw, strict=True):
        due = gamma * r * size + excess
        excess = max(due - size, 0.0)
        result.append(min(due / size, 1.0))
    if excess > 0.5:
        raise ValueError(
            f"A density of {density} leaves {excess:.0f} connections that no "
            "layer has room for. Lower `density`, or raise `last`. "
            f"Received: last={last}."
        )
    return [*result, last]
