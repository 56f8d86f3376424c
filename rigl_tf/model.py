"""The sparse model: what it holds, how it is compiled, fitted and saved."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from rigl_tf import granularity as units
from rigl_tf import grow_init as initialization
from rigl_tf import layers
from rigl_tf import masks
from rigl_tf import plan
from rigl_tf import refusals
from rigl_tf import schedules
from rigl_tf import slots
from rigl_tf import step
from rigl_tf import tensors
from rigl_tf.guard import Guard
from rigl_tf.multi_worker import MultiWorkerFit
from rigl_tf.storage import ActiveKernel
from rigl_tf.storage import checked_mask


@keras.saving.register_keras_serializable(package="rigl_tf")
class SparseModel(MultiWorkerFit, keras.Model):
    """Trains a network whose `Sparse` layers keep to their masks.

    Build it with `rigl_tf.sparsify`. It compiles, fits, saves and loads like
    any Keras model.

    Args:
        network: A built `keras.Model` with `Sparse` layers.
        algorithm: `Algorithm`, the rule for moving connections.
        schedule: `UpdateSchedule`, in optimizer steps.
        drop_fraction: Callable from step to the fraction of active
            connections that an update replaces.
        sparsity: Callable from step to the sparsity wanted then, or to a pair
            (whether to update, sparsity). `None` where it does not change.
        budgets: List of integers, the active connections of each kernel in
            the end, or units of the granularity.
        seed: Integer, for everything random in the updates.
        granularity: Of `rigl_tf.granularity`, what moves as one.
        grow_init: `GrowInit`, the weight of new connections.

    Attributes:
        step: int64 variable, iterations of `fit` so far, updates included.
        num_skipped: int64 variable, iterations without effect because a
            gradient was not finite.
        num_skipped_last: int64 variable, how many of them were the last ones
            in a row.
        num_updates: int64 variable, updates of the masks so far.
        num_changed: int64 variable, connections that updates have grown where
            there was none before the update.
        overdue: Boolean variable, whether an update was due at a skipped step.
        state: Dictionary from name to float32 variable, the algorithm's own.
        momenta: Dictionary from the id of a kernel variable to the running
            gradient that the algorithm tracks.
        signs: Dictionary from the id of a kernel variable to the signs that
            the algorithm fixes.
    """

    def __init__(
        self,
        network,
        algorithm,
        schedule,
        drop_fraction,
        sparsity,
        budgets,
        seed=0,
        granularity=None,
        grow_init=None,
        **kwargs,
    ):
        kwargs.setdefault("name", network.name)
        kwargs.setdefault("dtype", network.dtype_policy)
        super().__init__(**kwargs)
        self.network = network
        self.algorithm = algorithm
        self.schedule = schedule
        self.drop_fraction = drop_fraction
        self.sparsity = sparsity
        self.budgets = list(budgets)
        self.seed = seed
        self.granularity = granularity or units.Connections()
        self.grow_init = grow_init or initialization.GrowInit()
        self.step = self._counter("step", "int64")
        self.num_skipped = self._counter("num_skipped", "int64")
        self.num_skipped_last = self._counter("num_skipped_last", "int64")
        self.num_updates = self._counter("num_updates", "int64")
        self.num_changed = self._counter("num_changed", "int64")
        self.overdue = self._counter("overdue", "bool")
        self.state = {
            name: self._counter(name, "float32", value)
            for name, value in algorithm.initial_state().items()
        }
        self.momenta, self.signs = {}, {}
        # Whether the schedule ends where a part of a `fit` does.
        self._end_is_of_fit = False
        if network.built:
            self._add_beside_kernels()
            self.built = True

    def build(self, input_shape):
        super().build(input_shape)
        self._add_beside_kernels()

    def _add_beside_kernels(self):
        """Creates what an algorithm keeps for every connection."""
        kinds = []
        if self.algorithm.tracks_gradient:
            kinds.append(("momentum", "float32", self.momenta))
        if self.algorithm.fixes_signs:
            kinds.append(("sign", "int8", self.signs))
        for kernel in self.kernels:
            for name, dtype, found in kinds:
                found[id(kernel.variable)] = self.add_weight(
                    name=f"{kernel.name.replace('/', '_')}_{name}",
                    shape=kernel.variable.shape,
                    dtype=dtype,
                    initializer="zeros",
                    trainable=False,
                )

    def _counter(self, name, dtype, value=0):
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def kernels(self):
        """List of `SparseKernel`, in the order of the network."""
        return layers.sparse_kernels(self.network)

    @property
    def moving(self):
        """List of variables of floats that a forward pass may change."""
        return tensors.floats(self.network.non_trainable_variables)

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_output_spec(self, inputs, training=None):
        return self.network.compute_output_spec(inputs, training=training)

    def train_step(self, data):
        self.plan(None)
        return step.train_step(self, data)

    def is_due(self):
        """Whether this step updates the masks, as a boolean tensor."""
        now = tf.convert_to_tensor(self.step)
        if self._sparsity_decides():
            due = self.sparsity(now)[0]
        else:
            due = self.schedule(now)
        return tf.logical_or(due, tf.convert_to_tensor(self.overdue))

    def current_budgets(self):
        """Units granted to each kernel now, as int64 scalars."""
        if self.sparsity is None:
            return [tf.constant(b, tf.int64) for b in self.budgets]
        wanted = self.current_sparsity(tf.convert_to_tensor(self.step))
        done = schedules.exactly(wanted) / max(self.final_sparsity(), 1e-9)
        sizes = [
            math.prod(self.granularity.shape(kernel.layout))
            for kernel in self.kernels
        ]
        return [
            # The nudge is for quotients a rounding error below 1.
            size - tf.cast(tf.floor(done * (size - b) + 1e-6), tf.int64)
            for size, b in zip(sizes, self.budgets, strict=True)
        ]

    def current_drop_fraction(self):
        """The fraction of active connections that an update now replaces."""
        last = self.schedule.end_step
        over = last is not None and tensors.as_int(self.step) >= last
        if over or not self.algorithm.updates_masks or self.sparsity:
            return 0.0
        return float(self.drop_fraction(tensors.as_int(self.step)))

    def current_sparsity(self, step):
        """The sparsity that the sparsity schedule wants at a step."""
        wanted = self.sparsity(step)
        return wanted[1] if self._sparsity_decides() else wanted

    def final_sparsity(self):
        """The sparsity that the sparsity schedule ends with, a float."""
        return schedules.final_sparsity(self.sparsity)

    # Before the first step.

    def compile(self, optimizer="rmsprop", *args, **kwargs):
        refusals.refuse_keras_2(optimizer, "optimizer")
        refusals.refuse_to_jit_active(
            kwargs.get("jit_compile"),
            [k.name for k in self.kernels if isinstance(k, ActiveKernel)],
        )
        wanted = kwargs.get("jit_compile", "auto")
        if wanted == "auto" and any(k.beats_xla for k in self.kernels):
            kwargs["jit_compile"] = False
        super().compile(optimizer, *args, **kwargs)
        refusals.refuse_to_jit(self.jit_compile, self.distribute_strategy)
        if self.built and self.optimizer is not None:
            slots.prepare(self.optimizer)
            # Not in the first step: a branch cannot create variables.
            self.optimizer.build(self.trainable_variables)
            if self.algorithm.needs_momentum:
                for kernel in self.kernels:
                    slots.momentum(self.optimizer, kernel.variable)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, *args, callbacks=None, **kwargs):
        refusals.refuse_outside_of_scope(self._distribute_strategy)
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.append(Guard())
        else:
            callbacks = [Guard(), *tree.flatten(callbacks or [])]
        return super().fit(*args, callbacks=callbacks, **kwargs)

    def impose_masks(self):
        """Zeroes inactive weights; before the first step, fixes signs."""
        for i, kernel in enumerate(self.kernels):
            kernel.impose()
            if self.signs and tensors.as_int(self.step) == 0:
                self.signs[id(kernel.variable)].assign(
                    _signs(kernel, (self.seed, i))
                )

    def set_masks(self, masks):
        """Replaces masks; weights that become inactive become zero.

        Each layer then has the connections of its new mask.

        Args:
            masks: Dictionary from the name of a kernel, as in `kernels`, to a
                boolean array of its shape. Other kernels keep theirs.

        Raises:
            ValueError: If a name is unknown, or a mask is not boolean, has
                another shape, is `False` everywhere, or divides what the
                granularity moves as one.
        """
        kernels = {kernel.name: kernel for kernel in self.kernels}
        if not masks.keys() <= kernels.keys():
            raise ValueError(
                "`masks` names kernels that are not there: "
                f"{', '.join(sorted(masks.keys() - kernels.keys()))}. "
                f"Kernels: {', '.join(kernels)}."
            )
        for i, (name, kernel) in enumerate(kernels.items()):
            if name not in masks:
                continue
            mask = checked_mask(masks[name], kernel.kernel_shape, name)
            part = self.granularity.pool(
                tf.cast(mask, tf.float32), kernel.layout
            ).numpy()
            if np.any((part > 0) & (part < 1)):
                raise ValueError(
                    f"The mask of {name!r} divides what {self.granularity} "
                    "moves as one."
                )
            kernel.set_mask(mask)
            self.budgets[i] = int(np.count_nonzero(part))
        self.impose_masks()

    def plan(self, num_steps, steps_per_epoch=None):
        """Fixes the open ends of the schedules before the first step.

        Args:
            num_steps: Integer, steps of the `fit` that begins, or `None` if
                they cannot be known.
            steps_per_epoch: Integer, or `None` likewise.
        """
        if self.algorithm.updates_masks:
            start = 0 if num_steps is None else tensors.as_int(self.step)
            if self._end_is_of_fit:
                plan.warn_if_over(self.schedule, start)
            is_open = self.schedule.end_step is None
            self.schedule, self.drop_fraction, self.sparsity = plan.complete(
                self.schedule,
                self.drop_fraction,
                self.sparsity,
                start,
                num_steps,
                steps_per_epoch,
            )
            if is_open and self.schedule.end_step is not None:
                self._end_is_of_fit = True

    @property
    def planned(self):
        """Dictionary: `interval` and `end_step`, which a `fit` may have set."""
        return {
            "interval": self.schedule.interval,
            "end_step": self.schedule.end_step,
        }

    @planned.setter
    def planned(self, values):
        self.schedule = dataclasses.replace(self.schedule, **values)

    def _sparsity_decides(self):
        return schedules.decides_when(self.sparsity)

    def quantize(self, *args, **kwargs):
        del args, kwargs
        refusals.refuse_to_quantize(self.name)

    @property
    def input_shape(self):
        """That of the network, with the batch."""
        return self.network.input_shape

    @property
    def output_shape(self):
        """That of the network, with the batch."""
        return self.network.output_shape

    # Saving.

    def export(self, *args, **kwargs):
        """Exports the network for serving, as `keras.Model.export` does."""
        return self.network.export(*args, **kwargs)

    _OBJECTS = (
        "network",
        "algorithm",
        "schedule",
        "drop_fraction",
        "sparsity",
        "granularity",
        "grow_init",
    )

    def get_config(self):
        objects = {
            key: keras.saving.serialize_keras_object(getattr(self, key))
            for key in self._OBJECTS
        }
        return {
            "name": self.name,
            **objects,
            "budgets": self.budgets,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        for key in cls._OBJECTS:
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        return cls(**config)


def _signs(kernel, seed):
    """Those of the weights, and random ones where a weight is zero."""
    bits = masks.random_scores(
        kernel.variable.shape, tf.constant(seed, tf.int64)
    )
    sign = np.sign(kernel.variable)
    return np.where(sign == 0, np.where(bits < 0, -1, 1), sign).astype("int8")
