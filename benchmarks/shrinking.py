"""What is left of models without the channels that do nothing, and its speed.

Two tables. Structured: networks trained for a moment by RigL with whole neurons
and channels (`structures.Filters`), as fast as their FLOPs promise, or not:
time for a batch of the model with its zeros over that of the shrunk one.
Applications: Keras's own networks with random half of their channels masked,
batch norm and biases at random. `--quick` measures one network of each.
"""

import argparse

import keras
import numpy as np

import rigl_tf
from rigl_tf import _keras_compat
from rigl_tf import models
from rigl_tf.analysis import equivalence
from rigl_tf.sparsity import structures

BATCH = 128
SPARSITIES = (0.5, 0.75, 0.9)
STRUCTURED = {
    "MLP 4 x 2048": lambda: models.mlp((784,), 10, hidden=(2048,) * 4),
    "VGG-16": lambda: models.vgg16((32, 32, 3), 10),
    "WRN-16-4": lambda: models.wide_resnet((32, 32, 3), 10, 16, 4),
}
APPLICATIONS = {
    "MobileNet": 128,
    "MobileNetV2": 128,
    "MobileNetV3Small": 128,
    "ResNet50": 128,
    "ResNet50V2": 128,
    "VGG16": 64,
    "DenseNet121": 128,
    "InceptionV3": 128,
    "Xception": 128,
    "EfficientNetB0": 128,
    "EfficientNetV2B0": 128,
    "ConvNeXtTiny": 64,
    "NASNetMobile": 128,
}


def trained(build, sparsity):
    """A network after a few steps of RigL on noise, an update among them."""
    network = build()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4 * BATCH, *network.input_shape[1:]))
    y = rng.integers(0, 10, size=len(x))
    last = [layer.name for layer in network.layers if layer.weights][-1]
    model = rigl_tf.sparsify(
        network,
        rigl_tf.algorithms.RigL(),
        sparsity=sparsity,
        distribution="uniform_all",
        structure=structures.Filters(),
        exclude=[last],
        schedule=rigl_tf.schedules.UpdateSchedule(2),
    )
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(x, y, batch_size=BATCH, verbose=0)
    return model


def with_random_channels(name, size):
    """A network of Keras with half of its channels masked."""
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3)
    )
    rng = np.random.default_rng(0)
    for layer in _keras_compat.all_layers(model, include_self=False):
        for variable in _keras_compat.own_trainable_variables(layer):
            value = np.array(variable)
            if variable.name.endswith("kernel"):
                if value.shape[-1] != model.output_shape[-1]:
                    value[..., rng.random(value.shape[-1]) < 0.5] = 0
            else:
                value += rng.normal(size=value.shape) / 5
            variable.assign(value)
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(size=size) / 5)
            layer.moving_variance.assign(rng.uniform(0.5, 2, size))
    return model


def row(title, model):
    """Prints what shrinking a model was worth."""
    plain = rigl_tf.densify(model)
    x = equivalence.samples(plain, None)
    x = [np.repeat(each[:1], BATCH, axis=0) for each in x]
    smaller, report = rigl_tf.shrink(plain)
    times = equivalence.latency(
        [equivalence.runner(plain), equivalence.runner(smaller)], x
    )
    units = [sum(counts) for counts in zip(*report.units.values())]
    cells = [
        title,
        f"{units[1] / units[0]:.2f}",
        f"{report.parameters[1] / report.parameters[0]:.3f}",
        f"{report.flops[0] / report.flops[1]:.1f}",
        f"{times[0] / times[1]:.1f}",
        f"{report.milliseconds[0] / report.milliseconds[1]:.1f}",
        f"{report.largest_difference:.0e}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def main():
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    print(
        "| network | units left | parameters left | FLOPs, times fewer | "
        f"times faster, batch {BATCH} | one example | difference |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, build in list(STRUCTURED.items())[: 1 if quick else None]:
        for sparsity in SPARSITIES:
            row(f"{name}, RigL {sparsity:.0%}", trained(build, sparsity))
    for name, size in list(APPLICATIONS.items())[: 1 if quick else None]:
        row(name, with_random_channels(name, size))


if __name__ == "__main__":
    main()
