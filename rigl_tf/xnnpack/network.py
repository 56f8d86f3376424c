"""A functional model as LiteRT sees it: calls, and who takes what of whom."""

import collections
import dataclasses

from keras import layers as kl

from rigl_tf.deploy.shrinking import layer_graph

# What is not there when a model is used.
_FOR_TRAINING = (
    kl.ActivityRegularization,
    kl.AlphaDropout,
    kl.Dropout,
    kl.GaussianDropout,
    kl.GaussianNoise,
    kl.Identity,
    kl.SpatialDropout2D,
)
CONVOLUTIONS = (
    kl.Conv2D,
    kl.Conv2DTranspose,
    kl.DepthwiseConv2D,
    kl.SeparableConv2D,
)

BEFORE, INSIDE, AFTER = "before", "inside", "after"


@dataclasses.dataclass(frozen=True)
class Network:
    """Calls without those that matter in training only.

    Attributes:
        calls: List of `graph.Call`, each after those that it depends on.
        outputs: Set of the ids of tensors that leave the model.
        makers: Dictionary from the id of a tensor to the call that makes it.
        takers: Dictionary from the id of a tensor to a list of the calls that
            take it.
        places: Dictionary from the id of a tensor to where it is: `BEFORE`
            the first convolution, `INSIDE`, or `AFTER` the pooling.
    """

    calls: list
    outputs: set
    makers: dict
    takers: dict
    places: dict

    def maker(self, call):
        """The call that makes the first input of another, or `None`."""
        return self.makers.get(id(call.inputs[0]))

    def feeds_only(self, call, other):
        """Whether nothing but another call takes the output of a call."""
        output = id(call.outputs[0])
        alone = all(taker is other for taker in self.takers[output])
        return alone and output not in self.outputs

    def place(self, call):
        """Where the first output of a call is."""
        return self.places[id(call.outputs[0])]

    def places_of_inputs(self, call):
        """Set of where the inputs of a call are."""
        return {self.places[id(tensor)] for tensor in call.inputs}


def network(model):
    """What a functional model consists of when it is used.

    Args:
        model: Functional `keras.Model` without models inside.

    Returns:
        `Network`.
    """
    same, calls = {}, []
    for call in layer_graph.calls(model):
        inputs = [same.get(id(tensor), tensor) for tensor in call.inputs]
        if type(call.operation) in _FOR_TRAINING:
            same[id(call.outputs[0])] = inputs[0]
        else:
            calls.append(call._replace(inputs=inputs))
    takers, makers, places = collections.defaultdict(list), {}, {}
    for call in calls:
        for tensor in call.inputs:
            takers[id(tensor)].append(call)
        place = _place(call, {places[id(tensor)] for tensor in call.inputs})
        for tensor in call.outputs:
            makers[id(tensor)], places[id(tensor)] = call, place
    outputs = {id(same.get(id(tensor), tensor)) for tensor in model.outputs}
    return Network(calls, outputs, makers, takers, places)


def _place(call, places):
    """Where the outputs of a call are, from where its inputs are."""
    if INSIDE not in places and AFTER in places:
        return AFTER
    if INSIDE in places:
        pooled = isinstance(call.operation, kl.GlobalAveragePooling2D)
        picture = len(call.outputs[0].shape) == 4 and not pooled
        return INSIDE if picture else AFTER
    return INSIDE if isinstance(call.operation, CONVOLUTIONS) else BEFORE
