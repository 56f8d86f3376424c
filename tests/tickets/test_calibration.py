"""Finders that prune a trained network for the inputs of its layers."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import tickets
from rigl_tf.tickets.calibration import kernel_inputs
from tests.tickets import small

CALIBRATED = {"wanda": tickets.Wanda, "sparse_gpt": tickets.SparseGPT}


def given(x):
    """Data with any labels."""
    return np.asarray(x, "float32"), np.zeros((len(x), 1))


# Worked examples.


def test_wanda_compares_the_inputs_of_each_output():
    """The first input is ten times as large as the second."""
    model = small.linear([[1, 3], [2, 1]])
    data = given([[10, 1]])

    wanda = tickets.Wanda().find(model, data, 0.5)
    magnitude = tickets.Magnitude(scope="output").find(model, data, 0.5)

    np.testing.assert_array_equal(wanda.masks["w1"], [[1, 1], [0, 0]])
    assert wanda.scores["w1"] == pytest.approx(np.array([[10, 30], [2, 1]]))
    np.testing.assert_array_equal(magnitude.masks["w1"], [[0, 1], [1, 0]])


# The Hessian of these two examples is [[2, 1], [1, 2]].
CORRELATED = [[2**0.5, 0.5**0.5], [0, 1.5**0.5]]


def test_sparse_gpt_moves_a_pruned_weight_to_the_next_input():
    model = small.linear([[1], [1]])
    finder = tickets.SparseGPT(hessian_damping=0.0)

    ticket = finder.find(model, given(CORRELATED), 0.5)

    # The score is w^2 / U^2, with the diagonal 2/3, 1/2 of U^2.
    assert ticket.scores["w1"].ravel() == pytest.approx([1.5, 2])
    np.testing.assert_allclose(ticket.weights[0], [[0], [1.5]], rtol=1e-6)
    errors = tickets.reconstruction_errors(ticket, model, given(CORRELATED))
    # w' H w / 2 is 0.75 for the change [-1, 0.5], and 3 for the weights.
    assert errors["w1"] == pytest.approx(0.25, rel=1e-5)


def test_sparse_gpt_solves_the_least_squares_of_later_inputs():
    """The first inputs have the smallest weights, so that they are pruned."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 9)) @ rng.normal(size=(9, 9))
    kernel = (
        rng.normal(size=(9, 2)) * np.where(np.arange(9) < 3, 1e-3, 1)[:, None]
    )
    model = small.linear(kernel)
    finder = tickets.SparseGPT(hessian_damping=0.0, block_size=9)

    ticket = finder.find(model, given(x), 6 / 9)

    expected, *_ = np.linalg.lstsq(x[:, 3:], x @ kernel, rcond=None)
    np.testing.assert_array_equal(ticket.masks["w1"][:3], False)
    np.testing.assert_allclose(ticket.weights[0][3:], expected, atol=1e-4)


@pytest.mark.few(1)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_errors_on_correlated_inputs_fall_from_magnitude_to_sparse_gpt(seed):
    """A factor is in all inputs; large inputs have small weights."""
    rng = np.random.default_rng(seed)
    scale = np.logspace(-1, 1, 24)
    x = rng.normal(size=(256, 24)) + 2 * rng.normal(size=(256, 1))
    data = given(x * scale)
    model = small.linear(rng.normal(size=(24, 12)) / scale[:, None] ** 0.5)

    errors = []
    for finder in (
        tickets.Magnitude(scope="output"),
        tickets.Wanda(num_samples=256),
        tickets.SparseGPT(num_samples=256),
    ):
        ticket = finder.find(model, data, 0.4)
        assert ticket.masks["w1"].sum() == round(0.4 * 24 * 12)
        error = tickets.reconstruction_errors(ticket, model, data, 256)
        errors.append(error["w1"])

    magnitude, wanda, sparse_gpt = errors
    assert sparse_gpt < wanda < magnitude


@pytest.mark.few(6)
@pytest.mark.parametrize("block_size", [1, 4, 7, 128])
@pytest.mark.parametrize("density", [0.04, 0.35, 0.5, 0.96])
def test_counts_are_exact(density, block_size):
    """The authors' `<=` prunes one weight more, 13 of 24 at 0.5."""
    rng = np.random.default_rng(0)
    model = small.linear(rng.normal(size=(6, 4)))

    for finder in (tickets.Wanda(), tickets.SparseGPT(block_size=block_size)):
        mask = finder.find(model, given(rng.normal(size=(40, 6))), density)
        assert mask.masks["w1"].sum() == round(24 * density)


# The layers.


LAYERS = {
    "dense": (kl.Dense(5, use_bias=False), (7,)),
    "dense of sequences": (kl.Dense(5, use_bias=False), (3, 7)),
    "einsum": (kl.EinsumDense("abc,cde->abde", (None, 3, 5)), (4, 6)),
    "einsum to one": (kl.EinsumDense("abcd,cde->abe", (None, 5)), (4, 2, 3)),
    "conv1d": (
        kl.Conv1D(5, 3, padding="causal", dilation_rate=2, use_bias=False),
        (9, 4),
    ),
    "conv2d": (
        kl.Conv2D(6, (3, 2), strides=2, padding="same", use_bias=False),
        (7, 8, 4),
    ),
    "groups": (kl.Conv2D(6, 3, groups=2, use_bias=False), (5, 6, 4)),
    "conv3d": (kl.Conv3D(3, 2, use_bias=False), (3, 4, 3, 2)),
    "depthwise": (
        kl.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
        (5, 6, 4),
    ),
    "depthwise 1d": (kl.DepthwiseConv1D(3, strides=2, use_bias=False), (9, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_product_of_the_matrices_is_the_output_of_the_layer(name):
    layer, shape = LAYERS[name]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    y = np.array(layer(x))
    (kernel,) = rigl_tf.Sparse(layer).kernels

    matrices = kernel_inputs.input_matrices(layer, x)
    weights = kernel_inputs.kernel_matrices(kernel, np.array(layer.kernel))
    outputs = np.matmul(matrices, weights).transpose(1, 0, 2)

    np.testing.assert_allclose(outputs.reshape(y.shape), y, atol=1e-5)
    np.testing.assert_array_equal(
        kernel_inputs.to_kernel_shape(kernel, weights), layer.kernel
    )


def transformer():
    """A block with attention and two Dense layers, on short sequences."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,), dtype="int32")
    x = kl.Embedding(20, 8)(inputs)
    for i in range(2):
        attended = kl.MultiHeadAttention(2, 4, name=f"attention_{i}")(x, x)
        x = kl.LayerNormalization()(x + attended)
        hidden = kl.Dense(16, activation="gelu", name=f"mlp_{i}_in")(x)
        x = kl.LayerNormalization()(
            x + kl.Dense(8, name=f"mlp_{i}_out")(hidden)
        )
    x = kl.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, kl.Dense(3, name="logits")(x))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def words(num=64):
    x = np.random.default_rng(0).integers(0, 20, (num, 6))
    return x, x[:, 0] % 3


@pytest.mark.parametrize("name", CALIBRATED)
def test_every_kernel_of_a_transformer_is_pruned(name):
    model, data = transformer(), words()

    ticket = CALIBRATED[name]().find(model, data, 0.5)

    size = sum(mask.size for mask in ticket.masks.values())
    assert ticket.density == round(0.5 * size) / size
    assert len(ticket.masks) == 2 * 6 + 1
    for mask in ticket.masks.values():
        assert abs(mask.mean() - 0.5) < 0.02
    errors = tickets.reconstruction_errors(ticket, model, data)
    assert errors.keys() == ticket.masks.keys()
    assert all(0 < error < 1 for error in errors.values())


def two_layers():
    """The output of the first layer depends on what is pruned in it."""
    return small.linear([[3, 0.5], [1, 2]], [[1, 2], [2, 3]])


def test_the_inputs_of_a_block_come_from_pruned_blocks():
    data = given([[1, 1], [1, 2]])

    first, second = (
        tickets.Wanda(sequential=sequential).find(two_layers(), data, 0.5)
        for sequential in (True, False)
    )
    together = tickets.Wanda(blocks=["w*"]).find(two_layers(), data, 0.5)

    np.testing.assert_array_equal(first.masks["w1"], [[1, 0], [0, 1]])
    # The outputs are [3, 2], [3, 4] with these masks, dense [4, 2.5], [5, 4.5].
    norms = np.linalg.norm([[3, 2], [3, 4]], axis=0) / 2**0.5
    dense = np.linalg.norm([[4, 2.5], [5, 4.5]], axis=0) / 2**0.5
    kernel = np.array([[1, 2], [2, 3]])
    assert first.scores["w2"] == pytest.approx(kernel * norms[:, None])
    assert second.scores["w2"] == pytest.approx(kernel * dense[:, None])
    assert together.scores["w2"] == pytest.approx(second.scores["w2"])


@pytest.mark.parametrize("name", CALIBRATED)
def test_layers_may_have_the_densities_of_a_distribution(name):
    finder = CALIBRATED[name](distribution="erdos_renyi_kernel")
    model = small.network()

    ticket = finder.find(model, small.dataset(), 0.25)

    kept = [mask.sum() for mask in ticket.masks.values()]
    expected = rigl_tf.distributions.get("erk")(
        [(4, 12), (12, 8), (8, 3)], 0.75
    )
    assert sum(kept) == 42
    for mask, sparsity in zip(ticket.masks.values(), expected, strict=True):
        assert mask.mean() == pytest.approx(1 - sparsity, abs=0.05)


def test_an_input_that_is_always_zero_is_pruned_first():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4)) * [1, 1, 0, 1]
    model = small.linear(rng.normal(size=(4, 3)) * [[1], [1], [9], [1]])

    for finder in (tickets.Wanda(), tickets.SparseGPT()):
        mask = finder.find(model, given(x), 0.75).masks["w1"]
        np.testing.assert_array_equal(
            mask, [[1] * 3, [1] * 3, [0] * 3, [1] * 3]
        )


def test_kept_weights_of_a_dead_input_stay_finite():
    model = small.linear(np.ones((3, 2)))

    ticket = tickets.SparseGPT().find(model, given([[1, 0, 0], [2, 0, 0]]), 0.9)

    assert np.isfinite(ticket.weights[0]).all()


# From the ticket to a trained network.


@pytest.mark.few(3)
@pytest.mark.filterwarnings("ignore:This `fit` ends at step")
@pytest.mark.parametrize(
    ("algorithm", "arguments"),
    [
        ("rigl", {"schedule": 2}),
        ("rigl", {"schedule": 2, "storage": "active"}),
        ("set", {"schedule": 2}),
        ("deepr", {"schedule": 1}),
        ("gradual_pruning", {"schedule": 2, "sparsity": 0.75}),
    ],
)
def test_any_algorithm_trains_from_the_ticket(algorithm, arguments):
    model, (x, y) = small.network(), small_data()
    ticket = tickets.SparseGPT().find(model, (x, y), 0.5)

    with ticket.all_active_in(model) as dense:
        kernels = ticket.kernels_for(dense)

    sparse = ticket.sparsify(model, algorithm=algorithm, **arguments)

    for kernel in sparse.kernels:
        np.testing.assert_array_equal(kernel.mask, ticket.masks[kernel.name])
    for kernel in sparse.kernels:
        np.testing.assert_array_equal(kernel.weights(), kernels[kernel.name])
    sparse.compile("adam", model.loss or "mse", run_eagerly=True)
    sparse.fit(x, y, epochs=2, batch_size=16, verbose=0)
    assert int(sparse.num_updates) > 1
    total = sum(int(kernel.count()) for kernel in sparse.kernels)
    assert total == (42 if algorithm == "gradual_pruning" else 84)


def small_data():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return x, np.argmax(x[:, :3], axis=1)


def test_recalibration_sets_the_moving_averages_of_the_pruned_network():
    model = small.network()
    x, y = small_data()
    first, normalization = model.layers[:2]
    ticket = tickets.Magnitude().find(model, (x, y), 0.5)
    sparse = ticket.sparsify(model)
    gamma = np.array(normalization.gamma)

    tickets.recalibrate(sparse, (x, y), batch_size=16)

    hidden = np.array(first(x))
    np.testing.assert_allclose(
        normalization.moving_mean, hidden.mean(axis=0), atol=1e-6
    )
    np.testing.assert_array_equal(normalization.gamma, gamma)
    assert normalization.momentum == 0.99


def test_recalibration_changes_no_other_layer():
    x, y = small_data()
    spectral = keras.layers.SpectralNormalization(keras.layers.Dense(5))
    normalization = keras.layers.BatchNormalization()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            spectral,
            keras.layers.Dropout(0.5),
            normalization,
            keras.layers.Dense(3),
        ]
    )
    before = [(v, np.array(v)) for v in model.variables]

    tickets.recalibrate(model, (x, y), batch_size=16)

    changed = [v for v, old in before if not np.array_equal(v, old)]
    moving = [normalization.moving_mean, normalization.moving_variance]
    assert [v.path for v in changed] == [v.path for v in moving]


@pytest.mark.parametrize("finder", [tickets.Wanda(), tickets.SparseGPT()])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["weights", "inputs"])
def test_what_is_not_finite_is_refused(finder, bad, place):
    model, (x, y) = small.network(), small_data()
    if place == "weights":
        model.layers[3].kernel.assign(np.full((12, 8), bad))
    else:
        x[3, 2] = bad

    with pytest.raises(ValueError, match="finite.* in the weights.*second"):
        finder.find(model, (x, y), 0.5)


def test_a_recalibration_that_fails_leaves_the_momentum():
    model = small.network()
    x, y = small_data()

    with pytest.raises(ValueError, match="incompatible with the layer"):
        tickets.recalibrate(model, (x[:, :3], y))

    assert model.layers[1].momentum == 0.99


def test_the_error_of_a_ticket_is_that_of_its_outputs():
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    model = small.linear([[1, 2], [3, 4], [5, 6]])
    kernel = model.get_weights()[0]
    ticket = tickets.Magnitude().find(model, given(x), 0.5)

    errors = tickets.reconstruction_errors(ticket, model, given(x))

    lost = x @ (kernel * ~ticket.masks["w1"])
    expected = np.sum(lost**2) / np.sum((x @ kernel) ** 2)
    assert errors == {"w1": pytest.approx(expected, rel=1e-5)}
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


# Mistakes.


def with_layer(layer, shape):
    return keras.Sequential(
        [keras.Input(shape), layer, kl.Dense(1, name="last")]
    )


@pytest.mark.parametrize("finder", [tickets.Wanda(), tickets.SparseGPT()])
@pytest.mark.parametrize(
    ("layer", "shape", "problem"),
    [
        (kl.LSTM(3, name="memory"), (4, 2), "'memory/kernel'.*LSTMCell"),
        (
            kl.Conv1DTranspose(3, 2, name="up", use_bias=False),
            (4, 2),
            "Conv1DTranspose",
        ),
        (kl.EinsumDense("abc,bcd->abd", (4, 3), name="e"), (4, 2), "no matrix"),
    ],
)
def test_a_layer_whose_inputs_are_unknown_is_named(
    finder, layer, shape, problem
):
    model = with_layer(layer, shape)
    data = np.zeros((3, *shape)), np.zeros(3)

    with pytest.raises(ValueError, match=f"{problem}.*exclude="):
        finder.find(model, data, 0.5)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: tickets.Wanda(num_samples=0), "`num_samples`"),
        (lambda: tickets.SparseGPT(hessian_damping=-1), "`hessian_damping`"),
        (lambda: tickets.SparseGPT(block_size=0), "`block_size`"),
        (
            lambda: tickets.SparseGPT(hessian_damping=0.0).find(
                small.linear(np.ones((3, 2))), given([[1, 1, 1]]), 0.5
            ),
            "linearly independent.*hessian_damping=0.0",
        ),
        (
            lambda: tickets.SparseGPT().find(
                small.linear(np.ones((2**14 + 1, 1))),
                given(np.ones((1, 2**14 + 1))),
                0.5,
            ),
            "at most 16,384 inputs",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(make, problem):
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_layer_that_is_never_called_is_named():
    class Unused(keras.Model):
        def __init__(self):
            super().__init__()
            self.used = kl.Dense(3, name="used")
            self.unused = kl.Dense(3, name="unused")
            self.unused.build((None, 2))

        def call(self, x):
            return self.used(x)

    model = Unused()
    model(np.zeros((1, 2)))

    with pytest.raises(ValueError, match="never calls unused"):
        tickets.Wanda().find(model, (np.ones((3, 2)), np.ones((3, 3))), 0.5)


def test_layers_call_as_before_when_a_search_ends_early():
    model = small.network()
    find = functools.partial(tickets.SparseGPT(hessian_damping=0.0).find, model)

    with pytest.raises(ValueError, match="linearly independent"):
        find((np.ones((3, 4)), np.zeros(3)), 0.5)

    assert all("call" not in vars(layer) for layer in model.layers)
