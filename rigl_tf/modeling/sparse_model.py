"""The sparse model: its parts, and how it compiles, trains and saves."""

import contextlib
import os
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
from keras import tree

from rigl_tf._keras_compat import MultiWorkerFit
from rigl_tf._keras_compat import Untracked
from rigl_tf._keras_compat import is_saving_as_h5
from rigl_tf._keras_compat import strategy_of
from rigl_tf._keras_compat import takes_training
from rigl_tf.algorithms.base import Algorithm
from rigl_tf.kernels import ActiveKernel
from rigl_tf.modeling import initial_masks
from rigl_tf.modeling import placement
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.modeling import training_step
from rigl_tf.modeling.forwarded_attributes import ForwardedAttributes
from rigl_tf.modeling.grow_init import GrowInit
from rigl_tf.modeling.sparse_optimizer import SparseOptimizer
from rigl_tf.modeling.sparse_step import SparseStep
from rigl_tf.modeling.training_guard import TrainingGuard
from rigl_tf.modeling.training_guard import look_back
from rigl_tf.modeling.wrapper_owner import WrapperOwner
from rigl_tf.sparsity.schedules.updates import UpdateSchedule
from rigl_tf.sparsity.structures.base import Structure
from rigl_tf.typing import Schedule
from rigl_tf.typing import SparsitySchedule
from rigl_tf.utils import archives
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import refusals
from rigl_tf.utils import tensors

# A class that overrides one of these trains itself, with its own code.
_OVERRIDES = (
    "compile",
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
    "metrics",
)


@keras.saving.register_keras_serializable(package="rigl_tf")
class SparseModel(
    ForwardedAttributes, WrapperOwner, MultiWorkerFit, keras.Model
):
    """A Keras model whose kernels have masks.

    `rigl_tf.sparsify` returns it. It compiles, fits, saves and loads like any
    Keras model. If the class of the network overrides `compile`, `train_step`,
    `test_step`, `predict_step`, `compute_loss`, `compute_metrics` or `metrics`,
    training uses these methods.

    Args:
        network: A built `keras.Model`.
        algorithm: `Algorithm`, the rule for moving connections.
        schedule: `UpdateSchedule`, in optimizer steps.
        drop_fraction: Function from step to the fraction of active
            connections that an update replaces.
        sparsity: `None` for a constant sparsity. For pruning, a function from
            step to sparsity, or to a pair (whether to prune, sparsity).
        budgets: List of integers, the final number of active connections of
            each kernel, or of active units of the structure.
        seed: Integer, the seed of all random choices in updates.
        structure: A structure of `rigl_tf.structures`. By default, every
            connection moves on its own.
        grow_init: `GrowInit`, the weights of new connections.
        masked: List of pairs: the path of a layer in the network, empty for
            the network itself, and the names of its kernels with masks. By
            default, the kernels in the `Sparse` layers of the network.
        is_placed: Boolean, whether the `Sparse` wrappers replace their layers
            in the network, so that `network.layers` shows them.

    Attributes:
        kernels: List of `SparseKernel`, the kernels with masks: `name`, `mask`,
            `count()` and `weights()` of each.
        step: int64 variable, completed optimizer steps, updates included.
        num_updates: int64 variable, completed updates of the masks.
        num_changed: int64 variable, connections that updates have grown and
            that were inactive before.
        num_skipped: int64 variable, batches without effect because a gradient
            was not finite.
        algorithm, schedule, drop_fraction, structure, grow_init, seed: As the
            arguments. The first `fit` fills in the open steps of schedules.
        sparse_step: `SparseStep`, which owns all these attributes.
    """

    def __init__(
        self,
        network: keras.Model,
        algorithm: Algorithm,
        schedule: UpdateSchedule,
        drop_fraction: Schedule,
        sparsity: float | SparsitySchedule | None,
        budgets: Sequence[int],
        seed: int = 0,
        structure: Structure | None = None,
        grow_init: GrowInit | None = None,
        masked: Sequence[Any] | None = None,
        is_placed: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("name", network.name)
        kwargs.setdefault("dtype", network.dtype_policy)
        super().__init__(**kwargs)
        self.network = network
        self.sparse_step = SparseStep(
            self.name,
            algorithm,
            schedule,
            drop_fraction,
            sparsity,
            budgets,
            seed,
            structure,
            grow_init,
            add_weight=self.add_weight,
        )
        self._in_graph = Untracked([])
        self.wrappers_beside = []
        if masked is not None:
            self._wrap(masked, is_placed)
        if network.built:
            self._watch()
            self.built = True

    def build(self, input_shape):
        super().build(input_shape)
        self._watch()

    def _watch(self):
        self.sparse_step.watch(sparse_wrapper.sparse_kernels(self.network))

    def _holds(self):
        """Returns the network, which the model may replace elsewhere."""
        return self.network

    @property
    def weights(self):
        """List of the variables of the network, the masks and the counters."""
        weights = super().weights
        counted = {id(weight) for weight in weights}
        masks = [
            mask
            for wrapper in sparse_wrapper.sparse_layers(self.network)
            for mask in wrapper.masks
            if id(mask) not in counted
        ]
        return weights + masks

    @property
    def moving_averages(self) -> list[keras.Variable]:
        """List of float variables that a forward pass may change."""
        return tensors.floats(self.network.non_trainable_variables)

    @property
    def trains_itself(self) -> bool:
        """Returns whether the network's class overrides training code."""
        kind = type(self.network)
        return any(
            getattr(kind, name) is not getattr(keras.Model, name)
            for name in _OVERRIDES
        )

    def call(self, inputs, training=None):
        if takes_training(self.network):
            return self.network(inputs, training=training)
        return self.network(inputs)

    # Training.

    def train_step(self, data):
        if self.trains_itself:
            return self.network.train_step(data)
        return training_step.train_step(self, data)

    def make_train_function(self, force=False):
        jit_compile = self.jit_compile
        own_step = type(self).train_step is SparseModel.train_step
        if own_step and not self.trains_itself:
            self.jit_compile = (
                jit_compile and not training_step.compiles_itself(self)
            )
        try:
            super().make_train_function(force)
        finally:
            self.jit_compile = jit_compile

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Any]]
    ) -> None:
        """Makes one training step with the gradients of a custom loop.

        The step is the same as in `fit`: it applies the gradients of active
        connections with the model's optimizer, moves connections if an update
        is due, and skips gradients that are not finite.

        Args:
            grads_and_vars: Iterable of pairs of gradient and variable. The
                gradients are those of the loss after
                `model.optimizer.scale_loss(loss)`. Under a
                `tf.distribute.Strategy`, call this method in replica context,
                with gradients of the loss divided by the number of replicas.
                Losses of Keras are already divided by it; add
                `sum(model.losses) / num_replicas`.

        Raises:
            ValueError: If the model is not compiled, or if a schedule has no
                `end_step`: only `fit` can fill it in.

        Example:

        >>> model = rigl_tf.sparsify(
        ...     keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        ...     "rigl", sparsity=0.5,
        ...     schedule=rigl_tf.schedules.UpdateSchedule(10, end_step=100))
        >>> model.compile("sgd", loss="mse")
        >>> with tf.GradientTape() as tape:
        ...     loss = tf.reduce_mean(model(tf.ones((2, 4)), training=True))
        >>> gradients = tape.gradient(loss, model.trainable_variables)
        >>> model.apply_gradients(zip(gradients, model.trainable_variables))
        >>> int(model.step)
        1
        """
        if self.optimizer is None:
            raise ValueError(
                f"{self.name!r} has no optimizer. Call "
                "`model.compile(optimizer)` first."
            )
        gradients, variables = zip(*grads_and_vars, strict=True)
        self.sparse_step.apply(self.optimizer, gradients, variables)

    def compile(self, *args, **kwargs):
        """Compiles the model, with the arguments of the network's class."""
        optimizer = args[0] if args else kwargs.get("optimizer")
        refusals.refuse_keras_2(optimizer, "optimizer")
        wanted = kwargs.get("jit_compile", "auto")
        stored = [k.name for k in self.kernels if isinstance(k, ActiveKernel)]
        refusals.refuse_to_jit_active(wanted, stored)
        if wanted == "auto" and any(k.beats_xla for k in self.kernels):
            kwargs["jit_compile"] = False
        if self.trains_itself:
            self._compile_network(*args, **kwargs)
        else:
            super().compile(*args, **kwargs)
        if self.optimizer is not None:
            refusals.refuse_on_several_devices(
                self, optimizer_slots.accumulation_steps(self.optimizer)
            )
        if self.built and self.optimizer is not None:
            optimizer_slots.prepare(self.optimizer)
            # Not in the first step: a branch cannot create variables.
            self.optimizer.build(self.trainable_variables)
            self.sparse_step.check_optimizer(self.optimizer)

    def _compile_network(self, *args, **kwargs):
        """Compiles a network that trains itself with a `SparseOptimizer`."""
        self.network.compile(*args, **kwargs)
        refusals.refuse_own_optimizer(self.network)
        how = {
            name: kwargs[name]
            for name in ("run_eagerly", "steps_per_execution", "jit_compile")
            if name in kwargs
        }
        super().compile(self.network.optimizer, **how)
        self.network.optimizer = SparseOptimizer(self.optimizer, self)

    def get_compile_config(self):
        if self.trains_itself and self.compiled:
            return self.network.get_compile_config()
        return super().get_compile_config()

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        refusals.refuse_outside_of_scope(strategy_of(self))
        guard = TrainingGuard(self.sparse_step)
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.append(guard)
        else:
            callbacks = [guard, *tree.flatten(callbacks or [])]
        history = super().fit(
            x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs
        )
        look_back(self.sparse_step, guard)
        return history

    def evaluate(self, *args, **kwargs):
        self.impose_masks()  # weights may have been set from outside
        return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        self.impose_masks()
        return super().predict(*args, **kwargs)

    def save_own_variables(self, store):
        self.impose_masks()
        super().save_own_variables(store)

    def set_weights(self, weights):
        """Sets all weights, then sets inactive weights to zero."""
        super().set_weights(weights)
        self.sparse_step.take_masks()

    def load_weights(self, *args, **kwargs):
        """Loads weights and masks; the file may have another sparsity."""
        super().load_weights(*args, **kwargs)
        self.sparse_step.take_masks()

    def quantize(self, *args, **kwargs):
        del args, kwargs
        refusals.refuse_to_quantize(self.name)

    # Saving.

    def save(self, filepath, *args, **kwargs):
        """Saves as Keras does; zeros take almost no room in a `.keras` file."""
        super().save(filepath, *args, **kwargs)
        if str(filepath).endswith(".keras") and os.path.isfile(filepath):
            archives.compress(filepath)

    _OBJECTS = (
        "network",
        "algorithm",
        "schedule",
        "drop_fraction",
        "sparsity",
        "structure",
        "grow_init",
    )

    def get_config(self):
        if is_saving_as_h5():
            refusals.refuse_hdf5(self.name)
        return {
            "name": self.name,
            **self._serialized(),
            "budgets": self.budgets,
            "seed": self.seed,
            "masked": self._saved_entries(),
            "is_placed": bool(self._in_graph.value),
            "ends_with_fit": self.sparse_step.ends_with_fit,
        }

    def _serialized(self):
        """Returns the serialized objects, with a network without wrappers."""
        with (
            placement.unplaced(self.network, self._in_graph.value),
            _uncompiled(self.network),
        ):
            return {
                key: keras.saving.serialize_keras_object(getattr(self, key))
                for key in self._OBJECTS
            }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "granularity" in config:  # the name in files of version 0.1
            config["structure"] = config.pop("granularity")
        for key in cls._OBJECTS:
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        ends_with_fit = config.pop("ends_with_fit", False)
        model = cls(**config)
        model.sparse_step.ends_with_fit = ends_with_fit
        # A clone trains from these; a file brings its own.
        model.sparse_step.draw_masks()
        initial_masks.draw_stored(model.sparse_step)
        return model


@contextlib.contextmanager
def _uncompiled(network):
    """Leaves out of a configuration what a network was compiled with."""
    compiled, network.compiled = network.compiled, False
    try:
        yield
    finally:
        network.compiled = compiled
