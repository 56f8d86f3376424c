"""Backbones of KerasHub: masked inside, trained, saved, dense again."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from rigl_tf import tickets
from tests.modeling.comparing import check_equal
from tests.modeling.comparing import check_nothing_is_lost
from tests.modeling.comparing import outputs
from tests.modeling.comparing import reloaded
from tests.modeling.model_builders import floats

hub = pytest.importorskip("keras_hub")


def text(*more):
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 20, (2, 6)).astype("int32")
    padding = np.array([[1] * 6, [1] * 4 + [0] * 2], "int32")
    segments = {name: np.zeros((2, 6), "int32") for name in more}
    return {"token_ids": ids, "padding_mask": padding, **segments}


def bert():
    model = hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=6,
    )
    return model, text("segment_ids")


def gpt2():
    model = hub.models.GPT2Backbone(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=6,
    )
    return model, text()


def vit():
    model = hub.models.ViTBackbone(
        image_shape=(8, 8, 3),
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=12,
    )
    return model, floats((8, 8, 3))


# Large, in so small a model: `sparsify` warns that it stays dense.
EXCLUDE = ["position_embedding"]
BACKBONES = [bert, gpt2, vit]


@pytest.mark.parametrize("build", BACKBONES, ids=lambda f: f.__name__)
def test_a_backbone_computes_the_same(build, tmp_path):
    model, x = build()
    exclude = EXCLUDE if isinstance(x, dict) else ()

    check_nothing_is_lost(model, x, tmp_path, exclude=exclude)


@pytest.mark.parametrize("build", BACKBONES, ids=lambda f: f.__name__)
def test_a_backbone_is_masked_inside_and_trains(build, tmp_path):
    model, x = build()
    kind, layers = type(model), model._flatten_layers()
    sparse = rigl_tf.sparsify(
        model,
        algorithms.RigL(),
        sparsity=0.5,
        exclude=EXCLUDE if isinstance(x, dict) else (),
        schedule=rigl_tf.schedules.UpdateSchedule(2, end_step=10),
    )
    # Query, key, value, output and two Dense layers in each of two blocks.
    assert len(sparse.kernels) >= 12
    counts = [int(kernel.count()) for kernel in sparse.kernels]
    target = keras.tree.map_structure(np.zeros_like, outputs(sparse, x))
    if isinstance(target, dict):
        loss = dict.fromkeys(target, "mse")
    else:
        loss = "mse"
    sparse.compile(keras.optimizers.SGD(0.1), loss=loss, jit_compile=False)
    before = outputs(sparse, x)

    sparse.fit(x, target, epochs=3, verbose=0)

    assert [int(kernel.count()) for kernel in sparse.kernels] == counts
    after = outputs(sparse, x)
    assert not all(
        np.array_equal(one, other)
        for one, other in zip(
            keras.tree.flatten(before), keras.tree.flatten(after), strict=True
        )
    )
    loaded = reloaded(sparse, tmp_path)
    check_equal(outputs(loaded, x), after)
    plain = rigl_tf.densify(sparse)
    assert plain is model and type(plain) is kind
    assert list(map(id, plain._flatten_layers())) == list(map(id, layers))
    check_equal(outputs(plain, x), after)
    for kernel in sparse.kernels:
        mask = np.asarray(kernel.mask)
        assert not np.asarray(kernel.weights())[~mask].any()
    assert type(rigl_tf.densify(loaded)) is kind
    check_equal(outputs(reloaded(plain, tmp_path), x), after)


@pytest.mark.parametrize("finder", [tickets.Wanda, tickets.SparseGPT])
@pytest.mark.parametrize("build", BACKBONES, ids=lambda f: f.__name__)
def test_a_backbone_is_pruned_for_the_inputs_of_its_layers(build, finder):
    model, x = build()
    exclude = EXCLUDE if isinstance(x, dict) else ()
    target = keras.tree.map_structure(np.zeros_like, outputs(model, x))
    loss = dict.fromkeys(target, "mse") if isinstance(target, dict) else "mse"
    model.compile(loss=loss)

    ticket = finder().find(model, (x, target), 0.5, exclude=exclude)

    errors = tickets.reconstruction_errors(ticket, model, (x, target))
    assert errors.keys() == ticket.masks.keys() and len(errors) >= 12
    for name, mask in ticket.masks.items():
        assert mask.mean() == 0.5
        assert 0 < errors[name] < 1
