import keras
import pytest
from keras import layers as kl

from rigl_tf.modeling.layer_patterns import match_layers

BLOCK = keras.Sequential(
    [keras.Input((8,)), kl.Dense(8, name="fc_1"), kl.Dense(8, name="fc_2")],
    name="block",
)
STEM = kl.Conv2D(8, 3, name="stem")
LOGITS = kl.Dense(2, name="logits")
LAYERS = [
    ("stem", STEM),
    ("block", BLOCK),
    ("block/fc_1", BLOCK.layers[0]),
    ("block/fc_2", BLOCK.layers[1]),
    ("logits", LOGITS),
]
IN_BLOCK = {"block", "block/fc_1", "block/fc_2"}


class OwnDense(kl.Dense):
    pass


@pytest.mark.parametrize(
    "patterns, selected",
    [
        ((), set()),
        (None, set()),
        ("stem", {"stem"}),
        ("fc_1", {"block/fc_1"}),
        ("fc*", {"block/fc_1", "block/fc_2"}),
        ("block", IN_BLOCK),
        (kl.Dense, {"block/fc_1", "block/fc_2", "logits"}),
        (kl.Conv2D, {"stem"}),
        (keras.Sequential, IN_BLOCK),
        (STEM, {"stem"}),
        (BLOCK, IN_BLOCK),
        (lambda layer: layer.name.endswith("_2"), {"block/fc_2"}),
        (lambda layer: layer is BLOCK, IN_BLOCK),
        (lambda layer: False, set()),
        (["stem", kl.Dense], {"stem", "block/fc_1", "block/fc_2", "logits"}),
        ({LOGITS, "fc_1"}, {"logits", "block/fc_1"}),
        ((name for name in ("stem", "logits")), {"stem", "logits"}),
    ],
)
def test_layers_are_selected_by_name_class_object_or_function(
    patterns, selected
):
    assert match_layers(patterns, LAYERS, "exclude") == selected


def test_a_class_selects_its_subclasses():
    layers = [("own", OwnDense(2)), ("plain", kl.Dense(2))]

    assert match_layers(kl.Dense, layers, "exclude") == {"own", "plain"}
    assert match_layers(OwnDense, layers, "exclude") == {"own"}


def test_a_model_selects_its_layers_without_being_listed():
    leaves = [pair for pair in LAYERS if pair[1] is not BLOCK]

    selected = match_layers([BLOCK], leaves, "exclude")

    assert selected == {"block/fc_1", "block/fc_2"}


@pytest.mark.parametrize(
    "patterns, helps",
    [
        ("logit", "`exclude`.*exclude='logit'. Layers: logits"),
        (["stem", "fc_9"], "exclude='fc_9'. Layers: block/fc_"),
        ("zzz*", "Layers: stem, block, block/fc_1"),
        (kl.Conv1D, "exclude=Conv1D. Classes: Conv2D"),
        (kl.LSTM, "exclude=LSTM. Classes: Conv2D, Dense, Sequential"),
        (kl.Dense(2, name="fc_2"), "'block/fc_2' has the same name.*model"),
        (kl.Dense(2, name="logit"), "not in the model.*Layers: logits"),
    ],
)
def test_a_pattern_that_selects_nothing_is_refused(patterns, helps):
    with pytest.raises(ValueError, match=helps):
        match_layers(patterns, LAYERS, "exclude")


@pytest.mark.parametrize("patterns", [3, [3], [None], {"stem": 0.5}, [dict]])
def test_another_kind_of_pattern_is_refused(patterns):
    with pytest.raises(TypeError, match="`include` takes names.*include="):
        match_layers(patterns, LAYERS, "include")


def test_an_error_in_a_function_is_not_hidden():
    with pytest.raises(AttributeError, match="filtres"):
        match_layers(lambda layer: layer.filtres, LAYERS, "exclude")
