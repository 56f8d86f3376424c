"""Which channels of a network can go."""

import collections

import numpy as np

from rigl_tf.deploy.shrinking import layer_graph
from rigl_tf.deploy.shrinking import rule_registry


def found(model):
    """The channels to keep, and the rules that made them known.

    Constants follow from what comes before, what is needed from what comes
    after, so that one pass in each direction finds all of both.

    Args:
        model: Functional `keras.Model`.

    Returns:
        List of `rules.Rule`, and a dictionary from the `id` of a tensor to a
        boolean array, which of its channels are kept.
    """
    rules = [rule_registry.rule(call) for call in layer_graph.calls(model)]
    constants = {}
    for rule in rules:
        given = rule.constants([constants[id(t)] for t in rule.call.inputs])
        for tensor in rule.call.outputs:
            size = layer_graph.num_channels(tensor) or 1
            constants[id(tensor)] = (
                given if len(given) == size else np.full(size, np.nan)
            )
    kept = _needed(model, rules, constants)
    _bind(rules, kept)
    return rules, kept


def _needed(model, rules, constants):
    """From the `id` of a tensor to the channels whose values matter."""
    needed = {
        tensor: np.zeros(len(values), bool)
        for tensor, values in constants.items()
    }
    for tensor in model.outputs:
        needed[id(tensor)][:] = True
    for rule in reversed(rules):
        if rule.pins:
            for tensor in rule.call.outputs:
                needed[id(tensor)][:] = True
        for tensor in rule.call.outputs:
            if not needed[id(tensor)].any():  # no tensor is empty
                needed[id(tensor)][0] = True
        first = needed[id(rule.call.outputs[0])]
        for tensor, here in zip(
            rule.call.inputs, rule.needed(first), strict=True
        ):
            needed[id(tensor)] |= here
    return needed


def _bind(rules, kept):
    """Keeps also what goes with what is kept."""
    waiting = collections.deque(rules)
    users = collections.defaultdict(list)
    for rule in rules:
        for tensor in [*rule.call.inputs, *rule.call.outputs]:
            users[id(tensor)].append(rule)
    while waiting:
        rule = waiting.popleft()
        output = rule.call.outputs[0]
        for tensor, tie in zip(rule.call.inputs, rule.ties(), strict=True):
            if tie is None:
                continue
            tied = np.flatnonzero(tie >= 0)
            for here, there, source, target in (
                (output, tensor, tied, tie[tied]),
                (tensor, output, tie[tied], tied),
            ):
                more = np.zeros_like(kept[id(there)])
                more[target[kept[id(here)][source]]] = True
                if (more & ~kept[id(there)]).any():
                    kept[id(there)] |= more
                    waiting.extend(users[id(there)])
