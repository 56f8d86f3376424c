"""Inputs and outputs go by name, whatever the order of a format."""

import contextlib
import sys

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf.analysis import equivalence
from rigl_tf.analysis import signatures
from rigl_tf.deploy.formats import FORMATS

SIGNED = [name for name in FORMATS if FORMATS[name].has_signature]


@pytest.fixture(autouse=True)
def no_time_for_latency(monkeypatch):
    monkeypatch.setattr(equivalence, "_SECONDS", 0)


def sparse(network):
    return rigl_tf.sparsify(network, rigl_tf.algorithms.Static(), sparsity=0.5)


def two_outputs(is_dictionary=False, units=(3, 2)):
    """Outputs `z` and `a`, in this order."""
    x = keras.Input((8,), name="x")
    hidden = kl.Dense(16, activation="relu")(x)
    z = kl.Dense(units[0], name="z")(hidden)
    a = kl.Dense(units[1], name="a")(hidden)
    return keras.Model(x, {"z": z, "a": a} if is_dictionary else [z, a])


def two_inputs(form=dict, names=("b", "a")):
    """Inputs that cannot be taken for each other, the second name first."""
    first = keras.Input((4,), name=names[0])
    second = keras.Input((4,), name=names[1])
    y = kl.Subtract()([kl.Dense(4)(first), second])
    if form is dict:
        return keras.Model({"b": first, "a": second}, kl.Dense(2)(y))
    return keras.Model([first, second], kl.Dense(2)(y))


@pytest.mark.few(1)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("is_dictionary", [False, True])
@pytest.mark.parametrize("units", [(3, 2), (3, 3)])
def test_outputs_are_compared_by_name(format, is_dictionary, units, tmp_path):
    model = sparse(two_outputs(is_dictionary, units))
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")

    exported = rigl_tf.export(model, tmp_path / "model", format, x)

    assert exported.largest_difference < 1e-5
    outputs = FORMATS[format].load(exported.path)({"x": x})
    assert tuple(outputs) == exported.outputs
    expected = model(x)
    if not is_dictionary:
        expected = dict(zip(["output_0", "output_1"], expected, strict=True))
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-5)


def test_the_order_of_a_litert_file_is_in_the_result(tmp_path):
    exported = rigl_tf.export(
        sparse(two_outputs()), tmp_path / "model", "litert"
    )

    outputs = FORMATS["litert"].load(exported.path)(
        [np.ones((1, 8), "float32")]
    )
    units = {"output_0": 3, "output_1": 2}
    assert exported.inputs == ("x",)
    assert [y.shape[1] for y in outputs] == [
        units[name] for name in exported.outputs
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_outputs_in_another_order_are_refused(format, tmp_path, monkeypatch):
    model = two_outputs(units=(3, 3))
    z, a = model.output
    other = keras.Model(model.input, [a, z])
    monkeypatch.setattr(
        sys.modules["rigl_tf.deploy.export_model"],
        "densified",
        lambda model: contextlib.nullcontext(other),
    )

    with pytest.raises(ValueError, match="has other outputs"):
        rigl_tf.export(model, tmp_path / "model", format)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.few(2)
@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("form", [dict, list])
@pytest.mark.parametrize("names", [("b", "a"), ("the input-1", "2nd")])
def test_inputs_go_by_name(format, form, names, tmp_path):
    model = sparse(two_inputs(form, names))
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 3, 4)).astype("float32")

    exported = rigl_tf.export(model, tmp_path / "model", format)

    assert exported.largest_difference < 1e-5
    named = {"b": one, "a": two}
    if names != ("b", "a"):
        named = {"the_input_1": one, "input_2nd": two}
    assert set(exported.inputs) == set(named)
    if format in SIGNED:
        (y,) = FORMATS[format].load(exported.path)(named).values()
        expected = model({"b": one, "a": two} if form is dict else [one, two])
        np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("format", FORMATS)
def test_ten_and_more_outputs_keep_their_numbers(format, tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, [kl.Dense(2)(x) for _ in range(12)])

    exported = rigl_tf.export(model, tmp_path / "model", format)

    assert set(exported.outputs) == {f"output_{i}" for i in range(12)}
    if format != "litert":
        assert exported.outputs[10] == "output_10"


@keras.saving.register_keras_serializable("tests")
class Renaming(keras.Model):
    """A functional model whose input has another name each time."""

    def __init__(self, units, **kwargs):
        self.units = units
        x = keras.Input((4,))
        super().__init__(x, kl.Dense(units)(x), **kwargs)

    def get_config(self):
        return {"units": self.units, "name": self.name}


@pytest.mark.few(3)
@pytest.mark.parametrize("format", FORMATS)
def test_a_class_may_name_its_inputs_anew(format, tmp_path):
    exported = rigl_tf.export(Renaming(3), tmp_path / "model", format)

    assert exported.largest_difference < 1e-5


@pytest.mark.parametrize("form", [dict, list])
def test_samples_may_go_by_name(form):
    model = two_inputs(form)
    one, two = np.ones((2, 4)), np.zeros((2, 4))

    arrays = equivalence.samples(model, {"a": two, "b": one})

    names = signatures.model_signature(model).names
    assert names == (["a", "b"] if form is dict else ["b", "a"])
    assert [array[0, 0] for array in arrays] == [float(n == "b") for n in names]


def test_samples_that_are_missing_or_too_many_are_named():
    model = two_inputs()

    with pytest.raises(ValueError, match="Missing: 'a'. Received: .* 'b'"):
        equivalence.samples(model, {"b": np.ones((2, 4))})
    with pytest.raises(ValueError, match="one array for each .*a, b.* 3 arr"):
        equivalence.samples(model, [np.ones((2, 4))] * 3)
    with pytest.raises(ValueError, match="one array for each .*x.* 2 arrays"):
        equivalence.samples(two_outputs(), [np.ones((2, 8))] * 2)


def test_names_that_would_be_the_same_are_numbered():
    specs = [
        keras.InputSpec(shape=(None, 2), dtype="float32", name=name)
        for name in ("a b", "a-b", "a_b")
    ]

    named = signatures._named(specs, [spec.name for spec in specs])

    assert [spec.name for spec in named] == ["a_b", "a_b_1", "a_b_2"]
