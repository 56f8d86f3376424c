"""Removes the neurons and channels of a model that do nothing."""

import dataclasses
from typing import Any

import keras

from rigl_tf._keras_compat import made_again
from rigl_tf.analysis import equivalence
from rigl_tf.analysis import flops
from rigl_tf.analysis import signatures
from rigl_tf.deploy import unwrapping
from rigl_tf.deploy.shrinking import flatten_model
from rigl_tf.deploy.shrinking import linear_rules
from rigl_tf.deploy.shrinking import liveness
from rigl_tf.modeling.convert import densified
from rigl_tf.utils import text_tables

TOLERANCE = 1e-5
"""Largest difference of an output, relative to the largest output."""


@dataclasses.dataclass(frozen=True)
class ShrinkResult:
    """The size and speed of a model before and after shrinking.

    Pairs hold the values before and after shrinking.

    Attributes:
        units: Dictionary from the name of a layer to a pair of integers, its
            number of neurons or channels.
        parameters: Pair of integers, zeros included.
        flops: Pair of integers, the FLOPs for one example, zeros included.
        milliseconds: Pair of floats, the latency of one example, or of one
            batch if the model fixes the batch size, measured in turns.
        largest_difference: Float, the largest difference between an output of
            the smaller model and the same output of the original model,
            relative to the largest output.
    """

    units: dict
    parameters: tuple
    flops: tuple
    milliseconds: tuple
    largest_difference: float

    def table(self):
        """Returns a Markdown table, one row for each layer that lost units."""
        rows = [["", "before", "after", "left"]]
        for name, (before, after) in self.units.items():
            if after < before:
                rows.append(_row(f"{name}, units", (before, after)))
        units = [sum(counts) for counts in zip(*self.units.values())]
        rows += [
            _row("units", units or (0, 0)),
            _row("parameters", self.parameters),
            _row("FLOPs", self.flops),
            _row("ms", self.milliseconds, "{:.3f}"),
        ]
        return text_tables.markdown(rows)


def shrink(
    model: keras.Model, samples: Any = None
) -> tuple[keras.Model, ShrinkResult]:
    """Removes neurons and channels without active inputs or without use.

    A unit without inputs has the same output for every example: this constant
    is folded into the biases of the next layers. That is exact, except before
    a convolution that pads with zeros: there such a unit is kept, unless its
    output is zero. Channels that are added together are kept together. Nested
    models are flattened. Layers that are used several times, attention,
    recurrent layers and custom layers do not change, nor do the channels of
    their inputs and outputs.

    Args:
        model: `SparseModel`, a model with `Sparse` layers, or a plain
            Sequential or functional one.
        samples: Array of examples, or a list or dictionary of arrays for
            several inputs, on which the outputs of `model` and of the smaller
            model are compared. By default, random examples.

    Returns:
        A functional `keras.Model`, not compiled, and `ShrinkResult`.

    Raises:
        TypeError: If the model is subclassed.
        ValueError: If the outputs of the smaller model differ.
    """
    network = unwrapping.network(model)
    if unwrapping.is_subclassed(model):
        raise TypeError(
            f"{network.name!r} is a subclassed model, which cannot be shrunk: "
            "the graph of its layer calls is unknown. Received: "
            f"model={model!r}. Build it with `keras.Model(inputs, outputs)`."
        )
    # First, because the models made below may share the weights.
    inputs = equivalence.samples(network, samples)
    signature = signatures.model_signature(network)
    expected = equivalence.outputs(model, inputs, signature)
    input_shape = signature.pack(array.shape[1:] for array in inputs)
    with densified(model) as plain:
        flat, names = flatten_model.flatten_nested(plain)
        rules, kept = liveness.live_channels(flat)
        smaller = _rebuild(flat, names, rules, kept)
        difference = equivalence.difference_by_name(
            expected, equivalence.outputs(smaller, inputs)
        )
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{network.name!r} cannot be shrunk: outputs of the smaller "
                f"model differ by {difference:.1e} of the largest output."
            )
        batch = signature.batch or 1
        with (
            equivalence.from_initial_states(plain),
            equivalence.from_initial_states(smaller),
        ):
            times = equivalence.latency(
                [equivalence.runner(plain), equivalence.runner(smaller)],
                [array[:batch] for array in inputs],
            )
        return smaller, ShrinkResult(
            units=_units(names, rules, kept),
            parameters=(plain.count_params(), smaller.count_params()),
            flops=tuple(
                flops.inference(each, input_shape).flops(dense=True)
                for each in (plain, smaller)
            ),
            milliseconds=tuple(times),
            largest_difference=difference,
        )


def _rebuild(model, names, rules, kept):
    """Returns a copy of a functional model with only the kept channels."""
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
        if isinstance(rule, linear_rules.Linear)
        for keep in [kept[id(rule.call.outputs[0])]]
    }


def _row(name, counts, form="{:,}"):
    before, after = counts
    left = f"{after / before:.3f}" if before else ""
    return [name, form.format(before), form.format(after), left]
