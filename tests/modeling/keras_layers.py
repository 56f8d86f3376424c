"""Small models around every layer of Keras that has state or functions."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from tests.modeling.model_builders import IMAGE
from tests.modeling.model_builders import WORDS
from tests.modeling.model_builders import Scaled
from tests.modeling.model_builders import adapted
from tests.modeling.model_builders import attention
from tests.modeling.model_builders import between
from tests.modeling.model_builders import cells
from tests.modeling.model_builders import crossing
from tests.modeling.model_builders import first
from tests.modeling.model_builders import floats
from tests.modeling.model_builders import halved
from tests.modeling.model_builders import images
from tests.modeling.model_builders import integers
from tests.modeling.model_builders import masking
from tests.modeling.model_builders import penalty
from tests.modeling.model_builders import recurrent
from tests.modeling.model_builders import relu
from tests.modeling.model_builders import reversible
from tests.modeling.model_builders import scramble
from tests.modeling.model_builders import sequences
from tests.modeling.model_builders import shout
from tests.modeling.model_builders import volumes

# Not layers of a network, or layers of another framework.
BASES = "InputLayer Layer Wrapper FlaxLayer JaxLayer TorchModuleWrapper".split()
# Layers that compute from their inputs and constants alone. Keras 3.12 lacks
# some.
STATELESS = """
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add Average
    AveragePooling1D AveragePooling2D AveragePooling3D CenterCrop Concatenate
    Cropping1D Cropping2D Cropping3D Dot ELU Equalization Flatten
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Identity LeakyReLU
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum MaxNumBoundingBoxes Minimum
    Multiply Permute ReLU RepeatVector Reshape Resizing Softmax Subtract
    UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
    ZeroPadding3D
""".split()
STATELESS = [name for name in STATELESS if hasattr(kl, name)]


def augmentations():
    """Layers that change images in training, each in its way."""
    newer = []
    if hasattr(kl, "ContrastLimitedAdaptiveHistogramEqualization"):
        layer = kl.ContrastLimitedAdaptiveHistogramEqualization
        newer = [layer((0, 1), tile_grid_size=(2, 2))]
    return [
        kl.AugMix((0, 1)),
        kl.AutoContrast((0, 1)),
        kl.CutMix(),
        kl.MixUp(),
        kl.RandAugment((0, 1)),
        kl.RandomBrightness(0.5),
        kl.RandomColorDegeneration(0.5),
        kl.RandomColorJitter((0, 1), 0.5),
        kl.RandomContrast(0.5),
        kl.RandomCrop(8, 8),
        kl.RandomElasticTransform(),
        kl.RandomErasing(),
        kl.RandomFlip(),
        kl.RandomGaussianBlur(),
        kl.RandomGrayscale(),
        kl.RandomHue(0.5, (0, 1)),
        kl.RandomInvert(),
        kl.RandomPerspective(),
        kl.RandomPosterization(4),
        kl.RandomRotation(0.5),
        kl.RandomSaturation(0.5),
        kl.RandomSharpness(0.5),
        kl.RandomShear((0.1, 0.5), 0.0),
        kl.RandomTranslation(0.5, 0.5),
        kl.RandomZoom(0.5),
        kl.Solarization(0.2, 0.2, (0, 1)),
        *newer,
    ]


def augmented():
    inputs = keras.Input(IMAGE)
    x = kl.Dense(3, activation="sigmoid")(inputs)
    for layer in augmentations():
        x = layer(x)
    model = keras.Model(inputs, kl.Dense(3)(kl.Flatten()(x)))
    scramble(model)
    return model, floats(IMAGE)


# From the name of a layer, and what is special, to a function that builds a
# model with it and an input.
CASES = {
    "Layers that augment images": augmented,
    "Activation": sequences(kl.Activation, relu),
    "ActivityRegularization": sequences(kl.ActivityRegularization, 0.1),
    "AdditiveAttention": attention(kl.AdditiveAttention),
    "AlphaDropout": sequences(kl.AlphaDropout, 0.5),
    "Attention": attention(kl.Attention, use_scale=True),
    "BatchNormalization": sequences(kl.BatchNormalization),
    "Bidirectional": between(lambda: kl.Bidirectional(kl.LSTM(4))),
    "Bidirectional, of two layers": between(
        lambda: kl.Bidirectional(
            kl.GRU(4, return_sequences=True),
            backward_layer=kl.SimpleRNN(
                4, return_sequences=True, go_backwards=True
            ),
            merge_mode="sum",
        )
    ),
    "CategoryEncoding": first(
        lambda: kl.CategoryEncoding(6, output_mode="multi_hot"), integers(3, 4)
    ),
    "Conv1D": sequences(kl.Conv1D, 4, 3, activation=relu),
    "Conv1DTranspose": sequences(kl.Conv1DTranspose, 4, 3, activation=relu),
    "Conv2D": images(kl.Conv2D, 4, 3, activation=relu),
    "Conv2DTranspose": images(kl.Conv2DTranspose, 4, 3, activation=relu),
    "Conv3D": volumes(kl.Conv3D, 4, 3, activation=relu),
    "Conv3DTranspose": volumes(kl.Conv3DTranspose, 4, 3, activation=relu),
    "ConvLSTM1D": between(
        lambda: kl.ConvLSTM1D(3, 2, activation=relu), (3, 4, 2)
    ),
    "ConvLSTM2D": between(
        lambda: kl.ConvLSTM2D(3, 2, activation=relu), (3, 4, 4, 2)
    ),
    "ConvLSTM3D": between(
        lambda: kl.ConvLSTM3D(3, 2, activation=relu), (3, 4, 4, 4, 2)
    ),
    "Dense": sequences(kl.Dense, 5, activation=relu),
    "Dense, with a callable object": sequences(
        kl.Dense, 5, activation=Scaled(3.0)
    ),
    "Dense, with functions of the user's everywhere": sequences(
        kl.Dense, 5, kernel_constraint=halved, kernel_regularizer=penalty
    ),
    "DepthwiseConv1D": sequences(kl.DepthwiseConv1D, 3, activation=relu),
    "DepthwiseConv2D": images(kl.DepthwiseConv2D, 3, activation=relu),
    "Discretization": first(
        lambda: adapted(kl.Discretization(num_bins=4), floats((5,))),
        floats((5,)),
        depth=4,
    ),
    "Discretization, given": first(
        lambda: kl.Discretization([0.2, 0.3, 0.9]), floats((5,)), depth=4
    ),
    "Dropout": sequences(kl.Dropout, 0.5),
    "EinsumDense": sequences(
        kl.EinsumDense, "abc,cd->abd", (6, 5), bias_axes="d", activation=relu
    ),
    "Embedding": first(lambda: kl.Embedding(6, 3), integers(3, 4)),
    "GRU": recurrent(kl.GRU),
    "GRUCell": cells(lambda: kl.GRUCell(4, activation=relu)),
    "GaussianDropout": sequences(kl.GaussianDropout, 0.5),
    "GaussianNoise": sequences(kl.GaussianNoise, 0.5),
    "GroupNormalization": sequences(kl.GroupNormalization, 2),
    "GroupedQueryAttention": between(
        lambda: kl.GroupQueryAttention(3, 4, 2), attends=True
    ),
    "Hashing": first(lambda: kl.Hashing(5, salt=3), WORDS, depth=5),
    "HashedCrossing": crossing,
    "IntegerLookup": first(
        lambda: adapted(kl.IntegerLookup(), np.array([5, 5, 3, 2])),
        integers(3, 4),
        depth=4,
    ),
    "LSTM": recurrent(kl.LSTM, recurrent_activation=relu),
    "LSTMCell": cells(lambda: kl.LSTMCell(4, recurrent_activation=relu)),
    "Lambda": sequences(kl.Lambda, relu),
    "LayerNormalization": sequences(kl.LayerNormalization),
    "Masking": masking,
    "MelSpectrogram": first(
        lambda: kl.MelSpectrogram(16, 4, num_mel_bins=5), floats((32,))
    ),
    "MultiHeadAttention": between(
        lambda: kl.MultiHeadAttention(2, 3), attends=True
    ),
    "Normalization": first(
        lambda: adapted(kl.Normalization(), 3 * floats((5,)) + 7), floats((5,))
    ),
    "Normalization, given": first(
        lambda: kl.Normalization(mean=0.3, variance=2.0), floats((5,))
    ),
    "Normalization, inverted": first(
        lambda: adapted(kl.Normalization(invert=True), 3 * floats((5,)) + 7),
        floats((5,)),
    ),
    "PReLU": sequences(kl.PReLU),
    "Pipeline": between(
        lambda: kl.Pipeline([kl.Rescaling(3.0), kl.RandomContrast(0.5)]), IMAGE
    ),
    "RMSNormalization": sequences(kl.RMSNormalization),
    "RNN": cells(lambda: kl.SimpleRNNCell(4)),
    "Rescaling": images(kl.Rescaling, [1.0, 2.0, 3.0], [0.0, 0.5, 1.0]),
    "ReversibleEmbedding": reversible,
    "STFTSpectrogram": first(
        lambda: kl.STFTSpectrogram(frame_length=8), floats((32, 1))
    ),
    "SeparableConv1D": sequences(kl.SeparableConv1D, 4, 3, activation=relu),
    "SeparableConv2D": images(kl.SeparableConv2D, 4, 3, activation=relu),
    "SimpleRNN": recurrent(kl.SimpleRNN),
    "SimpleRNNCell": cells(lambda: kl.SimpleRNNCell(4, activation=relu)),
    "SpatialDropout1D": sequences(kl.SpatialDropout1D, 0.5),
    "SpatialDropout2D": images(kl.SpatialDropout2D, 0.5),
    "SpatialDropout3D": volumes(kl.SpatialDropout3D, 0.5),
    "SpectralNormalization": between(
        lambda: kl.SpectralNormalization(kl.Dense(5))
    ),
    "SpectralNormalization, of a convolution": between(
        lambda: kl.SpectralNormalization(kl.Conv2D(4, 3)), IMAGE
    ),
    "StackedRNNCells": cells(
        lambda: kl.LSTMCell(4), lambda: kl.GRUCell(3, activation=relu)
    ),
    "StringLookup": first(
        lambda: adapted(kl.StringLookup(), WORDS), WORDS, depth=5
    ),
    "StringLookup, one hot": first(
        lambda: kl.StringLookup(
            vocabulary=["red green", "grey red red"], output_mode="multi_hot"
        ),
        WORDS,
    ),
    "TextVectorization": first(
        lambda: adapted(
            kl.TextVectorization(standardize=shout, output_sequence_length=4),
            WORDS,
        ),
        WORDS,
        depth=7,
    ),
    "TextVectorization, by frequency": first(
        lambda: adapted(kl.TextVectorization(output_mode="tf_idf"), WORDS),
        WORDS,
    ),
    "TimeDistributed": between(
        lambda: kl.TimeDistributed(kl.Dense(5, activation=relu))
    ),
    "TimeDistributed, of a model": between(
        lambda: kl.TimeDistributed(
            keras.Sequential(
                [
                    keras.Input((4,)),
                    kl.Dense(5, activation=relu),
                    kl.BatchNormalization(),
                    kl.Dense(2),
                ]
            )
        )
    ),
    "UnitNormalization": sequences(kl.UnitNormalization),
}

# What Keras itself could not make, or load, before.
NEEDS_KERAS = {
    "Dense, with functions of the user's everywhere": "3.15",
    "TextVectorization, by frequency": "3.14",
}


def made(case):
    """Returns the model of a case, and its inputs."""
    if keras.__version__ < NEEDS_KERAS.get(case, ""):
        pytest.skip(f"needs Keras {NEEDS_KERAS[case]}")
    return CASES[case]()
