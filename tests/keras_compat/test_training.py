"""What `fit` of Keras does around the train step."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from rigl_tf import _keras_compat


def compiled(**kwargs):
    model = keras.Sequential([keras.Input((4,)), kl.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True, **kwargs)
    return model


X, Y = np.ones((4, 4), "float32"), np.ones((4, 2), "float32")


def test_what_is_added_to_the_loss_is_what_the_logs_have():
    """Without it, `loss` in the logs of a sparse model stays 0."""

    class Own(keras.Model):
        def train_step(self, data):
            _keras_compat.add_to_logged_loss(self, 1.0, 3)
            _keras_compat.add_to_logged_loss(self, 5.0, 1)
            return self.get_metrics_result()

    inputs = keras.Input((4,))
    model = Own(inputs, kl.Dense(2)(inputs))
    model.compile("sgd", "mse", run_eagerly=True)

    assert model.fit(X, Y, verbose=0).history["loss"] == [2.0]


def test_weights_of_losses_are_known_after_compilation():
    """Without them, the loss of a ticket search is not that of training."""
    weights = [0.25]

    assert _keras_compat.loss_weights_of(compiled()) is None
    assert _keras_compat.loss_weights_of(compiled(loss_weights=weights)) == (
        weights
    )


def test_metrics_have_variables_before_the_first_step():
    """Without them, a checkpoint cannot be restored into a fresh model."""
    model = compiled(metrics=["accuracy"])
    specs = tf.TensorSpec((None, 4)), tf.TensorSpec((None, 2))

    _keras_compat.build_for_training(model, specs)

    before = [variable.path for variable in model.metrics_variables]
    assert len(before) == 4
    model.fit(X, Y, verbose=0)
    assert [variable.path for variable in model.metrics_variables] == before


def test_a_callback_sets_the_epoch_to_begin_with():
    """Without it, a run that goes on would count epochs from 0 again."""
    epochs = []
    model = compiled()
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: _keras_compat.set_initial_epoch(model, 2),
        on_epoch_begin=lambda epoch, logs: epochs.append(epoch),
    )

    model.fit(X, Y, epochs=4, callbacks=[callback], verbose=0)
    assert epochs == [2, 3]
    _keras_compat.set_initial_epoch(model, None)
    model.fit(X, Y, epochs=1, verbose=0)

    assert model.history.epoch == [0]


def test_a_model_knows_the_strategy_that_it_was_made_under():
    """Without it, `fit` in the scope of another strategy fails within Keras."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = keras.Sequential()

    assert _keras_compat.strategy_of(model) is strategy
    assert _keras_compat.strategy_of(keras.Sequential()) is None


def test_data_are_read_as_fit_reads_them():
    """Without it, a ticket would be searched on other batches than `fit`'s."""
    adapter = _keras_compat.get_data_adapter(X, Y, batch_size=3)

    assert _keras_compat.can_convert_arrays((X, Y))
    assert not _keras_compat.can_convert_arrays((tf.data.Dataset.range(2),))
    assert (adapter.batch_size, adapter.num_batches) == (3, 2)
    assert [len(x) for x, _ in adapter.get_numpy_iterator()] == [3, 1]
    assert [len(x) for x, _ in adapter.get_tf_dataset()] == [3, 1]
