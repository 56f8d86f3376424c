"""Sparse training of any compiled Keras model, in place."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rigl_tf.algorithms.base import Algorithm
from rigl_tf.modeling import initial_masks
from rigl_tf.modeling import maskable
from rigl_tf.modeling.setup import resolve
from rigl_tf.modeling.sparse_model import SparseModel
from rigl_tf.modeling.sparse_optimizer import SparseOptimizer
from rigl_tf.modeling.sparse_step import SparseStep
from rigl_tf.modeling.sparse_wrapper import Sparse
from rigl_tf.modeling.sparse_wrapper import sparse_kernels
from rigl_tf.modeling.training_guard import TrainingGuard
from rigl_tf.modeling.training_guard import look_back
from rigl_tf.sparsity import distributions
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import refusals
from rigl_tf.utils import tensors


class SparseTraining(TrainingGuard):
    """A callback that makes a model sparse during its own `fit`.

    The model keeps its class, its `train_step` and its layers. `model.save`
    writes a plain Keras file, with exact zeros, that loads without this
    library. `rigl_tf.summary(model)` shows the masks.

    A second `fit` with the same callback continues the training. A model that
    was loaded from a file keeps its zeros with `masks="magnitude"`. If another
    callback restores the weights of an earlier epoch, such as
    `EarlyStopping(restore_best_weights=True)`, the masks follow the restored
    weights. They do not say which zeros were connections: if too few weights
    are not zero, other zeros become connections, so that a layer keeps its
    number, except with algorithms that move connections between layers.
    Between two calls of `fit`, the model is an ordinary model: inactive
    weights that `set_weights` or `load_weights` changes become zero at the
    start of the next `fit`.

    Args:
        algorithm: `Algorithm`, its class or its name, as for `sparsify`.
        sparsity: Float in [0, 1), the fraction of zeros, or anything else
            that `sparsify` accepts.
        **options: Other arguments of `sparsify`: `distribution`, `schedule`,
            `drop_fraction`, `exclude`, `include`, `structure`, `grow_init`,
            `masks`, `seed`.

    Attributes:
        sparse_step: `SparseStep`, with the masks and counters.

    Raises:
        TypeError: If an option is unknown. At the start of `fit`, if the model
            is a `SparseModel`, which needs no callback.
        ValueError: At the start of `fit`, as in `sparsify`, and if the model
            has no optimizer or `fit` has two of these callbacks.

    Example:

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10)])
    >>> model.compile("sgd", loss="mse")
    >>> x, y = np.ones((32, 8)), np.ones((32, 10))
    >>> training = rigl_tf.SparseTraining("set", sparsity=0.9, schedule=2)
    >>> history = model.fit(
    ...     x, y, batch_size=4, verbose=0, callbacks=[training])
    >>> rigl_tf.summary(model).sparsity
    0.9
    """

    def __init__(
        self,
        algorithm: str | Algorithm | type[Algorithm],
        *,
        sparsity: float | Mapping[str, float] | SparsitySchedule,
        **options: Any,
    ) -> None:
        super().__init__(None)
        unknown = options.keys() - _DEFAULTS.keys()
        if unknown:
            raise TypeError(
                f"`SparseTraining` has no option {', '.join(sorted(unknown))}. "
                f"Options: {', '.join(_DEFAULTS)}."
            )
        self._options = {
            "algorithm": algorithm,
            "sparsity": sparsity,
            **_DEFAULTS,
            **options,
        }
        self._prepared = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if isinstance(model, SparseModel):
            raise TypeError(
                f"{model.name!r} is a `SparseModel`, which needs no "
                "`SparseTraining`. Leave the callback out of its `fit`."
            )
        if model.optimizer is None:
            raise ValueError(
                f"{model.name!r} has no optimizer, whose steps move "
                "connections. Call `model.compile` with an optimizer. If the "
                "model trains with one of its own, make it sparse by "
                "`sparsify` and wrap that one: "
                "`rigl_tf.SparseOptimizer(optimizer, sparse_model)`."
            )
        num_batches = optimizer_slots.accumulation_steps(model.optimizer)
        refusals.refuse_on_several_devices(model, num_batches)
        with model.distribute_strategy.scope():  # a mask on every replica
            if self._prepared is not model:
                self._prepare(model)
                self._prepared = model
            model.optimizer = SparseOptimizer(model.optimizer, self)
        model.train_function = None  # it has another optimizer now
        # Now, as other callbacks may restore a backup before this one begins.
        self.sparse_step.impose_masks()
        self._known_iterations = self._iterations()
        self._epochs_of_history = self._history_epochs()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.model.optimizer.sparse_step is not self.sparse_step:
            raise ValueError(
                "`fit` has two `SparseTraining` callbacks. Use one: "
                '`sparsity={"first": 0.9, "last": 0.5}` gives each layer its '
                "own."
            )
        # `History` makes this list when it begins.
        self._is_late = self._history_epochs() is not self._epochs_of_history
        if self._is_late:
            warnings.warn(
                "Masks will not follow weights that a callback restores at "
                "the end, because `History` comes before `SparseTraining`. "
                "Leave `History()` out of `callbacks`: `fit` returns one.",
                stacklevel=2,
            )
        self._follow_backup()
        super().on_train_begin(logs)

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if not self._is_resolved:
            self._follow_backup()
        super().on_epoch_begin(epoch, logs)

    def _follow_backup(self):
        """Takes over what another callback has restored before training."""
        restored = self._iterations() - self._known_iterations
        self._known_iterations += restored
        self.sparse_step.step.assign_add(restored)
        self._follow_weights(always=restored != 0)

    def _history_epochs(self):
        return getattr(getattr(self.model, "history", None), "epoch", None)

    def _iterations(self):
        return tensors.as_int(self.model.optimizer.iterations)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        del logs
        self.model.optimizer = self.model.optimizer.inner_optimizer
        self.model.train_function = None
        self._follow_weights()
        look_back(self.sparse_step, self)
        # A later callback may restore weights. `History` is the last one.
        history = getattr(self.model, "history", None)
        if history is not None and not self._is_late:
            history.on_train_end = self._on_fit_end

    def _on_fit_end(self, logs=None):
        del logs
        del self.model.history.on_train_end
        if self._follow_weights():
            look_back(self.sparse_step, self)

    def _follow_weights(self, always=False):
        """Sets masks to the zeros of weights that a callback has restored.

        Args:
            always: Boolean. If not, only masks that would hide weights change.

        Returns:
            Boolean, whether it has set any mask.
        """
        is_other = False
        for i, kernel in enumerate(self.sparse_step.kernels):
            weights = tensors.as_array(kernel.variable)
            if always or np.any(weights[~tensors.as_array(kernel.mask)]):
                mask = initial_masks.covering(self.sparse_step, i)
                kernel.set_mask(tensors.as_array(mask))
                is_other = True
        return is_other

    def _prepare(self, model):
        if not model.weights:
            raise ValueError(
                f"{model.name!r} has no weights yet. Give it an `Input`, or "
                "call it once, before `fit`."
            )
        masks = self._options["masks"]
        setup = resolve(model, **self._options, storage="dense")
        if setup.algorithm.needs_momentum:
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            for variable in model.trainable_variables:
                optimizer_slots.momentum(model.optimizer, variable)
        layers = {"": model, **dict(maskable.layers_of(model))}
        # The wrappers are in no graph; saved files do not have them.
        for path, kernels in setup.masked:
            wrapper = Sparse(layers[path], kernels)
            if not wrapper.built:  # only the layers of the model are built
                wrapper.add_masks()
        self._variables = keras.layers.Layer()
        self.sparse_step = SparseStep(
            model.name,
            **setup.step_arguments(),
            add_weight=self._variables.add_weight,
        )
        self.sparse_step.watch(sparse_kernels(model))
        setup.set_first_masks(self.sparse_step)
        if isinstance(masks, dict):
            self.sparse_step.set_masks(masks)


_DEFAULTS = {
    "distribution": distributions.erdos_renyi_kernel,
    "schedule": None,
    "drop_fraction": None,
    "exclude": (),
    "include": (),
    "structure": None,
    "grow_init": None,
    "masks": "random",
    "seed": 0,
}
