"""Attributes of a sparse model that its network or `SparseStep` has."""

from collections.abc import Sequence
from typing import Any

from rigl_tf._keras_compat import graph_of
from rigl_tf._keras_compat import is_called
from rigl_tf._keras_compat import takes_training
from rigl_tf.typing import LayerMixin


def _of_sparse_step(name: str) -> Any:
    return property(
        lambda self: getattr(self.sparse_step, name),
        lambda self, value: setattr(self.sparse_step, name, value),
        doc=f"`SparseStep.{name}`.",
    )


def _of_network(name: str) -> Any:
    return property(
        lambda self: getattr(self.network, name),
        doc=f"The network's `{name}`.",
    )


class ForwardedAttributes(LayerMixin):
    """Forwards attributes of a model to its `network` or `sparse_step`."""

    algorithm = _of_sparse_step("algorithm")
    schedule = _of_sparse_step("schedule")
    drop_fraction = _of_sparse_step("drop_fraction")
    sparsity = _of_sparse_step("sparsity")
    budgets = _of_sparse_step("budgets")
    seed = _of_sparse_step("seed")
    structure = _of_sparse_step("structure")
    grow_init = _of_sparse_step("grow_init")
    kernels = _of_sparse_step("kernels")
    step = _of_sparse_step("step")
    num_skipped = _of_sparse_step("num_skipped")
    num_skipped_last = _of_sparse_step("num_skipped_last")
    num_updates = _of_sparse_step("num_updates")
    num_changed = _of_sparse_step("num_changed")
    overdue = _of_sparse_step("overdue")
    state = _of_sparse_step("state")
    momenta = _of_sparse_step("momenta")
    signs = _of_sparse_step("signs")
    impose_masks = _of_sparse_step("impose_masks")
    set_masks = _of_sparse_step("set_masks")
    is_due = _of_sparse_step("is_due")
    current_budgets = _of_sparse_step("current_budgets")
    current_drop_fraction = _of_sparse_step("current_drop_fraction")
    current_sparsity = _of_sparse_step("current_sparsity")
    final_sparsity = _of_sparse_step("final_sparsity")
    resolve_schedules = _of_sparse_step("resolve_schedules")
    resolved_schedule = _of_sparse_step("resolved_schedule")

    # The network answers for its structure.

    inputs = _of_network("inputs")
    outputs = _of_network("outputs")
    input_shape = _of_network("input_shape")
    output_shape = _of_network("output_shape")

    @property
    def input(self):
        """The symbolic inputs, also where the model is part of another."""
        if is_called(self):
            return super().input
        return graph_of(self.network).input

    @property
    def output(self):
        """The symbolic outputs, also where the model is part of another."""
        if is_called(self):
            return super().output
        return graph_of(self.network).output

    @property
    def output_names(self) -> Sequence[str] | None:
        """List of the names of the outputs, for losses and metrics."""
        return getattr(graph_of(self.network), "output_names", None)

    def get_layer(self, name=None, index=None):
        """Returns a layer of the network by its name or index."""
        return self.network.get_layer(name, index)

    def summary(self, *args, **kwargs):
        """Prints a summary of the network; see also `rigl_tf.summary`."""
        return self.network.summary(*args, **kwargs)

    def compute_output_spec(self, inputs, training=None):
        if takes_training(self.network):
            return self.network.compute_output_spec(inputs, training=training)
        return self.network.compute_output_spec(inputs)

    def compute_output_shape(self, *args, **kwargs):
        return self.network.compute_output_shape(*args, **kwargs)

    def export(self, *args, **kwargs):
        """Exports the network for serving, as `keras.Model.export` does."""
        return self.network.export(*args, **kwargs)

    # A network that trains itself also answers for its steps.

    def test_step(self, data):
        if self.trains_itself:
            return self.network.test_step(data)
        return super().test_step(data)

    def predict_step(self, data):
        if self.trains_itself:
            return self.network.predict_step(data)
        return super().predict_step(data)

    @property
    def metrics(self):
        if self.trains_itself:
            return self.network.metrics
        return super().metrics


def network_of(model: Any) -> Any:
    """Returns the network of a sparse model, and any other model itself.

    Other classes may have an attribute `network` that is a part of them.
    """
    return model.network if isinstance(model, ForwardedAttributes) else model
