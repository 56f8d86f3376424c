"""Dense layers that read only the active inputs of each neuron."""

from rigl_tf.deploy.condensing.condense_model import condense as condense
from rigl_tf.deploy.condensing.layer import Condensed as Condensed

__all__ = ["Condensed", "condense"]
