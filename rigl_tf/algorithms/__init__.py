"""Rules for moving connections, one per file."""

from rigl_tf.algorithms.base import Algorithm as Algorithm
from rigl_tf.algorithms.base import LayerView as LayerView
from rigl_tf.algorithms.gradual_pruning import GradualPruning as GradualPruning
from rigl_tf.algorithms.rigl import RigL as RigL
from rigl_tf.algorithms.sparse_evolutionary import SET as SET
from rigl_tf.algorithms.static import Static as Static

ALGORITHMS = {
    "static": Static,
    "set": SET,
    "rigl": RigL,
    "gradual_pruning": GradualPruning,
}


def get(name, **hyperparameters):
    """Builds a registered algorithm by name.

    Raises:
        ValueError: If the name is not registered.
    """
    if name not in ALGORITHMS:
        raise ValueError(
            f"Unknown algorithm {name!r}. Registered algorithms: "
            f"{', '.join(sorted(ALGORITHMS))}. To add one, give it a module "
            "in `rigl_tf/algorithms/` and an entry in `ALGORITHMS`."
        )
    return ALGORITHMS[name](**hyperparameters)
