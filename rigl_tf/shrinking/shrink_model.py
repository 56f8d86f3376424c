"""A model without the neurons and channels that do nothing."""

import dataclasses

import keras

from rigl_tf import flops
from rigl_tf import tables
from rigl_tf._keras_compat import made_again
from rigl_tf.exporting import measuring
from rigl_tf.exporting import signatures
from rigl_tf.exporting import unwrapping
from rigl_tf.modeling.convert import densified
from rigl_tf.shrinking import channels
from rigl_tf.shrinking import linear
from rigl_tf.shrinking import opening

TOLERANCE = 1e-5
"""The most that an output may differ, relative to the largest output."""


@dataclasses.dataclass(frozen=True)
class Shrunk:
    """What shrinking a model was worth; pairs are of before and after.

    Attributes:
        units: Dictionary from the name of a layer to how many neurons or
            channels it has.
        parameters: Pair of integers, zeros included.
        flops: Pair of integers, of one example, as dense layers compute.
        milliseconds: Pair of floats, for one example, or for one batch if the
            model fixes its size, measured in turns.
        largest_difference: Float, the most by which an output differs from
            that of the model that was passed in, relative to the largest
            output.
    """

    units: dict
    parameters: tuple
    flops: tuple
    milliseconds: tuple
    largest_difference: float

    def table(self):
        """A Markdown table, a row for each layer that lost units."""
        rows = [["", "before", "after", "left"]]
        for name, (before, after) in self.units.items():
            if after < before:
                rows.append(_row(f"{name}, units", before, after))
        units = [sum(counts) for counts in zip(*self.units.values())]
        rows += [
            _row("units", *(units or (0, 0))),
            _row("parameters", *self.parameters),
            _row("FLOPs", *self.flops),
            _row("ms", *self.milliseconds, "{:.3f}"),
        ]
        return tables.markdown(rows)


def shrink(model, samples=None):
    """Removes neurons and channels without active inputs or without use.

    What a unit without inputs gives is the same for every example: it is
    folded into the biases of what follows. That is exact but where a
    convolution pads with zeros, so that there such a unit stays, unless what
    it gives is zero. Channels that are added stay together. Nested models are
    opened. Layers used several times, attention, recurrent layers and layers
    that are not Keras's own stay as they are, and so does everything that they
    take or give.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.
        samples: Array of examples, or a list or dictionary of arrays for
            several inputs, to compare outputs of `model` and of the smaller
            model with. By default, random ones.

    Returns:
        A functional `keras.Model`, not compiled, and `Shrunk`.

    Raises:
        TypeError: If the model is a subclassed one.
        ValueError: If the smaller model does not compute the same.
    """
    network = unwrapping.network(model)
    if unwrapping.is_subclassed(model):
        raise TypeError(
            f"{network.name!r} is a subclassed model, which cannot be shrunk: "
            "nothing is known of how its layers are called. Received: "
            f"model={model!r}. Make it of `keras.Model(inputs, outputs)`."
        )
    # Before anything is made of the model, which may share its weights.
    inputs = measuring.samples(network, samples)
    expected = measuring.outputs(
        model, inputs, signatures.model_signature(network)
    )
    with densified(model) as plain:
        opened, names = opening.opened(plain)
        rules, kept = channels.found(opened)
        smaller = _rebuilt(opened, names, rules, kept)
        difference = measuring.difference_by_name(
            expected, measuring.outputs(smaller, inputs)
        )
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{network.name!r} cannot be shrunk: outputs of the smaller "
                f"model differ by {difference:.1e} of the largest."
            )
        batch = signatures.model_signature(smaller).batch or 1
        with measuring.from_rest(plain), measuring.from_rest(smaller):
            times = measuring.latency(
                [measuring.runner(plain), measuring.runner(smaller)],
                [array[:batch] for array in inputs],
            )
        return smaller, Shrunk(
            units=_units(names, rules, kept),
            parameters=(plain.count_params(), smaller.count_params()),
            flops=tuple(flops.inference(m).flops() for m in (plain, smaller)),
            milliseconds=tuple(times),
            largest_difference=difference,
        )


def _rebuilt(model, names, rules, kept):
    """A copy of a functional model with the kept channels only."""
    by_layer = {id(rule.layer): rule for rule in rules}
    copies = []

    def copy(layer):
        if not isinstance(layer, keras.Layer):
            return layer  # such as a sum of tensors
        rule = by_layer[id(layer)]
        config = layer.get_config()
        keep = kept[id(rule.call.outputs[0])]
        config.update(rule.config(keep), name=names[id(layer)])
        copied = made_again(layer, config)
        keep_inputs = [kept[id(tensor)] for tensor in rule.call.inputs]
        copies.append((copied, layer, rule.weights(keep_inputs, keep)))
        return copied

    clone = keras.models.clone_model(model, clone_function=copy)
    for copied, layer, weights in copies:
        unwrapping.fill(copied, layer, weights)
    return clone


def _units(names, rules, kept):
    return {
        names[id(rule.layer)]: (len(keep), int(keep.sum()))
        for rule in rules
        if isinstance(rule, linear.Linear)
        for keep in [kept[id(rule.call.outputs[0])]]
    }


def _row(name, before, after, form="{:,}"):
    left = f"{after / before:.3f}" if before else ""
    return [name, form.format(before), form.format(after), left]
