"""Every finder takes what `fit` takes: data, labels and losses of any kind."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import datasets
from rigl_tf import tickets
from rigl_tf.tickets import batches
from rigl_tf.training.losses import UnknownLoss
from rigl_tf.training.losses import infer_loss
from tests.tickets import small

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 4)).astype("float32")
CLASSES = np.arange(16) % 3
losses = keras.losses

# The labels, the activation of the last layer, and the loss.
TASKS = {
    "integers": (
        CLASSES,
        None,
        losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "one-hot": (np.eye(3)[CLASSES], "softmax", "categorical_crossentropy"),
    "binary": (
        (CLASSES > 0).astype(int),
        None,
        losses.BinaryCrossentropy(from_logits=True),
    ),
    "regression": (X[:, :1] ** 2, None, "mse"),
}

FINDERS = {
    "random": tickets.Random(),
    "magnitude": tickets.Magnitude(),
    "snip": tickets.SNIP(),
    "grasp": tickets.GraSP(),
    "synflow": tickets.SynFlow(num_iterations=2),
    "prospr": tickets.ProsPr(1),
    "smart_ratio": tickets.SmartRatio(),
    "smart_ratio_search": tickets.SmartRatioSearch(
        {"hidden": 0.5, "head": 0.5}, num_trials=2, epochs=1
    ),
    "smart_ratio_tuned": tickets.SmartRatioTuned(epochs=1),
    "edge_popup": tickets.EdgePopup(epochs=1),
    "gem_miner": tickets.GemMiner(
        1e-3,
        period=1,
        epochs=2,
        drop_low=False,  # the density is exact
    ),
    "imp": tickets.IMP(0.8, epochs=1),
    "lr_rewinding": tickets.LearningRateRewinding(0.8, epochs=1),
    "one_shot_lottery": tickets.OneShotLottery(epochs=4),
    "sparse_gpt": tickets.SparseGPT(),
    "wanda": tickets.Wanda(),
    "after_training": tickets.AfterTraining(tickets.Wanda(), epochs=1),
}
# One epoch is the same in all kinds of data; arrays are shuffled by epoch.
SEVERAL_EPOCHS = ("gem_miner", "one_shot_lottery")
TRAINED = [
    name
    for name, finder in FINDERS.items()
    if getattr(finder, "epochs", None) and name != "smart_ratio_tuned"
]


@pytest.fixture(autouse=True)
def eager():
    """Lets functions run without graphs, which cost most of the time."""
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Even though the `tf.config")
        yield
    tf.config.run_functions_eagerly(False)


def network(outputs, activation=None, loss=None, **kwargs):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, "relu", name="hidden", **kwargs),
            keras.layers.Dense(outputs, activation, name="head"),
        ]
    )
    if loss is not None:
        model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def of_task(name):
    """A compiled network and its labels."""
    labels, activation, loss = TASKS[name]
    outputs = 3 if name in ("integers", "one-hot") else 1
    return network(outputs, activation, loss), labels


class Read(keras.utils.PyDataset):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


def of_unknown_length(parts):
    signature = tuple(
        tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in parts[0]
    )
    return tf.data.Dataset.from_generator(
        lambda: iter(parts), output_signature=signature
    )


TWO = tf.data.experimental.assert_cardinality(2)


def test_every_finder_is_here():
    assert FINDERS.keys() == tickets.TICKETS.keys()


@pytest.mark.few(2)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", FINDERS)
def test_the_ticket_does_not_depend_on_the_kind_of_data(name, task):
    model, labels = of_task(task)
    finder = FINDERS[name]
    if name == "synflow" and task == "one-hot":
        pytest.skip("It needs logits.")
    arrays = batches.from_data((X, labels), model, batch_size=8)
    parts = [
        tuple(part.numpy() for part in batch)
        for batch in arrays.train(0).take(2)
    ]
    unknown = of_unknown_length(parts)
    kinds = {
        "integers": (unknown, unknown.apply(TWO)),
        "one-hot": (unknown.apply(TWO), Read(parts)),
        "binary": (Read(parts), (X, labels)),
        "regression": (unknown, (X, labels)),
    }
    found = []
    for data in kinds[task]:
        is_pair = isinstance(data, tuple)
        if is_pair and name in SEVERAL_EPOCHS:
            continue
        if found and name in TRAINED and task != "integers":
            break  # those take longest
        ticket = finder.find(
            model,
            data,
            0.5,
            batch_size=8 if is_pair else None,
            validation_data=(X, labels) if is_pair else Read([(X, labels)]),
        )
        found.append(ticket)
    assert found[0].density == 0.5
    for kernel, mask in found[0].masks.items():
        np.testing.assert_array_equal(mask, found[-1].masks[kernel])
    if name in TRAINED:
        history = found[0].history
        has_accuracy = any("accuracy" in key for key in history)
        assert has_accuracy == (task != "regression")
        assert all(np.isfinite(history[key]).all() for key in history)


def gradients(task, model, labels):
    """The gradients of the task's loss, by hand."""
    (hidden, bias, head, last), n = model.get_weights(), len(X)
    before = X @ hidden + bias
    after = np.maximum(before, 0)
    outputs = after @ head + last
    if task in ("integers", "one-hot"):
        e = np.exp(outputs - outputs.max(1, keepdims=True))
        error = (e / e.sum(1, keepdims=True) - np.eye(3)[CLASSES]) / n
    elif task == "binary":
        error = (1 / (1 + np.exp(-outputs)) - labels[:, None]) / n
    else:
        error = 2 * (outputs - labels) / n
    below = (error @ head.T) * (before > 0)
    return X.T @ below, after.T @ error


@pytest.mark.few(3)
@pytest.mark.parametrize("task", TASKS)
def test_snip_scores_by_the_loss_of_the_network(task):
    model, labels = of_task(task)
    ticket = tickets.SNIP().find(model, (X, labels), 0.5, batch_size=16)
    kernels = model.get_weights()[::2]
    expected = [
        np.abs(w * g)
        for w, g in zip(kernels, gradients(task, model, labels), strict=True)
    ]
    total = sum(e.sum() for e in expected)
    for scores, raw in zip(ticket.scores.values(), expected, strict=True):
        np.testing.assert_allclose(scores, raw / total, rtol=1e-4, atol=1e-7)


def test_weights_of_examples_count():
    model, labels = of_task("integers")
    weights = np.zeros(16, "float32")
    weights[:8] = 1
    finder = tickets.SNIP()
    weighed = finder.find(model, (X, labels, weights), 0.5, batch_size=16)
    halved = finder.find(model, (X[:8], labels[:8]), 0.5, batch_size=8)
    for kernel, scores in weighed.scores.items():
        np.testing.assert_allclose(
            scores, halved.scores[kernel], rtol=1e-4, atol=1e-7
        )


def test_statistics_are_recomputed_from_data_with_weights():
    data = (X, CLASSES, np.ones(16, "float32"))
    ticket = FINDERS["gem_miner"].find(small.network(), data, 0.8)
    assert ticket.density == pytest.approx(0.8, abs=0.01)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("activation", "outputs", "labels", "loss"),
    [
        (None, 3, CLASSES, TASKS["integers"][2]),
        ("linear", 3, CLASSES[:, None], TASKS["integers"][2]),
        ("softmax", 3, CLASSES, "sparse_categorical_crossentropy"),
        ("softmax", 3, np.eye(3)[CLASSES], "categorical_crossentropy"),
        ("sigmoid", 1, CLASSES > 0, "binary_crossentropy"),
        ("sigmoid", 3, np.eye(3)[CLASSES], "binary_crossentropy"),
    ],
)
def test_a_network_that_is_not_compiled_gets_the_loss_of_its_outputs(
    activation, outputs, labels, loss
):
    guessed, said = (
        tickets.SNIP().find(
            network(outputs, activation, given), (X, labels), 0.5
        )
        for given in (None, loss)
    )
    for kernel, scores in guessed.scores.items():
        np.testing.assert_array_equal(scores, said.scores[kernel])


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("activation", "outputs", "labels"),
    [
        (None, 1, CLASSES > 0),  # logits or a regression
        (None, 3, np.eye(3)[CLASSES]),
        ("sigmoid", 3, CLASSES),
        ("softmax", 1, CLASSES > 0),
        ("relu", 3, CLASSES),
        (None, 3, X),
    ],
)
def test_what_cannot_be_told_has_to_be_compiled(activation, outputs, labels):
    model = network(outputs, activation)
    for name in ("snip", "gem_miner"):
        with pytest.raises(
            ValueError, match="does not determine.*`model.compile"
        ):
            FINDERS[name].find(model, (X, labels), 0.5)
    ticket = tickets.Magnitude().find(model, (X, labels), 0.5)
    assert ticket.density == 0.5, "No loss is needed for that."


def test_heads_are_seen_through_layers_and_models():
    inner = network(3)
    x = keras.Input((4,))
    labels = tf.TensorSpec((None,), tf.int64)
    for head, from_logits in (
        (inner(x), True),
        (keras.layers.Softmax()(inner(x)), False),
        (keras.ops.softmax(inner(x)), False),
        (keras.layers.Activation("softmax", dtype="float32")(inner(x)), False),
    ):
        loss, _ = infer_loss(keras.Model(x, head), labels)
        assert loss.get_config()["from_logits"] == from_logits
    reshaped = keras.layers.Reshape((3,))(keras.ops.softmax(inner(x)))
    over_positions = keras.layers.Softmax(axis=1)(
        keras.layers.Dense(3)(keras.layers.Reshape((2, 2))(x))
    )
    for head, labels_of_it in (
        (reshaped, labels),
        (over_positions, tf.TensorSpec((None, 2), tf.int64)),
    ):
        model = keras.Model(x, head)
        loss, _ = infer_loss(model, labels_of_it)
        assert isinstance(loss, UnknownLoss)


@pytest.mark.parametrize("head", ["logits", "sigmoid"])
def test_the_accuracy_of_one_binary_output_is_that_of_its_sign(head):
    labels = (X[:, 0] > 0).astype(int)
    model = network(
        1,
        None if head == "logits" else "sigmoid",
        losses.BinaryCrossentropy(from_logits=head == "logits"),
    )
    model.optimizer.learning_rate = 0.0
    history = tickets.IMP(0.4, epochs=1).find(model, (X, labels), 0.6).history
    outputs = model.predict_on_batch(X)[:, 0]
    threshold = 0 if head == "logits" else 0.5
    right = np.mean((outputs > threshold) == labels)
    assert history["accuracy"] == [pytest.approx(right)]
    assert right not in (0, 1, np.mean(labels), 1 - np.mean(labels))


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("name", "policy"),
    [(name, "float64") for name in FINDERS]
    + [
        (name, policy)
        for name in ("snip", "gem_miner", "smart_ratio_tuned")
        for policy in ("mixed_float16", "mixed_bfloat16")
    ],
)
def test_every_dtype_policy_is_searched(name, policy):
    keras.config.set_dtype_policy(policy)
    model = network(3, None, TASKS["integers"][2])
    ticket = FINDERS[name].find(
        model, (X, CLASSES), 0.5, validation_data=(X, CLASSES), batch_size=8
    )
    assert ticket.density == 0.5


# Networks of several inputs and outputs.


def forked():
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((4,), name=name) for name in ("left", "right")}
    both = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(6, "relu", name="hidden")(both)
    kind = keras.layers.Dense(3, name="kind")(hidden)
    size = keras.layers.Dense(1, name="size")(hidden)
    model = keras.Model(inputs, [kind, size])
    model.compile(
        keras.optimizers.SGD(0.1),
        {"kind": TASKS["integers"][2], "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.0},
    )
    return model


FORKED = (
    {"left": X, "right": X[::-1]},
    {"kind": CLASSES, "size": X[:, :1]},
)


@pytest.mark.few(3)
@pytest.mark.parametrize("name", FINDERS)
def test_there_may_be_several_inputs_and_outputs(name):
    finder = FINDERS[name]
    if name == "smart_ratio_search":
        finder = tickets.SmartRatioSearch(
            {"hidden": 0.5, "kind": 0.5, "size": 0.5}, num_trials=2, epochs=1
        )
    ticket = finder.find(
        forked(), FORKED, 0.5, validation_data=FORKED, batch_size=8
    )
    assert ticket.density == 0.5
    if name == "snip":
        assert not ticket.scores["size"].any(), "Its loss has the weight 0."
        assert ticket.scores["kind"].all()


# Errors.

TF_DATA = tf.data.Dataset.from_tensor_slices((X, CLASSES))


class Endless(keras.utils.PyDataset):
    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        return X, CLASSES


@pytest.mark.parametrize(
    ("data", "error", "problem"),
    [
        (
            ((X, CLASSES) for _ in range(3)),
            TypeError,
            "more than once.*PyDataset.*from_gener",
        ),
        (iter([(X, CLASSES)]), TypeError, "read more than once"),
        (X, TypeError, r"arrays `\(x, y\)`.* type ndarray"),
        ((X,), TypeError, "of type tuple"),
        ("data.npz", TypeError, "of type str"),
        ((X, CLASSES[:5]), ValueError, "same number of samples"),
        ((X[:0], CLASSES[:0]), ValueError, "must not be empty"),
        (TF_DATA.batch(4).take(0), ValueError, "must not be empty"),
        (
            TF_DATA.batch(4).filter(lambda x, y: False),
            ValueError,
            "must not be empty",
        ),
        (Read([]), ValueError, "must not be empty"),
        (TF_DATA, ValueError, r"`data.batch\(32\)`"),
        (TF_DATA.batch(4).repeat(), ValueError, "end after one epoch.*take"),
        (Endless(), ValueError, "end after one epoch"),
        (TF_DATA.map(lambda x, y: x).batch(4), ValueError, "must have labels"),
        ((X, CLASSES + 0.5), ValueError, r"integer labels.*float32.*astype"),
        ((X, np.eye(3)[CLASSES]), ValueError, "`CategoricalCrossentropy`"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data, error, problem):
    model, _ = of_task("integers")
    with pytest.raises(error, match=problem):
        tickets.SNIP().find(model, data, 0.5)
    with pytest.raises(error, match=problem):
        tickets.GemMiner(period=1, epochs=2).find(model, data, 0.5)


def test_batches_and_validation_are_said_once():
    model, _ = of_task("integers")
    with pytest.raises(ValueError, match="already has batches.*batch_size=8"):
        tickets.SNIP().find(model, TF_DATA.batch(4), 0.5, batch_size=8)
    data = small.dataset()
    assert isinstance(data, datasets.Dataset)
    with pytest.raises(
        ValueError, match="already has batches and validation data"
    ):
        tickets.SNIP().find(model, data, 0.5, validation_data=(X, CLASSES))


def test_validation_data_choose_among_densities():
    model, labels = of_task("regression")
    finder = FINDERS["smart_ratio_search"]
    with pytest.raises(ValueError, match="cannot be split.*Pass `val"):
        finder.find(model, (X, labels), 0.5)
    ticket = finder.find(model, (X, labels), 0.5, validation_data=(X, labels))
    assert list(ticket.history) == ["val_loss"]


@pytest.mark.parametrize("name", TRAINED)
def test_a_search_has_to_be_told_for_how_long(name):
    kind = tickets.TICKETS[name]
    given = {"centre": {"hidden": 1, "head": 1}} if "ratio" in name else {}
    model, labels = of_task("integers")
    call = rf"`{kind.__name__}\(epochs=10\)`"
    with pytest.raises(ValueError, match=f"needs a number of epochs.*{call}"):
        kind(**given).find(model, (X, labels), 0.5, validation_data=(X, labels))
