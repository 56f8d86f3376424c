import keras
import numpy as np
import pytest
from keras import layers as kl

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import structures
from rigl_tf.modeling import sparse_wrapper
from rigl_tf.sparsity import distributions
from rigl_tf.sparsity import masks
from rigl_tf.sparsity import schedules
from tests import networks

RIGL = algorithms.RigL()


def names(model):
    return [kernel.name for kernel in sparse_wrapper.sparse_kernels(model)]


def sparse(network="sequential", **kwargs):
    kwargs.setdefault("sparsity", 0.5)
    return rigl_tf.sparsify(networks.NETWORKS[network](), RIGL, **kwargs)


@pytest.mark.parametrize("network", sorted(networks.NETWORKS))
def test_a_model_without_zeros_computes_what_it_did(network, data):
    model = networks.NETWORKS[network]()
    expected = model.predict(data[0], verbose=0)

    sparse = rigl_tf.sparsify(model, algorithms.GradualPruning(), sparsity=0.5)

    np.testing.assert_array_equal(expected, sparse.predict(data[0], verbose=0))


@pytest.mark.few(3)
@pytest.mark.parametrize("network", sorted(networks.NETWORKS))
def test_densify_gives_a_plain_model_with_the_same_outputs(network, data):
    keras_model = networks.NETWORKS[network]()
    model = rigl_tf.sparsify(keras_model, RIGL, sparsity=0.5)

    plain = rigl_tf.densify(model)

    assert plain is keras_model
    assert not rigl_tf.sparse_layers(plain)
    kinds = {type(layer) for layer in plain._flatten_layers()}
    assert not kinds & {rigl_tf.Sparse, rigl_tf.SparseModel}
    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), plain.predict(data[0], verbose=0)
    )


def test_operations_on_tensors_stay():
    x = keras.Input((3,))
    model = keras.Model(x, 2.0 * kl.Dense(4)(x + 3.0))

    copy = rigl_tf.sparsify(model, algorithms.GradualPruning(), sparsity=0.5)

    for each in (copy, rigl_tf.densify(copy)):
        np.testing.assert_array_equal(
            model(np.ones((2, 3))), each(np.ones((2, 3)))
        )


def test_a_model_that_is_copied_first_is_left_alone():
    model = networks.sequential()
    before = [np.asarray(w) for w in model.weights]

    rigl_tf.sparsify(model, RIGL, sparsity=0.9, copy=True)

    assert not rigl_tf.sparse_layers(model)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_model_shares_its_layers_and_weights():
    model = networks.sequential()
    layers, weights = model.layers, model.weights

    sparse = rigl_tf.sparsify(model, RIGL, sparsity=0.9)

    wrappers = rigl_tf.sparse_layers(sparse)
    assert sparse.network is model
    assert [wrapper.layer for wrapper in wrappers] == layers
    assert all(a is b for a, b in zip(weights, model.weights, strict=True))
    assert np.mean(np.asarray(weights[0]) == 0) > 0.5


def test_the_counts_are_exactly_those_of_the_distribution():
    model = sparse(sparsity=0.8)

    shapes = [(16, 24), (24, 12), (12, 2)]
    sparsities = distributions.erdos_renyi_kernel(shapes, 0.8)
    expected = distributions.budgets(shapes, sparsities)
    assert [int(masks.count(k.mask)) for k in model.kernels] == expected
    # Zeros per layer are whole numbers before they are shared out, as in the
    # original code: 307 + 230 + 19 of 696.
    assert sum(expected) == 696 - (307 + 230 + 19)


def test_a_mask_costs_one_byte_a_connection():
    for kernel in sparse().kernels:
        assert np.asarray(kernel.mask).nbytes == kernel.size


def test_attention_and_recurrent_layers_have_a_mask_for_each_kernel():
    assert [n.split("/")[-1] for n in names(sparse("attention"))][:4] == [
        "query",
        "key",
        "value",
        "attention_output",
    ]
    assert [n.split("/")[-1] for n in names(sparse("recurrent"))][:2] == [
        "kernel",
        "recurrent_kernel",
    ]


def test_depthwise_kernels_are_masked_only_on_request():
    def are_masked(model):
        kernels = sparse_wrapper.sparse_kernels(model)
        return any(isinstance(k.layer, kl.DepthwiseConv2D) for k in kernels)

    assert not are_masked(sparse("convolutional"))
    assert are_masked(sparse("convolutional", include=kl.DepthwiseConv2D))


def test_embeddings_are_masked_only_on_request():
    def masked(**kwargs):
        model = keras.Sequential(
            [
                keras.Input((5,), dtype="int32"),
                kl.Embedding(11, 4, name="table"),
                kl.Flatten(),
                kl.Dense(2),
            ]
        )
        return names(rigl_tf.sparsify(model, RIGL, sparsity=0.5, **kwargs))

    assert "table" not in masked()
    assert "table" in masked(include=["table"])


def test_excluded_layers_stay_plain():
    model = networks.sequential()
    first = model.layers[0].name

    assert first not in names(
        rigl_tf.sparsify(model, RIGL, sparsity=0.5, exclude=[first])
    )


def test_a_subclassed_model_is_sparse_where_its_author_wraps_layers(data):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = rigl_tf.Sparse(kl.Dense(20, activation="relu"))
            self.head = kl.Dense(2)

        def call(self, x):
            return self.head(self.hidden(x))

    net = Net()
    net(data[0][:2])
    model = rigl_tf.sparsify(
        net,
        RIGL,
        sparsity=0.7,
        schedule=schedules.UpdateSchedule(3),
    )
    model.compile("adam", loss="sparse_categorical_crossentropy")

    model.fit(*data, verbose=0, batch_size=20, epochs=2)

    (kernel,) = model.kernels
    assert int(masks.count(kernel.mask)) == model.budgets[0] == 96
    assert int(model.num_changed) > 0


def test_a_frozen_layer_stays_as_it_is_unless_named(data):
    def masked(**kwargs):
        net = networks.sequential()
        net.layers[0].trainable = False
        name = net.layers[0].name
        kwargs = {key: value or [name] for key, value in kwargs.items()}
        return names(rigl_tf.sparsify(net, RIGL, sparsity=0.7, **kwargs)), name

    without, name = masked()
    assert len(without) == 2 and name not in without
    asked, name = masked(include=None)
    assert len(asked) == 3 and name in asked


def test_a_layer_that_is_frozen_later_keeps_its_mask(data):
    net = networks.sequential()
    model = rigl_tf.sparsify(
        net, RIGL, sparsity=0.7, schedule=schedules.UpdateSchedule(2)
    )
    model.get_layer(index=0).trainable = False
    model.compile("adam", loss="sparse_categorical_crossentropy")
    before = [np.array(k.mask) for k in model.kernels]

    model.fit(*data, verbose=0, batch_size=20)

    after = [np.array(k.mask) for k in model.kernels]
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


@pytest.mark.parametrize("least", [0.0, 0.1])
def test_the_users_own_constraint_holds_beside_the_mask(least, data):
    """Also a constraint that does not keep zeros."""

    class AtLeast(keras.constraints.Constraint):
        def __call__(self, weights):
            return keras.ops.maximum(weights, least)

    net = keras.Sequential(
        [
            keras.Input((16,)),
            kl.Dense(8, kernel_constraint=AtLeast()),
            kl.Dense(2),
        ]
    )
    model = rigl_tf.sparsify(net, algorithms.Static(), sparsity=0.5)
    model.compile("adam", loss="sparse_categorical_crossentropy")

    model.fit(*data, verbose=0)

    kernel = model.kernels[0]
    weights, mask = np.asarray(kernel.variable), np.asarray(kernel.mask)
    assert np.all(weights[mask] >= np.float32(least))
    assert np.all(weights[~mask] == 0)


def test_a_custom_loop_keeps_the_zeros_and_warns_that_masks_stay():
    model = sparse()
    optimizer = keras.optimizers.SGD(0.1)
    kernel = model.kernels[0]

    with pytest.warns(UserWarning, match="RigL moves or prunes no connection"):
        optimizer.apply(
            [np.ones(kernel.variable.shape, "float32")], [kernel.variable]
        )

    weights = np.asarray(kernel.variable)
    assert np.all(weights[~np.asarray(kernel.mask)] == 0)


@pytest.mark.parametrize(
    ("kwargs", "error", "helps"),
    [
        ({"seed": 0.5}, ValueError, "`seed` must be an integer.*seed=0.5"),
        ({"algorithm": "rigel"}, ValueError, "rigl.*algorithm='rigel'"),
        (
            {"distribution": "erdos"},
            ValueError,
            "one of uniform.*distribution='erdos'",
        ),
        ({"grow_init": "random"}, TypeError, "GrowInit.*grow_init='random'"),
        ({"model": "net"}, TypeError, "keras.Model.*model='net'"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(kwargs, error, helps):
    defaults = {"algorithm": RIGL, "sparsity": 0.5}

    with pytest.raises(error, match=helps):
        rigl_tf.sparsify(**{"model": networks.sequential()} | defaults | kwargs)


def test_layers_inside_layers_of_others_may_be_left_dense():
    class Block(kl.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = kl.Dense(8)

        def build(self, input_shape):
            self.dense.build(input_shape)

        def call(self, x):
            return self.dense(x)

    model = keras.Sequential(
        [keras.Input((16,)), Block(name="block"), kl.Dense(2, name="head")]
    )

    assert names(
        rigl_tf.sparsify(model, RIGL, sparsity=0.5, exclude=["block"])
    ) == ["head"]


def test_masks_may_be_set_by_name():
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a")]),
        rigl_tf.algorithms.RigL(),
        sparsity=0.5,
    )
    mask = np.zeros((4, 3), bool)
    mask[1] = True

    model.set_masks({"a": mask})

    (kernel,) = model.kernels
    np.testing.assert_array_equal(kernel.mask, mask)
    np.testing.assert_array_equal(np.array(kernel.variable)[~mask], 0)
    assert model.budgets == [3]
    with pytest.raises(ValueError, match="Received: b. Kernels: a"):
        model.set_masks({"b": mask})
    with pytest.raises(ValueError, match="shape"):
        model.set_masks({"a": mask.T})


@pytest.mark.parametrize(
    ("structure", "wrong", "right", "problem"),
    [
        (structures.Blocks(2, 2), (4, 4, 4, 3), (4, 4, 0, 0), "divides a unit"),
        (structures.NM(2, 4), (2, 2, 1, 3), (2, 2, 2, 2), "same number"),
        (structures.NM(2, 4), (1, 1, 1, 1), (4, 4, 4, 4), "same number"),
        (structures.ConstantFanIn(), (2, 2, 1, 3), (3, 0, 3, 3), "same number"),
    ],
    ids=str,
)
def test_a_mask_that_breaks_the_structure_is_refused(
    structure, wrong, right, problem
):
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="a")]),
        "rigl",
        sparsity=0.5,
        distribution="uniform_all",
        structure=structure,
    )

    with pytest.raises(ValueError, match=problem):
        model.set_masks({"a": np.arange(4)[:, None] < wrong})
    model.set_masks({"a": np.arange(4)[:, None] < right})

    assert model.kernels[0].count() == sum(right)


def test_nothing_is_replaced_from_the_end_of_the_schedule_on():
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        "rigl",
        sparsity=0.5,
        drop_fraction=rigl_tf.schedules.Constant(0.2),
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=6),
    )

    fractions = []
    for step in (5, 6):
        model.step.assign(step)
        fractions.append(model.current_drop_fraction())

    assert fractions == [0.2, 0.0]


@pytest.mark.parametrize(
    ("algorithm", "due", "first_fraction"),
    [
        (algorithms.RigL(), [100], 0.3),
        (algorithms.DeepR(), list(range(1, 160)), 0.3),
        (algorithms.GGR(), [16, 32, 48, 64], 0.1),
    ],
)
def test_an_algorithm_has_schedules_of_its_own(algorithm, due, first_fraction):
    model = rigl_tf.sparsify(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]),
        algorithm,
        sparsity=0.5,
    )

    model.resolve_schedules(160, steps_per_epoch=16)

    assert list(model.schedule.steps(0, 160)) == due
    assert float(model.drop_fraction(0)) == pytest.approx(first_fraction)
