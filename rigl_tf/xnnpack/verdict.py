"""What is said of a model."""

import dataclasses

_NAMES = 3  # of layers with one reason


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether XNNPACK on ARM makes use of the zeros of convolutions.

    `str()` of it says so in words, layers with one reason together.

    Attributes:
        model: String, its name.
        sparsity: Float, the fraction of zeros in its 1x1 convolutions.
        reasons: Tuple of pairs of strings: a layer, or the model, and what of
            it prevents that, and what to change.
    """

    model: str
    sparsity: float
    reasons: tuple = ()

    @property
    def used(self):
        """Boolean, whether it does: only if nothing prevents it."""
        return not self.reasons

    def __str__(self):
        if self.used:
            return (
                f"On ARM, XNNPACK skips the zeros of {self.model!r}, "
                f"{self.sparsity:.1%} of its 1x1 convolutions. On x86 it "
                "never does."
            )
        by_reason = {}
        for name, reason in self.reasons:
            by_reason.setdefault(reason, []).append(name)
        lines = [
            f"- {_listed(names)}: {reason}"
            for reason, names in by_reason.items()
        ]
        return "\n".join(
            [
                "On ARM, as on x86, XNNPACK computes the convolutions of "
                f"{self.model!r} as if it had no zeros:",
                *lines,
            ]
        )


def _listed(names):
    if len(names) <= _NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
