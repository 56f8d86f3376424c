"""The state of sparse training: kernels, counters, budgets and schedules."""

import dataclasses

import keras
import tensorflow as tf

from rigl_tf.kernels import KeepZeros
from rigl_tf.kernels import StoredKernel
from rigl_tf.kernels import WarnOnce
from rigl_tf.modeling import grow_init as initialization
from rigl_tf.modeling import initial_masks
from rigl_tf.modeling import schedule_resolution
from rigl_tf.modeling import training_step
from rigl_tf.modeling import unit_budgets
from rigl_tf.sparsity import schedules
from rigl_tf.sparsity import structures
from rigl_tf.utils import optimizer_slots
from rigl_tf.utils import tensors


class SparseStep:
    """The state of sparse training, and the schedules that change it.

    All ways of training call `training_step.finish_step` with this state, so
    they select the same masks.

    Args:
        name: String, the name of the model, for messages.
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
        add_weight: Function that creates the variables, such as the
            `add_weight` of a layer. The variables are saved with that layer.

    Attributes:
        kernels: List of `SparseKernel`, in the order of the model.
        step: int64 variable, completed optimizer steps, updates included.
        num_skipped: int64 variable, batches without effect because a gradient
            was not finite.
        num_skipped_last: int64 variable, the skipped batches since the last
            batch with an effect.
        num_updates: int64 variable, completed updates of the masks.
        num_changed: int64 variable, connections that updates have grown and
            that were inactive before.
        overdue: Boolean variable, whether an update was due at a skipped step.
        state: Dictionary from name to float32 variable, the state of the
            algorithm.
        momenta: List of variables in the order of `kernels`, the moving
            averages of gradients that the algorithm tracks, or `None`.
        signs: List of variables in the order of `kernels`, the signs that the
            algorithm fixes, or `None`.
    """

    def __init__(
        self,
        name,
        algorithm,
        schedule,
        drop_fraction,
        sparsity,
        budgets,
        seed=0,
        structure=None,
        grow_init=None,
        *,
        add_weight,
    ):
        self.name = name
        self.algorithm = algorithm
        self.schedule = schedule
        self.drop_fraction = drop_fraction
        self.sparsity = sparsity
        self.budgets = list(budgets)
        # A variable, so that a traced step can train with another seed.
        self.seed_variable = tf.Variable(
            tf.constant(seed, tf.int64), trainable=False
        )
        self.structure = structure or structures.Unstructured()
        self.grow_init = grow_init or initialization.GrowInit()
        self.kernels = []
        self.momenta = self.signs = None
        self._optimizer = None  # the last that has trained the kernels
        self.traced_plan = None  # what a traced step has as constants
        # Whether the schedule ends where a part of a `fit` does.
        self.ends_with_fit = False
        self._add_weight = add_weight
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

    @property
    def seed(self):
        """Integer, the seed of all random choices in updates."""
        return tensors.as_int(self.seed_variable)

    @seed.setter
    def seed(self, value):
        self.seed_variable.assign(value)

    def watch(self, kernels):
        """Sets the kernels and creates the algorithm's variables for each."""
        self.kernels = list(kernels)
        if self.algorithm.tracks_gradient:
            self.momenta = self._for_each_kernel("momentum", "float32")
        if self.algorithm.fixes_signs:
            self.signs = self._for_each_kernel("sign", "int8")
        if self.algorithm.updates_masks:
            warning = WarnOnce(
                f"The optimizer that trains {self.name!r} does not update "
                f"its masks, so {type(self.algorithm).__name__} moves or "
                "prunes no connection. Train a `SparseModel` with its own "
                "`fit`, pass `SparseTraining` to each `fit` of another model, "
                "call `model.apply_gradients` in a custom loop, or compile "
                "the object that trains it with "
                "`rigl_tf.SparseOptimizer(optimizer, model)`."
            )
            for kernel in self.kernels:
                constraint = kernel.variable.constraint
                if isinstance(constraint, KeepZeros):
                    constraint.warning = warning

    @property
    def variables(self):
        """List of the variables: counters, the algorithm's own, masks."""
        return [
            self.step,
            self.num_skipped,
            self.num_skipped_last,
            self.num_updates,
            self.num_changed,
            self.overdue,
            *self.state.values(),
            *(self.momenta or []),
            *(self.signs or []),
            *(
                kernel.mask
                for kernel in self.kernels
                if not isinstance(kernel, StoredKernel)  # it has no variable
            ),
        ]

    def start_like(self, other):
        """Takes over all that is not a variable from an untrained state.

        Args:
            other: `SparseStep` of the same model with another seed.
        """
        self.seed = other.seed
        for name in (
            "budgets",
            "schedule",
            "drop_fraction",
            "sparsity",
            "ends_with_fit",
        ):
            setattr(self, name, getattr(other, name))

    def draw_masks(self, units=None, places=None):
        """Sets random masks with the active units of the initial budgets.

        Args:
            units: Dictionary from the index of a kernel to a boolean array of
                its initial units, instead of random units.
            places: List of integers, indices of the kernels. By default, all.
        """
        first_budgets = unit_budgets.at_the_start(self)
        places = range(len(self.kernels)) if places is None else places
        for i in places:
            kernel = self.kernels[i]
            if isinstance(kernel, StoredKernel):
                continue  # its stored positions are its mask
            first = (units or {}).get(i)
            if first is None:
                first = self.structure.random(
                    kernel.layout, first_budgets[i], (self.seed, i)
                )
            kernel.mask.assign(self.structure.expand(first, kernel.layout))
        self.impose_masks()

    def take_masks(self):
        """Sets the budgets to the counts of masks set by other code."""
        if not self.algorithm.follows_sparsity:
            self.budgets = [
                kernel.count_units(self.structure) for kernel in self.kernels
            ]
        self.impose_masks()
        self.forget_inactive()

    def impose_masks(self):
        """Sets inactive weights to zero; before the first step, fixes signs."""
        for i, kernel in enumerate(self.kernels):
            kernel.impose()
            if self.signs and tensors.as_int(self.step) == 0:
                self.signs[i].assign(kernel.signs((self.seed, i)))

    def set_masks(self, masks):
        """Replaces masks; weights that become inactive become zero.

        Each layer keeps the number of connections of its new mask; pruning
        continues from it.

        Args:
            masks: Dictionary from the name of a kernel, as in `kernels`, to a
                boolean array of its shape. Other kernels keep their masks.

        Raises:
            ValueError: If a name is unknown, or a mask is not boolean, has
                another shape, is `False` everywhere, or breaks the structure.
        """
        checked = initial_masks.checked(masks, self.kernels, self.structure)
        for i, mask, num_units in checked:
            self.kernels[i].set_mask(mask)
            if not self.algorithm.follows_sparsity:
                self.budgets[i] = num_units
        self.impose_masks()
        self.forget_inactive()

    def forget_inactive(self):
        """Resets the optimizer's slots of inactive weights, which move them."""
        if self._optimizer is None:
            return
        for kernel in self.kernels:
            if not isinstance(kernel, StoredKernel):
                optimizer_slots.forget(
                    self._optimizer, kernel.variable, kernel.mask
                )

    # The schedules.

    def is_due(self):
        """Returns whether this step updates the masks, as a boolean tensor."""
        due = tf.convert_to_tensor(self.overdue)
        for schedule in schedules.each_sparsity(self.sparsity):
            due = tf.logical_or(due, self.is_due_by(schedule))
        return due

    def is_due_by(self, schedule):
        """Returns whether a sparsity schedule changes a mask at this step."""
        now = tf.convert_to_tensor(self.step)
        if schedules.decides_when(schedule):
            return schedule(now)[0]
        return self.schedule(now)

    def progress(self):
        """Returns the passed fraction of the update schedule, a float32 scalar.

        It is 1 if the sparsity schedule decides when masks are updated.
        """
        ends_at = self.schedule.end_step
        if ends_at is None or schedules.decides_when(self.sparsity):
            return tf.constant(1.0)
        return tf.cast(
            schedules.progress(
                tf.convert_to_tensor(self.step),
                self.schedule.begin_step,
                ends_at,
            ),
            tf.float32,
        )

    def current_budgets(self):
        """Returns the current budget of each kernel, as int64 scalars."""
        return unit_budgets.at_this_step(self)

    def current_drop_fraction(self):
        """Returns the fraction that an update at this step would replace."""
        last = self.schedule.end_step
        over = last is not None and tensors.as_int(self.step) >= last
        algorithm = self.algorithm
        only_prunes = algorithm.follows_sparsity and not algorithm.regrows
        if over or only_prunes or not algorithm.updates_masks:
            return 0.0
        return float(self.drop_fraction(tensors.as_int(self.step)))

    def current_sparsity(self, step):
        """Returns the sparsity of the sparsity schedule at a step."""
        wanted = self.sparsity(step)
        return wanted[1] if isinstance(wanted, tuple | list) else wanted

    def final_sparsity(self):
        """Returns the final sparsity of the sparsity schedule, a float."""
        return schedules.final_sparsity(self.sparsity)

    def resolve_schedules(self, num_steps, steps_per_epoch=None, num_before=0):
        """Fills in the open steps of the schedules before the first step.

        Args:
            num_steps: Integer, the optimizer steps that are left of this `fit`,
                or `None` if unknown.
            steps_per_epoch: Integer, or `None` if unknown.
            num_before: Integer, the steps of the epochs of this `fit` that are
                left out. If `step` counts them, they were trained before an
                interruption, and open schedules begin with the first of them.

        Returns:
            Boolean, whether a warning of missing updates was shown.
        """
        if not self.algorithm.updates_masks:
            return False
        start = 0 if num_steps is None else tensors.as_int(self.step)
        if self.ends_with_fit:
            schedule_resolution.warn_if_over(self.schedule, start)
        is_open = self.schedule.end_step is None
        if is_open and num_steps is not None and start == num_before:
            start, num_steps = 0, num_steps + num_before
        *complete, has_warned = schedule_resolution.complete(
            self.schedule,
            self.drop_fraction,
            self.sparsity,
            start,
            num_steps,
            steps_per_epoch,
        )
        schedule_resolution.check_interval(self.algorithm, complete[0])
        self.schedule, self.drop_fraction, self.sparsity = complete
        if is_open and self.schedule.end_step is not None:
            self.ends_with_fit = not schedules.decides_when(self.sparsity)
        return has_warned

    @property
    def resolved_schedule(self):
        """Dictionary of `interval` and `end_step`, which `fit` fills in."""
        return {
            "interval": self.schedule.interval,
            "end_step": self.schedule.end_step,
        }

    @resolved_schedule.setter
    def resolved_schedule(self, values):
        self.schedule = dataclasses.replace(self.schedule, **values)

    # The step.

    def check_optimizer(self, optimizer):
        """Raises a ValueError if updates need a momentum that is missing."""
        self._optimizer = optimizer
        if self.algorithm.needs_momentum and optimizer.built:
            for variable in (kernel.variable for kernel in self.kernels):
                if variable.trainable and optimizer_slots.knows(
                    optimizer, variable
                ):
                    optimizer_slots.momentum(optimizer, variable)

    def apply(self, optimizer, gradients, variables):
        """Makes one step with the gradients of any forward pass.

        Call it in replica context, once for each batch, outside of `tf.cond`.

        Args:
            optimizer: `keras.optimizers.Optimizer`.
            gradients: List of tensors, gradients of the loss after
                `optimizer.scale_loss`, dense for masked kernels, or `None`.
            variables: List of variables, in the order of `gradients`.
        """
        training_step.finish_step(
            self, training_step.Batch(optimizer, variables, gradients)
        )

    def _for_each_kernel(self, name, dtype):
        return [
            self._add_weight(
                name=f"{kernel.name.replace('/', '_')}_{name}",
                shape=kernel.variable.shape,
                dtype=dtype,
                initializer="zeros",
                trainable=False,
            )
            for kernel in self.kernels
        ]

    def _counter(self, name, dtype, value=0):
        return self._add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer=lambda shape, dtype: keras.ops.cast(value, dtype),
            trainable=False,
            aggregation="only_first_replica",
        )
