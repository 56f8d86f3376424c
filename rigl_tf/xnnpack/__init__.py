"""Whether XNNPACK, which LiteRT computes with, makes use of zeros."""

from rigl_tf.xnnpack.checking import check as check
from rigl_tf.xnnpack.verdict import Verdict as Verdict

__all__ = ["Verdict", "check"]
