"""Sparse training algorithms, one per file."""

from typing import Any

from rigl_tf.algorithms.ac_dc import ACDC as ACDC
from rigl_tf.algorithms.base import Algorithm as Algorithm
from rigl_tf.algorithms.base import Request as Request
from rigl_tf.algorithms.chts import CHTs as CHTs
from rigl_tf.algorithms.deepr import DeepR as DeepR
from rigl_tf.algorithms.dsr import DSR as DSR
from rigl_tf.algorithms.ggr import GGR as GGR
from rigl_tf.algorithms.ggr import GGRSET as GGRSET
from rigl_tf.algorithms.ggr import GGRRigL as GGRRigL
from rigl_tf.algorithms.ggr import SETRigL as SETRigL
from rigl_tf.algorithms.gradual_pruning import GradualPruning as GradualPruning
from rigl_tf.algorithms.granet import GraNet as GraNet
from rigl_tf.algorithms.kernel_view import CandidateTile as CandidateTile
from rigl_tf.algorithms.kernel_view import KernelView as KernelView
from rigl_tf.algorithms.mest import MEST as MEST
from rigl_tf.algorithms.movement_pruning import (
    MovementPruning as MovementPruning,
)
from rigl_tf.algorithms.random_numbers import RandomNumbers as RandomNumbers
from rigl_tf.algorithms.rewire import Rewire as Rewire
from rigl_tf.algorithms.rigl import RigL as RigL
from rigl_tf.algorithms.rigl import RigLSG as RigLSG
from rigl_tf.algorithms.rigl import RigLSM as RigLSM
from rigl_tf.algorithms.saliency_pruning import (
    SaliencyPruning as SaliencyPruning,
)
from rigl_tf.algorithms.snfs import SNFS as SNFS
from rigl_tf.algorithms.sparse_evolutionary import SET as SET
from rigl_tf.algorithms.static import Static as Static

ALGORITHMS = {
    "static": Static,
    "set": SET,
    "rigl": RigL,
    "snfs": SNFS,
    "rigl_sg": RigLSG,
    "rigl_sm": RigLSM,
    "dsr": DSR,
    "deepr": DeepR,
    "ggr": GGR,
    "ggr_set": GGRSET,
    "ggr_rigl": GGRRigL,
    "set_rigl": SETRigL,
    "gradual_pruning": GradualPruning,
    "granet": GraNet,
    "mest": MEST,
    "chts": CHTs,
    "ac_dc": ACDC,
    "movement_pruning": MovementPruning,
    "saliency_pruning": SaliencyPruning,
}


def get(name: str, **hyperparameters: Any) -> Algorithm:
    """Builds a registered algorithm by name.

    Args:
        name: String, a key of `ALGORITHMS`.
        **hyperparameters: Fields of the algorithm.

    Returns:
        `Algorithm`.

    Raises:
        ValueError: If the name is not registered.

    Example:

    >>> rigl_tf.algorithms.get("rigl")
    RigL()
    """
    if name not in ALGORITHMS:
        raise ValueError(
            "The name of an algorithm must be one of "
            f"{', '.join(sorted(ALGORITHMS))}. Received: name={name!r}. To add "
            "an algorithm, write a module in `rigl_tf/algorithms/` and an "
            "entry in `ALGORITHMS`."
        )
    return ALGORITHMS[name](**hyperparameters)
