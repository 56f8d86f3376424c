"""Tests of where a run computes."""

from unittest import mock

import keras
import pytest
import tensorflow as tf

from rigl_tf.distribute import multi_worker_fit
from rigl_tf.distribute import strategies


def test_without_a_strategy_this_process_writes():
    assert strategies.STRATEGIES["none"]() is None
    assert strategies.is_chief(None)
    assert not strategies.has_several_workers(None)


def test_without_a_gpu_all_logical_cpus_are_used():
    strategy = strategies.mirrored()

    devices = tf.config.list_logical_devices("CPU")
    assert strategy.num_replicas_in_sync == len(devices)
    assert strategies.is_chief(strategy)


def test_several_workers_need_to_know_of_one_another(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)

    with pytest.raises(ValueError, match="TF_CONFIG, which is not set. Exam"):
        strategies.multi_worker()


def test_a_tpu_that_is_not_there_is_missed(monkeypatch):
    for name in ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValueError, match="found no TPU. Set .* TPU_NAME"):
        strategies.tpu()


def two_devices(**kwargs):
    kind = tf.distribute.MirroredStrategy
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(loss="mse", **kwargs)
    model._distribute_strategy = mock.Mock(kind, num_replicas_in_sync=2)
    return model


@pytest.mark.parametrize(
    ("argument", "kwargs"),
    [
        ("jit_compile=True", {"jit_compile": True}),
        ("steps_per_execution", {"steps_per_execution": 2}),
        (
            "gradient_accumulation_steps",
            {"optimizer": keras.optimizers.SGD(gradient_accumulation_steps=2)},
        ),
    ],
)
def test_what_fails_on_several_devices_is_refused(argument, kwargs):
    with pytest.raises(ValueError, match=f"Leave `{argument}` out under"):
        multi_worker_fit.patch_fit_for_multi_worker(
            two_devices(**{"optimizer": "sgd", **kwargs})
        )


def test_steps_in_a_python_loop_are_none_of_it():
    model = two_devices(
        optimizer="sgd", steps_per_execution=2, run_eagerly=True
    )

    assert multi_worker_fit.patch_fit_for_multi_worker(model) is model
