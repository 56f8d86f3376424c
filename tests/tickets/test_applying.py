"""What `Ticket.sparsify` and sanity checks do to the model they are given."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import tickets
from tests.tickets import small


def ticket(**kwargs):
    model = small.network()
    masks = {
        f"{layer.name}": np.arange(layer.kernel.shape[1]) % 4
        < np.ones(layer.kernel.shape)
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense)
    }
    return tickets.Ticket(masks, **kwargs)


def other_network():
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(12, name="first")]
    )


def wrapped():
    sparse = rigl_tf.sparsify(small.network(), "rigl", sparsity=0.9)
    return sparse.network


def sparse_model():
    return rigl_tf.sparsify(small.network(), "rigl", sparsity=0.9)


WRONG = [
    ({"algorithm": "rigel"}, "'rigel'"),
    ({"algorithm": "rigl", "schedule": "x"}, "`schedule`"),
    ({"algorithm": "rigl", "sparsity": 0.9}, "keeps the sparsity of the tic"),
    ({"algorithm": "granet"}, "GraNet changes .* needs `sparsity`"),
    ({"algorithm": "gradual_pruning"}, "needs `sparsity`"),
    ({"algorithm": "rigl", "exclude": "last"}, "its own `exclude`"),
    ({"masks": "magnitude"}, "its own `masks`"),
]


@pytest.mark.parametrize("build", [small.network, wrapped])
@pytest.mark.parametrize(("arguments", "problem"), WRONG)
def test_what_is_refused_changes_nothing(build, arguments, problem):
    model = build()
    before = [np.array(variable) for variable in model.variables]
    weights = [np.ones_like(w) for w in small.network().get_weights()]

    with pytest.raises((TypeError, ValueError), match=problem):
        ticket(weights=weights).sparsify(model, **arguments)

    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


@pytest.mark.parametrize("build", [sparse_model, other_network])
def test_a_model_that_a_ticket_does_not_fit_keeps_its_masks(build):
    model = build()
    if build is other_network:
        rigl_tf.sparsify(model, "rigl", sparsity=0.9)
    before = [np.array(variable) for variable in model.variables]

    with pytest.raises((TypeError, ValueError), match="is sparse|same archit"):
        ticket().sparsify(model)

    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


@pytest.mark.parametrize("check", tickets.CHECKS)
@pytest.mark.parametrize("build", [small.network, wrapped])
def test_a_check_leaves_the_network_alone(build, check):
    model = build()
    before = [np.array(variable) for variable in model.variables]
    kinds = [type(layer) for layer in model.layers]
    scores = {name: mask * 1.0 for name, mask in ticket().masks.items()}

    tickets.CHECKS[check](ticket(scores=scores), model, 1)

    assert [type(layer) for layer in model.layers] == kinds
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)
