"""Tests of where a run computes."""

import pytest
import tensorflow as tf

from rigl_tf import strategies


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

    with pytest.raises(ValueError, match="TF_CONFIG, which is not set. Such"):
        strategies.multi_worker()


def test_a_tpu_that_is_not_there_is_missed(monkeypatch):
    for name in ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValueError, match="found no TPU. Set .* TPU_NAME"):
        strategies.tpu()
