"""The sparse model: its train step and its update of the masks."""

import keras
import tensorflow as tf
from keras import tree

from rigl_tf import layers
from rigl_tf import plan
from rigl_tf import refusals
from rigl_tf import schedules
from rigl_tf import slots
from rigl_tf import update


@keras.saving.register_keras_serializable(package="rigl_tf")
class SparseModel(keras.Model):
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
            the end.
        seed: Integer, for everything random in the updates.

    Attributes:
        step: int64 variable, iterations of `fit` so far, updates included.
        num_skipped: int64 variable, iterations without effect because a
            gradient was not finite.
        num_changed: int64 variable, connections that updates have grown where
            there was none before the update.
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
        self.step = self._counter("step", "int64")
        self.num_skipped = self._counter("num_skipped", "int64")
        self.num_changed = self._counter("num_changed", "int64")
        self._overdue = self._counter("overdue", "bool")
        if network.built:
            self.built = True

    def _counter(self, name, dtype):
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def kernels(self):
        """List of `SparseKernel`, in the order of the network."""
        return layers.sparse_kernels(self.network)

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_output_spec(self, inputs, training=None):
        return self.network.compute_output_spec(inputs, training=training)

    # What happens in a step.

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.plan(None)
        # What a forward pass changes: moving averages, metrics. Read first,
        # so that a step that is skipped can put it back.
        state = self.non_trainable_variables + self.metrics_variables
        state = [v for v in state if "float" in v.dtype]
        before = [tf.identity(v.value) for v in state]

        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(
                x=x,
                y=y,
                y_pred=y_pred,
                sample_weight=sample_weight,
                training=True,
            )
            self._loss_tracker.update_state(
                loss * tf.distribute.get_strategy().num_replicas_in_sync,
                sample_weight=tf.shape(tree.flatten(x)[0])[0],
            )
            loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        pairs = [
            (gradient, variable)
            for gradient, variable in zip(
                tape.gradient(loss, variables), variables, strict=True
            )
            if gradient is not None
        ]
        if not pairs:
            raise ValueError(
                "The loss does not depend on any trainable weight. Check the "
                "model's outputs, and that some layer is trainable."
            )
        gradients, variables = zip(*pairs, strict=True)
        logs = self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

        replica = tf.distribute.get_replica_context()
        num_bad = replica.all_reduce(
            tf.distribute.ReduceOp.SUM, _count_non_finite(gradients)
        )

        def choose(strategy, num_bad, gradients, before):
            """Skips the step, moves connections, or applies gradients.

            Across replicas, because an optimizer cannot be applied in a
            branch inside one (Keras merges replicas there).
            """
            num_bad = strategy.experimental_local_results(num_bad)[0]

            def everywhere(function, *args):
                strategy.extended.call_for_each_replica(function, args=args)
                return tf.constant(0)

            def apply():
                with _constraints_off(self.optimizer, self.kernels):
                    return everywhere(self._apply, gradients, variables)

            def move():
                if not self.algorithm.replaces_step:
                    apply()
                self._overdue.assign(False)
                return everywhere(self._move, gradients, variables)

            def skip():
                self.num_skipped.assign(self.num_skipped + 1)
                self._overdue.assign(self._is_due())
                return everywhere(self._put_back, state, before)

            def step():
                if not self.algorithm.updates_masks:
                    return apply()
                return tf.cond(self._is_due(), move, apply)

            tf.cond(num_bad == 0, step, skip)
            self.step.assign(self.step + 1)

        replica.merge_call(choose, args=(num_bad, list(gradients), before))
        return logs

    def _apply(self, gradients, variables):
        """Steps the optimizer with the gradient of active connections."""
        mask_of = {id(k.variable): k.mask for k in self.kernels}
        shown = [
            layers.masked(gradient, mask_of[id(variable)])
            if id(variable) in mask_of
            else tf.identity(gradient)
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
        self.optimizer.apply(shown, variables)

    def _move(self, gradients, variables):
        """Moves connections in every trainable kernel."""
        step = tf.convert_to_tensor(self.step)
        pruning = self.sparsity is not None  # goes by its budgets alone
        num_changed = update.move_connections(
            self.kernels,
            self.algorithm,
            self.optimizer,
            dict(zip(map(id, variables), gradients, strict=True)),
            0.0 if pruning else schedules.fraction(self.drop_fraction(step)),
            self.current_budgets(),
            self.seed,
            step,
        )
        self.num_changed.assign(self.num_changed + num_changed)

    def _put_back(self, state, before):
        """Undoes what the forward pass of a bad batch has changed."""
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            self.optimizer.step_counter.assign(0)
            scale = self.optimizer.dynamic_scale
            scale.assign(scale * 0.5)

    def _is_due(self):
        step = tf.convert_to_tensor(self.step)
        if self._sparsity_decides():
            due = self.sparsity(step)[0]
        else:
            due = self.schedule(step)
        return tf.logical_or(due, tf.convert_to_tensor(self._overdue))

    def current_budgets(self):
        """Connections granted to each kernel now, as int64 scalars."""
        if self.sparsity is None:
            return [tf.constant(b, tf.int64) for b in self.budgets]
        wanted = self.current_sparsity(tf.convert_to_tensor(self.step))
        done = schedules.exactly(wanted) / max(self.final_sparsity(), 1e-9)
        return [
            kernel.size
            # The nudge is for quotients a rounding error below 1.
            - tf.cast(tf.floor(done * (kernel.size - b) + 1e-6), tf.int64)
            for kernel, b in zip(self.kernels, self.budgets, strict=True)
        ]

    def current_drop_fraction(self):
        """The fraction of active connections that an update now replaces."""
        last = self.schedule.end_step
        over = last is not None and layers.as_int(self.step) >= last
        if over or not self.algorithm.updates_masks or self.sparsity:
            return 0.0
        return float(self.drop_fraction(layers.as_int(self.step)))

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
        super().compile(optimizer, *args, **kwargs)
        if self.built and self.optimizer is not None:
            slots.prepare(self.optimizer)
            # Not in the first step: a branch cannot create variables.
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, *args, callbacks=None, **kwargs):
        planner = _Planner()
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.append(planner)
        else:
            callbacks = [planner, *tree.flatten(callbacks or [])]
        return super().fit(*args, callbacks=callbacks, **kwargs)

    def impose_masks(self):
        """Zeroes every weight that its mask says is inactive."""
        for kernel in self.kernels:
            kernel.variable.assign(layers.masked(kernel.variable, kernel.mask))

    def plan(self, num_steps):
        """Fixes the open ends of the schedules before the first step.

        Args:
            num_steps: Integer, steps of the `fit` that begins, or `None` if
                they cannot be known.
        """
        if self.algorithm.updates_masks:
            self.schedule, self.drop_fraction, self.sparsity = plan.complete(
                self.schedule,
                self.drop_fraction,
                self.sparsity,
                0 if num_steps is None else layers.as_int(self.step),
                num_steps,
            )

    def _sparsity_decides(self):
        return schedules.decides_when(self.sparsity)

    def quantize(self, *args, **kwargs):
        del args, kwargs
        refusals.refuse_to_quantize(self.name)

    # Saving.

    _OBJECTS = (
        "network",
        "algorithm",
        "schedule",
        "drop_fraction",
        "sparsity",
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


class _Planner(keras.callbacks.Callback):
    """Tells the model how long this `fit` is."""

    def on_train_begin(self, logs=None):
        del logs
        # Not all would be skipped in training: a fused ReLU of NaN is 0.
        plan.check_finite(
            self.model.network.variables + self.model.optimizer.variables
        )
        steps, epochs = self.params["steps"], self.params["epochs"]
        self.model.plan(None if steps is None else steps * epochs)
        self.model.impose_masks()


def _count_non_finite(gradients):
    """How many gradients are not finite, as an int32 scalar.

    A sum is finite only if what was added is, and it costs one read where
    testing every number would cost three passes.
    """
    sums = [
        tf.reduce_sum(getattr(gradient, "values", gradient))
        for gradient in gradients
    ]
    bad = [tf.logical_not(tf.math.is_finite(total)) for total in sums]
    return tf.reduce_sum(tf.cast(tf.stack(bad), tf.int32))


class _constraints_off:
    """Spares optimizers that keep zeros the masking after every step."""

    def __init__(self, optimizer, kernels):
        self._variables = []
        if slots.keeps_zeros(optimizer):
            self._variables = [
                kernel.variable
                for kernel in kernels
                if isinstance(kernel.variable.constraint, layers.KeepZeros)
                and kernel.variable.constraint.inner is None
            ]
        self._constraints = [v.constraint for v in self._variables]

    def __enter__(self):
        for variable in self._variables:
            variable.constraint = None

    def __exit__(self, *error):
        for variable, constraint in zip(
            self._variables, self._constraints, strict=True
        ):
            variable.constraint = constraint
