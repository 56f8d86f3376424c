"""Tests of the facts that tell one run from another."""

import json
import pathlib

import keras
import numpy as np
import pytest
from keras import layers as kl

from rigl_tf.callbacks import run_identity


def compiled(**change):
    network = keras.Sequential(
        [
            keras.Input((4,)),
            kl.Dense(
                3,
                activation=change.pop("activation", "relu"),
                kernel_regularizer=change.pop("regularizer", None),
                dtype=change.pop("dtype", "float32"),
            ),
            kl.Dropout(change.pop("rate", 0.1), seed=change.pop("seed", None)),
            change.pop("last", kl.Dense(2)),
        ]
    )
    network.compile("sgd", change.pop("loss", "mse"), **change)
    return network


@pytest.mark.parametrize(
    ("difference", "change"),
    [
        ("loss was mse and is mae", {"loss": "mae"}),
        ("loss_weights was None and is .3.0", {"loss_weights": [3.0]}),
        ("activation was relu and is tanh", {"activation": "tanh"}),
        ("kernel_regularizer was None .*L2", {"regularizer": "l2"}),
        ("rate was 0.1 and is 0.5", {"rate": 0.5}),
        ("policy was float32 and is mixed_b", {"dtype": "mixed_bfloat16"}),
        (
            "class was Dense and is PReLU. .*layers .* stay",
            {"last": kl.PReLU()},
        ),
    ],
)
def test_another_network_or_loss_is_another_run(difference, change):
    there = run_identity.identity(compiled())
    here = run_identity.identity(compiled(**change))

    with pytest.raises(ValueError, match=difference):
        run_identity.check_same(there, here)


def test_a_fact_may_change_on_purpose_and_a_layer_may_not():
    there = run_identity.identity(compiled())
    other = run_identity.identity(compiled(last=kl.PReLU()))

    (taken,) = run_identity.check_same(
        there, run_identity.identity(compiled(rate=0.5)), ["rate"]
    )
    assert taken.endswith("rate was 0.1 and is 0.5")
    with pytest.raises(ValueError, match="class was Dense and is PReLU"):
        run_identity.check_same(there, other, ["layers", "class"])


def test_names_seeds_and_initial_values_are_no_other_run():
    class Unnamed(kl.Dense):
        def get_config(self):
            raise NotImplementedError

    def loss(y, outputs):
        return (y - outputs) ** 2

    def identity(seed, unit):
        return run_identity.identity(
            compiled(
                seed=seed,
                last=Unnamed(unit, kernel_initializer="zeros"),
                loss=loss,
            )
        )

    there, here = identity(1, 2), identity(2, 2)

    assert run_identity.check_same(json.loads(json.dumps(there)), here) == []


def test_a_long_vocabulary_becomes_a_digest():
    words = [f"word {number}" for number in range(10_000)]
    network = keras.Sequential([kl.StringLookup(vocabulary=words)])
    network.compile("sgd", "mse")

    text = json.dumps(run_identity.identity(network))

    assert "SHA-256" in text
    assert len(text) < 5000


@pytest.mark.parametrize(
    "value",
    [
        np.int64(3),
        np.ones(2),
        (1, (2, 3)),
        float("nan"),
        [float("nan")],
        {3: {"a"}},
        pathlib.Path("data"),
        b"bytes",
        len,
    ],
    ids=str,
)
def test_any_value_equals_itself_after_it_was_saved(value):
    here = run_identity.described({"fact": value})
    there = json.loads(json.dumps(here))

    assert run_identity.check_same(there, here) == []
