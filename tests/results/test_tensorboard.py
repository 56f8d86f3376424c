"""Tests of what TensorBoard shows."""

import keras
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

import rigl_tf
from rigl_tf.results import tensorboard
from tests.records import record


def test_settings_results_and_figures_are_shown(tmp_path):
    picture = tf.io.encode_png(np.zeros((4, 5, 3), "uint8")).numpy()
    (tmp_path / "mask.png").write_bytes(picture)
    run = record(
        settings={"ALPHA": 0.3, "END_STEP": None, "SEED": 0, "SPARSITY": 0.9},
        accuracy=0.75,
    )

    tensorboard.write(tmp_path / "logs", run, tmp_path)

    events = event_accumulator.EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    data = plugin_data_pb2.HParamsPluginData.FromString(
        events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    )
    settings = data.session_start_info.hparams
    assert settings["ALPHA"].number_value == 0.3
    assert settings["END_STEP"].string_value == "None"
    assert settings["method"].string_value == "rigl"
    assert settings["sparsity"].number_value == 0.9
    assert not {"SEED", "SPARSITY"} & set(settings), "Settings appear once."
    (value,) = events.Tensors("test/accuracy")
    assert (value.step, tf.make_ndarray(value.tensor_proto)) == (80, 0.75)
    width, height, png = tf.make_ndarray(
        events.Tensors("figures/mask")[0].tensor_proto
    )
    assert (int(width), int(height)) == (5, 4)
    assert png.startswith(b"\x89PNG")


def tags(directory):
    events = event_accumulator.EventAccumulator(str(directory))
    return set(events.Reload().Tags()["tensors"])


def test_metrics_of_hparams_are_those_of_the_test(tmp_path):
    run = record()
    tensorboard.write(tmp_path / "test", run, tmp_path)

    assert tags(tmp_path / "test") - {"_hparams_/session_start_info"} == {
        "test/accuracy",
        "test/loss",
    }


def test_the_monitor_writes_groups(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, name="kept")]
    )
    sparse = rigl_tf.sparsify(model, "set", sparsity=0.5, schedule=1)
    sparse.compile("sgd", "mse")
    sparse.fit(
        np.ones((20, 4)),
        np.ones((20, 4)),
        batch_size=4,
        verbose=0,
        callbacks=[rigl_tf.SparsityMonitor(tmp_path)],
    )

    scalars = ("drop_fraction", "updates", "changed", "skipped", "kept")
    scalars += ("kept_by_chance", "explored", "kernel/kept")
    assert tags(tmp_path) == {
        "sparsity/all",
        "sparsity/kept",
        *(f"masks/{name}" for name in scalars),
        "flops/inference",
    }
