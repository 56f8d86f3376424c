"""Scores that a reader can check with a pencil."""

import dataclasses
import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import rigl_tf
from rigl_tf import models
from rigl_tf import tickets
from rigl_tf.tickets import optimizers
from rigl_tf.tickets.saliency import synflow
from rigl_tf.tickets.search import mask_selection
from rigl_tf.tickets.search import score_rules
from rigl_tf.tickets.search import signed_constant
from rigl_tf.tickets.search.score_model import ScoreModel
from rigl_tf.training.trainer import Trainer
from rigl_tf.utils import tensors
from tests.tickets import small

A = np.array([[2, 0.5, 0], [0.5, 1, -0.25], [0, -0.25, 3]], np.float32)
W1 = [[1, -2], [0.5, 3], [-1, 0.25]]
W2 = [[2, -1], [-0.5, 4]]


def quadratic(labels, outputs):
    """1/2 w'Aw - b'w: for inputs that are the identity, outputs are w."""
    return 0.5 * tf.reduce_sum(outputs * (A @ outputs)) - tf.reduce_sum(
        labels * outputs
    )


def half_square(labels, outputs):
    return 0.5 * tf.reduce_sum((outputs - labels) ** 2)


def scores(finder, model, data):
    """By kernel, of a finder that is asked for half of the connections."""
    return finder.find(model, data, 0.5).scores


QUADRATIC = small.given(np.eye(3), [[1], [-1], [0.5]])


def test_snip_on_a_linear_regression():
    x = [[1, 2, 0], [0, 1, -1], [2, 0, 1], [1, 1, 1]]
    data = small.given(x, [[1], [0], [2], [-1]])

    def loss(labels, outputs):
        return half_square(labels, outputs) / 4

    model = small.linear([[0.5], [-1], [2]], loss=loss)
    found = scores(tickets.SNIP(), model, data)["w1"].ravel()
    raw = np.array([0.25, 1.375, 3.25])  # |w g| with g = .5, -1.375, 1.625
    assert found == pytest.approx(raw / raw.sum())
    found = scores(tickets.GraSP(temperature=1, num_batches=1), model, data)
    raw = np.array([0.46875, 1.6875, 3.1875])  # w H g
    assert found["w1"].ravel() == pytest.approx(raw / raw.sum())


def test_snip_and_grasp_disagree_on_a_quadratic():
    model = small.linear([[1], [-2], [0.5]], loss=quadratic)
    snip = scores(tickets.SNIP(), model, QUADRATIC)["w1"].ravel()
    assert snip == pytest.approx(np.array([0, 1.25, 0.75]) / 2)
    grasp = scores(
        tickets.GraSP(temperature=1, num_batches=1), model, QUADRATIC
    )["w1"].ravel()
    assert -grasp == pytest.approx([0.0778210117, -0.4980544747, -0.5797665369])


def two_batches(x, y):
    """A `Dataset` of two batches, from arrays of shape (2, examples, ...)."""
    batches = tf.data.Dataset.from_tensor_slices((x, y))
    return dataclasses.replace(
        small.given(x[0], y[0]), train=lambda seed, epoch=0, batch=0: batches
    )


def test_snip_and_grasp_add_the_gradients_of_batches():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    y = rng.normal(size=(2, 4, 1)).astype("float32")
    w = np.array([[0.5], [-1], [2]], "float32")
    model, data = small.linear(w, loss=half_square), two_batches(x, y)

    snip = scores(tickets.SNIP(num_batches=2), model, data)["w1"]
    grasp = scores(tickets.GraSP(temperature=2.0), model, data)["w1"]

    gradients = [a.T @ (a @ w - b) for a, b in zip(x, y, strict=True)]
    assert np.any(gradients[0] * gradients[1] < 0)
    saliency = np.abs(w * sum(gradients))
    assert snip == pytest.approx(saliency / np.sum(saliency))
    # No temperature: these outputs are no logits.
    flow = w * (sum(a.T @ a for a in x) @ sum(gradients))
    assert grasp == pytest.approx(flow / abs(np.sum(flow)))


def test_scores_do_not_depend_on_moving_averages():
    model, data = small.network(), small.dataset()
    finders = tickets.SNIP(), tickets.GraSP()
    before = [scores(finder, model, data)["last"] for finder in finders]
    normalization = model.layers[1]
    normalization.moving_mean.assign_add(tf.ones(12))
    normalization.moving_variance.assign(4 * tf.ones(12))

    after = [scores(finder, model, data)["last"] for finder in finders]

    np.testing.assert_array_equal(before, after)


@dataclasses.dataclass(frozen=True)
class Script(Trainer):
    """Training whose results are known in advance.

    Attributes:
        results: List of arrays, the kernel at the end of each round.
        starts: List, to which each round adds the kernel and the optimizer's
            variables that it starts with.
    """

    results: tuple = ()
    starts: list = dataclasses.field(default_factory=list)

    def __call__(self, model, *args, **kwargs):
        variable = model.kernels[0].variable
        slots = model.optimizer.variables
        self.starts.append((np.array(variable), [np.array(v) for v in slots]))
        variable.assign(self.results[len(self.starts) - 1])
        for slot in slots:
            slot.assign(tf.ones_like(slot))
        return keras.callbacks.History()


def test_imp_prunes_the_smallest_weights_and_rewinds_each_round():
    first = np.arange(1.0, 9)[:, None]
    model = small.linear(first, loss="mse")
    data = small.given(np.eye(8), np.ones((8, 1)))
    rounds = [[-9, 8, -7, 6, 1, 2, 3, 4], [1, -8, 3, -7, 9, 9, 9, 9]]
    trainer = Script(
        **vars(small.make_trainer(model, data)),
        results=np.array(rounds, float)[..., None],
    )

    ticket = tickets.IMP(rate=0.5).find(model, data, 0.25, trainer=trainer)

    (kernel, fresh), (rewound, slots) = trainer.starts
    np.testing.assert_array_equal(kernel, first)
    # The largest four of the first round are the first four.
    np.testing.assert_array_equal(rewound.ravel(), [1, 2, 3, 4, 0, 0, 0, 0])
    for one, other in zip(fresh, slots, strict=True):
        np.testing.assert_array_equal(one, other)
    # Of them, -8 and -7 are the largest of the second round.
    np.testing.assert_array_equal(
        ticket.masks["w1"].ravel(), [0, 1, 0, 1, 0, 0, 0, 0]
    )


@pytest.mark.parametrize(
    ("num_steps", "order", "expected"),
    [
        (0, "full", [2, 7.25, 1.25]),  # SNIP
        (1, "full", [0.98, 5.35515625, 0.54203125]),
        (1, "first", [1.41875, 6.2, 0.8296875]),
    ],
)
def test_prospr_on_a_quadratic(num_steps, order, expected):
    model = small.linear([[1], [2], [-0.5]], loss=quadratic)
    finder = tickets.ProsPr(num_steps, order=order)
    found = scores(finder, model, QUADRATIC)["w1"].ravel()
    assert found == pytest.approx(expected)


def test_prospr_differentiates_through_momentum():
    """Two steps, checked by the closed form of a quadratic."""
    w, b, rate, mu = np.array([1, 2, -0.5]), np.array([1, -1, 0.5]), 0.1, 0.9
    eye = np.eye(3)
    jacobian, velocity_jacobian = eye, np.zeros((3, 3))
    now, velocity = w, np.zeros(3)
    for _ in range(2):
        velocity = mu * velocity + A @ now - b
        velocity_jacobian = mu * velocity_jacobian + A @ jacobian
        now = now - rate * velocity
        jacobian = jacobian - rate * velocity_jacobian
    expected = np.abs(w * (jacobian.T @ (A @ now - b)))
    model = small.linear([[1], [2], [-0.5]], loss=quadratic)
    found = scores(tickets.ProsPr(2, momentum=mu), model, QUADRATIC)["w1"]
    assert found.ravel() == pytest.approx(expected, rel=1e-5)


def sparse(*matrices, **kwargs):
    return rigl_tf.sparsify(
        small.linear(*matrices, **kwargs),
        rigl_tf.algorithms.Static(),
        sparsity=0.0,
    )


def test_the_same_flow_passes_every_layer():
    masks = [np.ones((3, 2), bool), np.ones((2, 2), bool)]
    total, (first, second) = synflow.SynapticFlow(sparse(W1, W2), (3,))(masks)
    assert total == pytest.approx(31.125)
    assert first == pytest.approx(np.array([[3, 9], [1.5, 13.5], [3, 1.125]]))
    assert second == pytest.approx(np.array([[5, 2.5], [2.625, 21]]))
    assert first.sum(axis=0) == pytest.approx(second.sum(axis=1))


@pytest.mark.parametrize("num", [1, 2])
def test_synflow_keeps_the_widest_path(num):
    """It keeps three of twelve connections: two of the path, and one tie.

    The authors remove all ties with the last connection, and keep two.
    """
    matrices = [[1, 2, 3, 4], [4, 3, 2, 1.5]], [[4], [3], [2.5], [2]]
    flow = synflow.SynapticFlow(sparse(*matrices), (2,))
    dense = [np.ones((2, 4), bool), np.ones((4, 1), bool)]
    assert flow(dense)[0] == pytest.approx(58.5)
    data = small.dataset(inputs=2, classes=2)
    ticket = tickets.SynFlow(num_iterations=num).find(
        small.linear(*matrices), data, 0.25
    )
    assert ticket.density == 0.25
    assert ticket.masks["w1"][1, 0] and ticket.masks["w2"][0, 0]
    assert flow(list(ticket.masks.values()))[0] == pytest.approx(16)


def test_synflow_never_brings_back_what_it_has_pruned(monkeypatch):
    """Not even where what is left carries no flow."""
    rounds = []

    def select(*args, global_top_k=mask_selection.global_top_k):
        masks = global_top_k(*args)
        rounds.append(masks["w1"])
        return masks

    monkeypatch.setattr(mask_selection, "global_top_k", select)
    model = small.linear([[1.0], *[[0.0]] * 15])
    data = small.given(np.eye(16), np.ones((16, 1)))

    tickets.SynFlow(5, schedule="linear").find(model, data, 0.25, seed=1)

    assert [np.sum(mask) for mask in rounds] == [14, 11, 9, 6, 4]
    for before, after in itertools.pairwise(rounds):
        assert np.all(before[after])


def test_synflow_keeps_weights_and_statistics_as_they_are():
    model, data = small.network(), small.dataset()
    before = model.get_weights()
    tickets.SynFlow(num_iterations=3).find(model, data, 0.2)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_flow_in_another_dtype_is_the_same():
    masks = [np.ones((3, 2), bool), np.ones((2, 2), bool)]
    for dtype in ("float32", "float64"):
        total, _ = synflow.SynapticFlow(sparse(W1, W2), (3,), dtype)(masks)
        assert total == pytest.approx(31.125)


def test_flow_that_overflows_says_what_to_do():
    matrices = [np.full((2, 2), 1e30, np.float32)] * 2
    data = small.dataset(inputs=2, classes=2)
    with pytest.raises(ValueError, match="dtype='float64'"):
        tickets.SynFlow().find(small.linear(*matrices), data, 0.5)
    ticket = tickets.SynFlow(dtype="float64").find(
        small.linear(*matrices), data, 0.5
    )
    assert ticket.density == 0.5


def test_gradient_saliency_is_conserved_without_biases():
    data = small.given([[1, 2, 0.5]], [[1, 1]])
    model = small.linear(W1, W2, loss=half_square, activation="relu")
    found = scores(tickets.SNIP(), model, data)
    # w * g sums to 209.94140625 in both layers. All products are positive
    # except the two smallest.
    assert found["w1"].max() == pytest.approx(0.45254446)


# Trained scores.


def test_scores_are_trained_straight_through_the_rounding():
    network = sparse([[1, -1], [1, 1]]).network
    model = ScoreModel(network, score_rules.RoundedScores())
    model.set_masks({"w1": np.array([[True, True], [True, False]])})
    model.scores[0].assign([[0.9, 0.2], [0.5, 0.51]])
    x, t = tf.constant([[1.0, -2.0]]), tf.constant([[0.5, -0.5]])
    with tf.GradientTape() as tape:
        y = model(x)
        loss = half_square(t, y)
    # One half rounds up, as in the paper; in the authors' code it does not,
    # and y is (1, 0).
    np.testing.assert_allclose(y, [[-1, 0]])
    assert float(loss) == 1.25
    gradient = tape.gradient(loss, model.scores[0].value)
    np.testing.assert_allclose(
        tensors.masked(gradient, model.kernels[0].mask), [[-1.5, -0.5], [3, 0]]
    )


def test_regularization_shrinks_scores_as_reckoned():
    """Zero weights give no other gradient: p0 = 1, lambda = 1e-4."""
    model = ScoreModel(sparse([[0.0]]).network, score_rules.RoundedScores(1e-4))
    model.scores[0].assign([[1.0]])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    expected = {1: 0.99998, 2: 0.9999420004, 10: 0.9991725234}
    for step in range(1, 11):
        model.train_on_batch(x, y)
        if step in expected:
            found = float(model.scores[0][0, 0])
            assert found == pytest.approx(expected[step], abs=2e-7)


def test_scores_stay_between_0_and_1():
    model = ScoreModel(
        sparse([[1.0, -1.0]]).network, score_rules.RoundedScores()
    )
    model.scores[0].assign([[0.9, 0.6]])
    model.compile(keras.optimizers.SGD(10.0), "mse")
    model.train_on_batch(np.ones((1, 1)), np.array([[3.0, 3.0]]))
    np.testing.assert_array_equal(model.scores[0], [[1.0, 0.0]])


@pytest.mark.parametrize(
    ("count", "mask"), [(4, "10010011"), (3, "10010010"), (1, "00010000")]
)
def test_edge_popup_counts_the_largest_scores(count, mask):
    network = sparse(np.ones((8, 1))).network
    model = ScoreModel(network, score_rules.TopKScores([count]))
    model.scores[0].assign(
        np.array([[0.3, -0.1, 0.05, -0.7, 0.2, 0, 0.6, -0.25]]).T
    )
    chosen = model.selected_masks()[0].numpy().ravel()
    assert "".join("01"[int(c)] for c in chosen) == mask


def test_edge_popup_differentiates_the_size_of_a_score():
    network = sparse([[2.0], [3.0]]).network
    model = ScoreModel(network, score_rules.TopKScores([1]))
    model.scores[0].assign([[-0.5], [0.25]])
    with tf.GradientTape() as tape:
        y = model(tf.constant([[1.0, 10.0]]))
        loss = tf.reduce_sum(y)
    assert float(y[0, 0]) == 2.0
    gradient = tape.gradient(loss, model.scores[0].value)
    # sign(s) * w * x, also of the connection that does not count.
    np.testing.assert_allclose(gradient, [[-2.0], [30.0]])


def test_edge_popup_over_all_layers_follows_the_count():
    network = sparse([[1.0, 1.0]], [[1.0], [1.0]]).network
    model = ScoreModel(network, score_rules.TopKScores())
    model.scores[0].assign([[0.9, 0.1]])
    model.scores[1].assign([[-0.8], [0.2]])
    model.count.assign(2)
    first, second = (c.numpy().ravel().tolist() for c in model.selected_masks())
    assert (first, second) == ([True, False], [True, False])
    model.count.assign(3)
    assert model.selected_masks()[1].numpy().all()
    assert model.current_density() == 0.75


def test_densities_have_the_gradient_of_all_their_connections():
    network = sparse(np.full((50, 20), 0.5)).network
    model = ScoreModel(network, score_rules.BernoulliScores([0.3]), seed=1)
    drawn = model.selected_masks()[0].numpy()
    assert 0.2 < drawn.mean() < 0.4
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.ones((1, 50))))
    assert float(loss) == 0.5 * drawn.sum()
    assert float(tape.gradient(loss, model.scores[0].value)) == 500.0
    model.step.assign(1)
    assert (model.selected_masks()[0].numpy() != drawn).any(), (
        "New connections."
    )


@pytest.mark.parametrize(
    ("layer", "inputs", "fan_in", "expected"),
    [
        (keras.layers.Conv2D(4, 3), (8, 8, 3), 27, 0.27216553),
        (keras.layers.Dense(4), (64,), 64, 0.17677670),
        (keras.layers.Conv2D(4, 3), (8, 8, 16), 144, 0.11785113),
        (keras.layers.Conv2D(4, 3), (8, 8, 64), 576, 0.05892557),
        (keras.layers.DepthwiseConv2D(3), (8, 8, 16), 9, 0.47140452),
    ],
)
def test_signed_constants(layer, inputs, fan_in, expected):
    model = keras.Sequential([keras.Input(inputs), layer])
    model = rigl_tf.sparsify(
        model,
        rigl_tf.algorithms.Static(),
        sparsity=0.0,
        include=[layer.name],
    )
    before = tensors.as_array(model.kernels[0].variable)
    signed_constant.make_signed_constant(model)
    after = tensors.as_array(model.kernels[0].variable)
    assert np.abs(after) == pytest.approx(expected)
    np.testing.assert_array_equal(np.sign(before), np.sign(after))
    assert score_rules.fan_in(model.kernels[0]) == fan_in
    first = (
        score_rules.TopKScores()
        .initial_scores(model.kernels[0], (0, 0))
        .numpy()
    )
    bound = fan_in**-0.5
    assert 0.9 * bound < np.abs(first).max() <= bound


def test_the_learning_rate_of_scores_falls_as_a_cosine():
    optimizer = functools.partial(optimizers.sgd, learning_rate=0.1)(150)
    rate = optimizer._learning_rate
    for epoch, expected in (
        (0, 0.1),
        (1, 0.0999890342),
        (50, 0.075),
        (75, 0.05),
        (100, 0.025),
        (149, 1.09658e-5),
    ):
        assert float(rate(epoch)) == pytest.approx(expected, rel=1e-3)
    assert sum(float(rate(e)) for e in range(150)) == pytest.approx(7.55)


def test_the_learning_rate_of_tickets_falls_in_steps():
    rate = optimizers.multi_step(150, learning_rate=0.1)._learning_rate
    rates = [float(rate(epoch)) for epoch in range(150)]
    assert rates[:80] == pytest.approx([0.1] * 80)
    assert rates[80:120] == pytest.approx([0.01] * 40)
    assert rates[120:] == pytest.approx([0.001] * 30)


@pytest.fixture(scope="module")
def resnet20():
    network = models.resnet((32, 32, 3), 10, affine=False, bias=False)
    return rigl_tf.sparsify(network, rigl_tf.algorithms.Static(), sparsity=0.0)


def test_the_flow_through_resnet20_is_the_same_in_every_cut(resnet20):
    flow = synflow.SynapticFlow(resnet20, (32, 32, 3))
    total, scores = flow(
        [np.ones(k.variable.shape, bool) for k in resnet20.kernels]
    )
    sums = {
        kernel.name: score.sum(dtype=np.float64)
        for kernel, score in zip(resnet20.kernels, scores, strict=True)
    }
    assert sums["conv1"] == pytest.approx(total, rel=1e-3)
    assert sums["logits"] == pytest.approx(total, rel=1e-3)
    for block in ("block1_0", "block2_1", "block3_2"):
        first, second = sums[f"{block}_conv1"], sums[f"{block}_conv2"]
        assert first == pytest.approx(second, rel=1e-3)
        assert first < total, "The shortcut carries the rest."


def test_global_edge_popup_begins_without_the_layers_of_many_inputs(resnet20):
    """By the bound of the scores, 1 / sqrt(inputs): 0.0784 at 0.59 %."""
    found = {
        kernel.name: abs(
            score_rules.TopKScores().initial_scores(kernel, (0, i)).numpy()
        )
        for i, kernel in enumerate(resnet20.kernels)
    }
    masks = mask_selection.global_top_k(found, 1583)  # alive, by one connection
    expected = {"conv1": 0.592563, "logits": 0.372709}
    for name, density in expected.items():
        assert masks[name].mean() == pytest.approx(density, abs=0.06)
    first = [mask for name, mask in masks.items() if "block1" in name]
    assert np.mean(first) == pytest.approx(0.059064, abs=0.01)
    for name, mask in masks.items():
        if name[:6] in ("block2", "block3") and name != "block2_0_conv1":
            assert mask.sum() == 1
