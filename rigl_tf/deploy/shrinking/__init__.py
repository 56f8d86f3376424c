"""Models without the neurons and channels that do nothing."""

from rigl_tf.deploy.shrinking.shrink_model import Shrunk as Shrunk
from rigl_tf.deploy.shrinking.shrink_model import shrink as shrink

__all__ = ["Shrunk", "shrink"]
