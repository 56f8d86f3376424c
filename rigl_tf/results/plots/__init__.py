"""Figures from records and masks."""

from rigl_tf.results.plots.curves import accuracy as accuracy
from rigl_tf.results.plots.curves import density_over_time as density_over_time
from rigl_tf.results.plots.curves import flops as flops
from rigl_tf.results.plots.curves import mask_changes as mask_changes
from rigl_tf.results.plots.layers import active as active
from rigl_tf.results.plots.layers import densities as densities
from rigl_tf.results.plots.mask_images import masks as masks
from rigl_tf.results.plots.tickets import before_and_after as before_and_after
from rigl_tf.results.plots.tickets import search as search
from rigl_tf.results.plots.tradeoffs import (
    accuracy_by_density as accuracy_by_density,
)
from rigl_tf.results.plots.tradeoffs import (
    accuracy_by_flops as accuracy_by_flops,
)
from rigl_tf.results.plots.tradeoffs import (
    accuracy_by_learning_rate as accuracy_by_learning_rate,
)
from rigl_tf.results.plots.tradeoffs import (
    accuracy_by_method as accuracy_by_method,
)
from rigl_tf.results.plots.tradeoffs import (
    before_by_density as before_by_density,
)
from rigl_tf.results.plots.tradeoffs import (
    checks_by_density as checks_by_density,
)
from rigl_tf.results.plots.tuning import trials as trials
