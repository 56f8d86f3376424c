"""What `fit` of Keras does around the train step."""

import keras
import tensorflow as tf
from keras import tree
from keras.src.trainers import data_adapters
from keras.src.trainers.data_adapters import array_data_adapter

get_data_adapter = data_adapters.get_data_adapter
can_convert_arrays = array_data_adapter.can_convert_arrays


def add_to_logged_loss(model, loss, num_examples):
    """Adds the loss of a batch to the mean that the logs have as `loss`."""
    model._loss_tracker.update_state(loss, sample_weight=num_examples)


def loss_weights_of(model):
    """Returns what a model was compiled with to weigh its losses."""
    return model._compile_config.config.get("loss_weights")


def build_for_training(model, batch):
    """Makes the variables that `fit` makes in its first step.

    Args:
        model: Compiled `keras.Model`.
        batch: Structure of `tf.TensorSpec`.
    """
    model._symbolic_build(data_batch=batch)


def set_initial_epoch(model, epoch):
    """Lets `fit` begin at an epoch, also where it has started already.

    Args:
        model: `keras.Model`.
        epoch: Integer, or `None` for the `initial_epoch` of `fit`.
    """
    model._initial_epoch = epoch


def strategy_of(model):
    """Returns the strategy that a model was made under, or `None`.

    `Model.distribute_strategy` is the present one in place of `None`.
    """
    return model._distribute_strategy


class MultiWorkerFit:
    """Corrects two faults of `fit` in Keras 3 with several processes.

    - Before the first step, `fit` averages a batch over all workers to learn
      its shape, which fails. This class uses the part of one worker.
    - After each step, `fit` averages metrics along their first axis. This
      class adds an axis to scalars.

    A class inherits from `MultiWorkerFit` before `keras.Model`. An existing
    model is passed to `patch_fit`.
    """

    _distribute_strategy: tf.distribute.Strategy | None
    distribute_strategy: tf.distribute.Strategy

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if self._distribute_strategy is not None and iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = tree.map_structure(
                lambda v: self.distribute_strategy.experimental_local_results(
                    v
                )[0],
                next(batches),
            )
        keras.Model._maybe_symbolic_build(self, data_batch=data_batch)

    def _make_function(self, step_function):
        def with_an_axis(data):
            return tree.map_structure(lambda v: v[None], step_function(data))

        several = isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        )
        return keras.Model._make_function(
            self, with_an_axis if several else step_function
        )


def patch_fit(model):
    """Gives one model the methods of `MultiWorkerFit`."""
    for name in ("_maybe_symbolic_build", "_make_function"):
        setattr(model, name, getattr(MultiWorkerFit, name).__get__(model))
