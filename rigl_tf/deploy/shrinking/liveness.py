"""Finds the channels of a network that affect its outputs."""

import collections

import numpy as np

from rigl_tf.deploy.shrinking import layer_graph
from rigl_tf.deploy.shrinking import rule_registry


def live_channels(model):
    """Finds the channels to keep.

    One pass forward finds all channels that are constant, and one pass
    backward all channels that are needed.

    Args:
        model: Functional `keras.Model`.

    Returns:
        List of `rules.ChannelRule`, one for each call, and a dictionary from
        the `id` of a tensor to a boolean array that marks the kept channels.
    """
    rules = [rule_registry.rule(call) for call in layer_graph.calls(model)]
    constants = {}
    for rule in rules:
        values = rule.constants([constants[id(t)] for t in rule.call.inputs])
        for tensor in rule.call.outputs:
            size = layer_graph.num_channels(tensor) or 1
            constants[id(tensor)] = (
                values if len(values) == size else np.full(size, np.nan)
            )
    kept = _needed(model, rules, constants)
    _couple(rules, kept)
    return rules, kept


def _needed(model, rules, constants):
    """Maps the `id` of a tensor to the channels that affect the outputs."""
    needed = {
        tensor: np.zeros(len(values), bool)
        for tensor, values in constants.items()
    }
    for tensor in model.outputs:
        needed[id(tensor)][:] = True
    for rule in reversed(rules):
        if rule.keeps_all:
            for tensor in rule.call.outputs:
                needed[id(tensor)][:] = True
        for tensor in rule.call.outputs:
            if not needed[id(tensor)].any():  # a tensor keeps one channel
                needed[id(tensor)][0] = True
        first = needed[id(rule.call.outputs[0])]
        for tensor, channels in zip(
            rule.call.inputs, rule.needed(first), strict=True
        ):
            needed[id(tensor)] |= channels
    return needed


def _couple(rules, kept):
    """Adds the channels that are coupled to kept channels."""
    waiting = collections.deque(rules)
    users = collections.defaultdict(list)
    for rule in rules:
        for tensor in [*rule.call.inputs, *rule.call.outputs]:
            users[id(tensor)].append(rule)
    while waiting:
        rule = waiting.popleft()
        output = rule.call.outputs[0]
        for tensor, coupling in zip(
            rule.call.inputs, rule.channel_coupling(), strict=True
        ):
            if coupling is None:
                continue
            coupled = np.flatnonzero(coupling >= 0)
            for source, target, source_channels, target_channels in (
                (output, tensor, coupled, coupling[coupled]),
                (tensor, output, coupling[coupled], coupled),
            ):
                is_kept = kept[id(source)][source_channels]
                added = np.zeros_like(kept[id(target)])
                added[target_channels[is_kept]] = True
                if (added & ~kept[id(target)]).any():
                    kept[id(target)] |= added
                    waiting.extend(users[id(target)])
