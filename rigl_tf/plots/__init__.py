"""Figures from records and masks."""

from rigl_tf.plots.against import accuracy_by_density as accuracy_by_density
from rigl_tf.plots.against import accuracy_by_flops as accuracy_by_flops
from rigl_tf.plots.against import (
    accuracy_by_learning_rate as accuracy_by_learning_rate,
)
from rigl_tf.plots.against import before_by_density as before_by_density
from rigl_tf.plots.against import checks_by_density as checks_by_density
from rigl_tf.plots.of_layers import active as active
from rigl_tf.plots.of_layers import densities as densities
from rigl_tf.plots.of_tickets import before_and_after as before_and_after
from rigl_tf.plots.of_tickets import search as search
from rigl_tf.plots.over_time import accuracy as accuracy
from rigl_tf.plots.over_time import density_over_time as density_over_time
from rigl_tf.plots.over_time import flops as flops
from rigl_tf.plots.pictures import masks as masks
from rigl_tf.plots.trials import trials as trials
