"""Removes neurons and channels that do not affect the outputs."""

from rigl_tf.deploy.shrinking.shrink_model import ShrinkResult as ShrinkResult
from rigl_tf.deploy.shrinking.shrink_model import shrink as shrink

__all__ = ["ShrinkResult", "shrink"]
