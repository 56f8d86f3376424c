"""Files compute what the model that was passed in does, and leave it alone."""

import contextlib
import sys

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf.analysis import equivalence
from rigl_tf.deploy.formats import FORMATS

SIGNED = [name for name in FORMATS if FORMATS[name].has_signature]
UNSIGNED = [name for name in FORMATS if name not in SIGNED]


@pytest.fixture(autouse=True)
def no_time_for_latency(monkeypatch):
    monkeypatch.setattr(equivalence, "_SECONDS", 0)


def sparse(network, sparsity=0.5):
    return rigl_tf.sparsify(
        network, rigl_tf.algorithms.Static(), sparsity=sparsity
    )


@pytest.fixture
def normalizing():
    """A model with statistics that its configuration does not have."""
    x = np.random.default_rng(0).normal(50, 10, (16, 8)).astype("float32")
    layer = kl.Normalization()
    layer.adapt(x)
    network = keras.Sequential([keras.Input((8,)), layer, kl.Dense(3)])
    return network, x


@pytest.mark.few(1)
@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"onnx"}))
def test_statistics_are_exported(format, normalizing, tmp_path):
    network, x = normalizing

    exported = rigl_tf.export(network, tmp_path / "model", format, x)

    (y,) = FORMATS[format].load(exported.path)([x])
    np.testing.assert_allclose(y, network(x), atol=1e-5)
    assert exported.largest_difference < 1e-5


def test_a_file_that_wants_more_inputs_is_refused(normalizing, tmp_path):
    network, x = normalizing  # Keras makes inputs of the statistics

    with pytest.raises(
        ValueError, match="model does not have: .*normalization"
    ):
        rigl_tf.export(network, tmp_path / "model", "onnx", x)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.few(1)
@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"onnx"}))
def test_a_file_of_a_copy_that_lost_something_is_refused(
    format, normalizing, tmp_path, monkeypatch
):
    network, x = normalizing
    copy = keras.models.clone_model(network)  # without the statistics
    copy.layers[-1].set_weights(network.layers[-1].get_weights())
    monkeypatch.setattr(
        sys.modules["rigl_tf.deploy.export_model"],
        "densified",
        lambda model: contextlib.nullcontext(copy),
    )

    with pytest.raises(ValueError, match="has other outputs"):
        rigl_tf.export(network, tmp_path / "model", format, x)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.few(1)
@pytest.mark.parametrize("format", FORMATS)
def test_a_compiled_model_stays_compiled_and_is_written_without(
    format, tmp_path, data
):
    x, y = data
    model = keras.Sequential([keras.Input((16,)), kl.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(x, y, verbose=0)
    optimizer, before = model.optimizer, model.get_weights()

    exported = rigl_tf.export(model, tmp_path / "model", format)

    assert model.compiled and model.optimizer is optimizer
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.fit(x, y, verbose=0)
    if format == "keras":
        loaded = keras.saving.load_model(exported.path)
        assert not loaded.compiled
        assert getattr(loaded, "optimizer", None) is None


@pytest.mark.few(1)
@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"onnx"}))
def test_layers_that_the_plain_model_shares_are_left_alone(
    format, normalizing, tmp_path
):
    network, x = normalizing
    network.compile("adam", "mse")
    model = sparse(network)
    before = network.get_weights()

    exported = rigl_tf.export(model, tmp_path / "model", format, x)

    assert exported.largest_difference < 1e-5
    assert network.compiled and network.optimizer is not None
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert network.layers[-1].output.shape == (None, 3)  # it was called once
    assert isinstance(network.layers[-1], rigl_tf.Sparse)


@pytest.mark.few(1)
@pytest.mark.parametrize("format", ["litert", "saved_model", "keras"])
@pytest.mark.parametrize("stateful", [False, True])
def test_samples_have_the_batch_that_the_model_fixes(
    format, stateful, tmp_path
):
    network = keras.Sequential(
        [
            keras.Input(batch_shape=(1, 10, 4)),
            kl.LSTM(16, stateful=stateful),
            kl.Dense(3),
        ]
    )

    exported = rigl_tf.export(sparse(network), tmp_path / "model", format)

    assert exported.largest_difference < 1e-5
    assert exported.milliseconds > 0


def test_the_first_batch_of_the_samples_is_taken():
    network = keras.Sequential([keras.Input(batch_shape=(2, 3)), kl.Dense(1)])
    x = np.arange(12.0).reshape(4, 3)

    (taken,) = equivalence.samples(network, x)

    np.testing.assert_array_equal(taken, x[:2])
    with pytest.raises(ValueError, match="at least 2 examples.* 1 examples"):
        equivalence.samples(network, x[:1])


def test_states_are_what_they_were(tmp_path):
    layer = kl.GRU(5, stateful=True)
    network = keras.Sequential([keras.Input(batch_shape=(1, 3, 4)), layer])
    network(np.ones((1, 3, 4)))
    before = np.array(layer.states[0])

    for format in ("keras", "saved_model"):
        rigl_tf.export(network, tmp_path / "model", format)
    rigl_tf.shrink(network)

    assert np.any(before)
    np.testing.assert_array_equal(layer.states[0], before)


@pytest.mark.parametrize(
    ("format", "message"),
    [("onnx", "has other outputs"), ("compact", "with states.* Use 'keras'")],
)
def test_a_format_that_keeps_no_states_is_refused(format, message, tmp_path):
    network = keras.Sequential(
        [keras.Input(batch_shape=(1, 3, 4)), kl.GRU(5, stateful=True)]
    )

    with pytest.raises(ValueError, match=message):
        rigl_tf.export(network, tmp_path / "model", format)


def test_an_input_may_have_the_name_of_a_keyword(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = kl.Dense(3)

        def call(self, inputs):
            return self.dense(inputs["in"])

    result = rigl_tf.export(
        Net(),
        tmp_path / "model",
        "saved_model",
        {"in": np.ones((2, 4), "float32")},
    )

    assert result.inputs == ("input_in",)
    assert result.largest_difference < 1e-6


def of_strings():
    return keras.Sequential(
        [
            keras.Input((3,), dtype="string", name="words"),
            kl.Hashing(8),
            kl.Embedding(8, 4),
            kl.Flatten(),
            kl.Dense(5),
        ]
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("format", ["keras", "saved_model", "compact"])
@pytest.mark.parametrize("form", [list, object, str])
def test_samples_may_be_strings(form, format, tmp_path):
    words = [["a", "b", "c"]]
    if form is not list:
        words = np.array(words, form)

    exported = rigl_tf.export(
        sparse(of_strings()), tmp_path / "model", format, samples=words
    )

    assert exported.largest_difference < 1e-5


def test_strings_are_asked_for_by_name(tmp_path):
    with pytest.raises(ValueError, match="'words' of type string.*`samples`"):
        rigl_tf.export(sparse(of_strings()), tmp_path / "model")


def test_a_format_that_cannot_run_the_model_is_named(tmp_path):
    words = np.array([["a", "b", "c"]])

    with pytest.raises(
        ValueError, match="'StringToHashBucketFast', which tf2onnx cannot"
    ):
        rigl_tf.export(of_strings(), tmp_path / "model", "onnx", words)

    assert list(tmp_path.iterdir()) == []


def test_litert_names_the_operations_that_it_does_not_have(tmp_path):
    words = np.array([["a", "b", "c"]], dtype=object)

    with pytest.raises(
        ValueError, match="does not have .* StringToHash.*'saved_model'"
    ) as refusal:
        rigl_tf.export(of_strings(), tmp_path / "model", "litert", words)

    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_the_exact_gelu_is_exported_to_onnx(tmp_path):
    network = keras.Sequential(
        [keras.Input((8,)), kl.Dense(16, "gelu"), kl.Dense(3)]
    )

    exported = rigl_tf.export(network, tmp_path / "model", "onnx")

    assert exported.largest_difference < 1e-6


def test_outputs_of_other_types_are_compared():
    def gap(one, other):
        return equivalence.difference([np.array(one)], [np.array(other)])

    small = np.array([1, 255], "uint8")
    assert gap(small, small[::-1]) == pytest.approx(254 / 255)
    assert gap([True, False], [True, False]) == 0
    assert gap(["a"], [b"a"]) == 0
    assert np.isnan(gap(["a"], ["b"]))


def test_equal_values_that_are_not_finite_do_not_differ():
    def gap(one, other):
        return equivalence.difference([np.array(one)], [np.array(other)])

    inf, nan = np.inf, np.nan
    assert gap([-inf, nan, 2.0], [-inf, nan, 1.0]) == 0.5
    assert gap([-inf, 1.0], [inf, 1.0]) == inf
    assert gap([-inf, 1.0], [1.0, 1.0]) == inf
    assert np.isnan(gap([nan, 1.0], [1.0, 1.0]))
    assert np.isnan(gap([1.0, 1.0], [nan, 1.0]))


def test_random_tokens_are_not_all_padding():
    model = keras.Sequential(
        [keras.Input((2,), batch_size=64, dtype="int32"), kl.Embedding(2, 1)]
    )

    (tokens,) = equivalence.samples(model)

    assert tokens.any(axis=1).all() and not tokens.all()


class Net(keras.Model):
    """A subclassed model of one array, a list or a dictionary."""

    def __init__(self, wrap=lambda layer: layer, form=None):
        super().__init__()
        self.form = form
        self.dense = wrap(kl.Dense(4))

    def call(self, x):
        if self.form is dict:
            x = x["q"] - 2 * x["p"]
        elif self.form is list:
            x = x[0] - 2 * x[1]
        return {"z": self.dense(x), "a": x}


@pytest.mark.few(1)
@pytest.mark.parametrize("format", SIGNED)
@pytest.mark.parametrize("form", [None, list, dict])
def test_a_plain_subclassed_model_is_exported(format, form, tmp_path):
    one, two = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")
    x = {None: one, list: [one, two], dict: {"q": one, "p": two}}[form]
    model = Net(form=form)
    model(x)

    exported = rigl_tf.export(model, tmp_path / "model", format, samples=x)
    again = rigl_tf.export(model, tmp_path / "again", format)

    assert exported.largest_difference < 1e-5
    assert again.largest_difference < 1e-5
    names = {None: ["input_0"], list: ["input_0", "input_1"], dict: ["p", "q"]}
    assert sorted(exported.inputs) == sorted(again.inputs) == names[form]
    assert sorted(exported.outputs) == ["a", "z"]


@pytest.mark.few(1)
@pytest.mark.parametrize("format", SIGNED)
def test_integers_of_a_subclassed_model_stay_integers(format, tmp_path):
    class Words(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = kl.Embedding(5, 2)

        def call(self, x):
            return self.embedding(x)

    x = np.array([[0, 4]], "int32")

    exported = rigl_tf.export(Words(), tmp_path / "model", format, x)

    run = FORMATS[format].load(exported.path)
    assert run([x])[0].shape == (1, 2, 2)


@pytest.mark.parametrize("format", UNSIGNED)
def test_where_a_subclassed_model_can_go_is_said(format, tmp_path):
    model = Net()
    model(np.ones((1, 8)))

    with pytest.raises(TypeError, match="'saved_model'.*`model.export") as info:
        rigl_tf.export(model, tmp_path / "model", format)

    assert "without the `Sparse`" not in str(info.value)


@pytest.mark.few(1)
@pytest.mark.parametrize("format", FORMATS)
def test_a_subclassed_model_with_wrappers_is_exported_without_or_refused(
    format, tmp_path
):
    x = np.ones((2, 8), "float32")
    model = Net(rigl_tf.Sparse)
    model(x)

    model = sparse(model)
    path = tmp_path / "model"
    if FORMATS[format].has_signature:
        exported = rigl_tf.export(model, path, format, samples=x)
        assert exported.largest_difference < 1e-5
    else:
        with pytest.raises(TypeError, match=r"densify\(model\).save"):
            rigl_tf.export(model, path, format, samples=x)
        assert list(tmp_path.iterdir()) == []
    assert isinstance(model.network.dense, rigl_tf.Sparse)


def test_a_model_that_was_never_called_needs_samples(tmp_path):
    with pytest.raises(ValueError, match="Call it once, or pass .*`samples`"):
        rigl_tf.export(Net(), tmp_path / "model", "saved_model")
