"""The masks do not depend on the way of training."""

import functools
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf import algorithms
from tests.modeling import doors
from tests.modeling import two_replicas

NAMES = sorted(algorithms.ALGORITHMS)

WAYS = {
    "own train_step": lambda name: doors.fit(name, doors.OwnTrainStep),
    "loop": doors.loop,
    "loop in a graph": doors.graph_loop,
    "callback": doors.callback,
}
FEW = ("rigl", "set", "rigl_sm", "gradual_pruning")


@functools.cache
def fitted(name, l2=0.01):
    return doors.fit(name, l2=l2)


@pytest.mark.few(1)
@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("name", NAMES)
def test_every_way_moves_the_same_connections_as_fit(name, way):
    model = WAYS[way](name)

    doors.assert_same(model, fitted(name))


@pytest.mark.few(2)
@pytest.mark.parametrize("train", [doors.fit, doors.callback])
@pytest.mark.parametrize("name", FEW)
def test_a_hand_written_train_step_moves_the_same_connections(name, train):
    model = train(name, doors.HandWrittenTrainStep)

    doors.assert_same(model, fitted(name))


@pytest.mark.few(9)
@pytest.mark.parametrize("name", NAMES)
def test_fit_moves_connections_or_there_is_nothing_to_compare(name):
    before = doors.masks(doors.sparse(name))
    after = doors.masks(fitted(name))

    changed = sum(np.sum(b != a) for b, a in zip(before, after, strict=True))
    assert (changed > 0) == (name != "static")


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NAMES)
def test_a_student_moves_the_same_connections_as_alone(name):
    student = doors.distill(name)

    # A `Distiller` has no regularization in its loss.
    doors.assert_same(student, fitted(name, l2=None))
    counts = [int(kernel.count()) for kernel in student.kernels]
    assert sum(counts) == sum(student.budgets)


@pytest.mark.slow
def test_loops_on_two_replicas_move_the_same_connections_as_fit_on_them():
    """A process of its own: devices are fixed when TensorFlow starts."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.modeling.two_replicas"],
        cwd=pathlib.Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == list(two_replicas.NAMES)


def test_a_task_of_keras_hub_moves_the_same_connections_as_its_network():
    keras_hub = pytest.importorskip("keras_hub")
    rng = np.random.default_rng(0)
    x = {
        "token_ids": rng.integers(0, 20, (20, 6)),
        "segment_ids": np.zeros((20, 6), "int32"),
        "padding_mask": np.ones((20, 6), "int32"),
    }
    y = rng.integers(0, 2, 20)

    def task():
        keras.utils.set_random_seed(0)
        return keras_hub.models.BertTextClassifier(
            keras_hub.models.BertBackbone(
                vocabulary_size=20,
                num_layers=1,
                num_heads=2,
                hidden_dim=8,
                intermediate_dim=16,
                max_sequence_length=6,
                dropout=0.0,
            ),
            num_classes=2,
            dropout=0.0,
        )

    def fit(model, *callbacks):
        model.compile(doors.optimizer(), doors.LOSS, run_eagerly=True)
        model.fit(
            x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks
        )

    options = doors.options("rigl") | {"exclude": "*embedding*"}
    classifier = task()
    fit(classifier, rigl_tf.SparseTraining(**options))
    parts = task()
    alone = rigl_tf.sparsify(
        keras.Model(parts.inputs, parts.outputs), **options
    )
    fit(alone)

    doors.assert_same(classifier, alone)
    assert int(alone.num_changed) > 0
