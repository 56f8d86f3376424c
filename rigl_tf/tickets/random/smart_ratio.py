"""Smart ratios: random tickets with layer densities from a formula."""

import dataclasses
import warnings

from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.tickets.base import SearchRequest
from rigl_tf.tickets.base import TicketFinder
from rigl_tf.tickets.random.random_draw import UNSUPPORTED_IF_RANDOM
from rigl_tf.tickets.random.random_draw import ticket_from_densities
from rigl_tf.tickets.ticket import Ticket
from rigl_tf.utils.validation import check_choice
from rigl_tf.utils.validation import check_number

SHAPES = ("quadratic", "vgg")
LAST_DENSITY = 0.3  # density of the last layer, from Su et al.
MAX_LAST_SHARE = 2 / 3  # of all kept connections, for the last layer


@dataclasses.dataclass(frozen=True)
class SmartRatio(TicketFinder):
    """Keeps random connections, with a density that falls layer by layer.

    The density of layer l of L is proportional to k^2 + k with k = L - l + 1.
    The density of the last layer is fixed. The total is exact; the authors
    round down in each layer. At high sparsity, the last layer alone may take
    more connections than the whole network keeps. The layer then gets at most
    two thirds of the connections, with a warning; the sources do not describe
    this case.

    Rare Gems calls this version 1. In version 2, the first and last layers
    have the densities that Gem-Miner finds; in version 3 they are dense. The
    layers in between have the densities of version 1, so the total is above
    the requested density; `Ticket.density` has the actual value.
    `SmartRatioSearch` is version 4, and `SmartRatioTuned` versions 5 and 6.

    Args:
        last: Float in (0, 1], density of the last layer.
        first: Float in (0, 1], density of the first layer, or `None` for the
            density of the formula. If `first` is given, the formula ignores
            `first` and `last`: the layers in between have the densities of
            `SmartRatio()`.
        shape: `"quadratic"`, or `"vgg"`: the densities are also divided by
            l^2, as Su et al. do for VGG.

    Reference:
        [Su et al., 2020](https://arxiv.org/abs/2009.11094), section 4.2;
        [Sreenivasan et al., 2022](https://arxiv.org/abs/2202.12002), appendix.

    Example:

    >>> finder = rigl_tf.tickets.SmartRatio()
    >>> ticket = finder.find(network, (x, y), density=0.5)
    """

    last: float = LAST_DENSITY
    first: float | None = None
    shape: str = "quadratic"

    unsupported_checks = UNSUPPORTED_IF_RANDOM

    def __post_init__(self):
        check_choice("shape", self.shape, SHAPES)
        check_number("last", self.last, "(0, 1]")
        if self.first is not None:
            check_number("first", self.first, "(0, 1]")

    def search(self, sparse: SparseModel, request: SearchRequest) -> Ticket:
        sizes = [kernel.size for kernel in sparse.kernels]
        wanted = densities(
            sizes, request.density, self.last, self.first, self.shape
        )
        return ticket_from_densities(sparse.kernels, wanted, request.seed)

    def num_epochs(self, density: float, epochs: int) -> int:
        del density, epochs
        return 0


def densities(sizes, density, last=LAST_DENSITY, first=None, shape="quadratic"):
    """Computes the density of each layer.

    If a layer is full, the next layers with free connections take the rest.

    Args:
        sizes: List of integers, the connections of each layer, in order.
        density: Float in (0, 1), the density of all layers together.
        last: Float in (0, 1], the density of the last layer.
        first: Float in (0, 1], the density of the first layer, or `None`.
        shape: `"quadratic"` or `"vgg"`.

    Returns:
        List of floats in (0, 1]. Their mean is `density` if `first` is `None`.

    Raises:
        ValueError: If the layers are too small for all connections.

    Example:
        >>> densities([100, 100, 10], 0.2)
        [0.26, 0.13, 0.3]
    """
    if len(sizes) == 1:
        return [density]
    if first is not None:
        between = densities(sizes, density, LAST_DENSITY, None, shape)[1:-1]
        return [first, *between, last]
    wanted = density * sum(sizes)
    if last * sizes[-1] > MAX_LAST_SHARE * wanted:
        fixed, last = last, MAX_LAST_SHARE * wanted / sizes[-1]
        warnings.warn(
            f"A density of {density} keeps {wanted:.0f} connections. The last "
            f"layer gets two thirds of these connections, a density of "
            f"{last:.4f} instead of {fixed}.",
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
            "The layers must be large enough for all connections; "
            f"{excess:.0f} connections are left. Received: density={density}, "
            f"last={last}. Lower `density`, or raise `last`."
        )
    return [*result, last]
