"""Losses of logits and integer labels."""

import keras


@keras.saving.register_keras_serializable(package="rigl_tf")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross entropy with labels that are a little of every class.

    Args:
        smoothing: Float in [0, 1), what is taken from the label and given to
            all classes alike.

    Reference:
        [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567), section 7.
    """

    from_logits = True

    def __init__(self, smoothing=0.1, name="loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        labels = keras.ops.cast(y_true, "int32")
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype),
            y_pred,
            from_logits=True,
            label_smoothing=self.smoothing,
        )

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


_OF_SOFTMAX = (
    SmoothedCrossEntropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)


def takes_logits_of_softmax(loss):
    """Whether a loss says that outputs are logits of a softmax."""
    return isinstance(loss, _OF_SOFTMAX) and loss.from_logits
