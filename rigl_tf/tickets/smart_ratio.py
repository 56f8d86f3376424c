"""Smart ratios: random tickets whose densities follow a formula."""

import dataclasses

from rigl_tf.checks import check_choice
from rigl_tf.checks import check_number
from rigl_tf.tickets.base import Finder
from rigl_tf.tickets.random import of_densities

SHAPES = ("quadratic", "vgg")


@dataclasses.dataclass(frozen=True)
class SmartRatio(Finder):
    """Keeps random connections, fewer and fewer from layer to layer.

    The density of layer l of L is proportional to k^2 + k with k = L - l + 1,
    and that of the last is fixed. Rare Gems calls this version 1; version 2
    takes the densities that Gem-Miner finds for the first and last layers,
    version 3 keeps these dense, `SmartRatioSearch` is version 4 and
    `SmartRatioTuned` versions 5 and 6.

    The authors round down in each layer. Here, the total is exact.

    Args:
        last: Float in (0, 1], density of the last layer.
        first: Float in (0, 1], density of the first, or `None`: as the
            formula says.
        shape: `"quadratic"`, or `"vgg"`: divided by l^2.

    Reference:
        [Su et al., 2020](https://arxiv.org/abs/2009.11094), section 4.2;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix.
    """

    last: float = 0.3
    first: float | None = None
    shape: str = "quadratic"

    has_scores = False

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
        return of_densities(sparse.kernels, wanted, request)

    def num_epochs(self, density, epochs):
        del density, epochs
        return 0


def densities(sizes, density, last=0.3, first=None, shape="quadratic"):
    """The densities of layers.

    What a layer has no room for goes to the next one that has some.

    Args:
        sizes: List of integers, the connections of each layer, in order.
        density: Float in (0, 1), of all together.
        last: Float in (0, 1], of the last layer.
        first: Float in (0, 1], of the first, or `None`.
        shape: `"quadratic"` or `"vgg"`.

    Returns:
        List of floats in (0, 1].

    Raises:
        ValueError: If nothing is left for the layers in between.
    """
    num = len(sizes)
    fixed = {num - 1: last} | ({} if first is None else {0: first})
    raw = {}
    for layer in range(num):
        k = num - layer  # L - l + 1, counted from 1
        if layer not in fixed:
            raw[layer] = k * k + k
            if shape == "vgg":
                raw[layer] /= (layer + 1) ** 2
    wanted = density * sum(sizes)
    left = wanted - sum(sizes[i] * value for i, value in fixed.items())
    if (raw and left <= 0) or (not raw and abs(left) > 0.5):
        raise ValueError(
            f"A density of {density} is {wanted:.0f} connections, and the "
            f"fixed layers alone take {wanted - left:.0f}. Raise `density`, or "
            f"lower `last` or `first`. Received: last={last}, first={first}."
        )
    gamma = left / sum(sizes[i] * r for i, r in raw.items()) if raw else 0
    result = [fixed.get(i, gamma * raw.get(i, 0)) for i in range(num)]
    excess = 0.0
    for i in raw:
        due = result[i] * sizes[i] + excess
        excess = max(due - sizes[i], 0.0)
        result[i] = min(due / sizes[i], 1.0)
    if excess > 0.5:
        raise ValueError(
            f"A density of {density} leaves {excess:.0f} connections that no "
            "layer has room for. Lower `density`, or raise `last`. "
            f"Received: last={last}, first={first}."
        )
    return result
