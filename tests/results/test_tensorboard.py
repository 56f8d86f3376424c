"""Tests of what TensorBoard shows."""

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from rigl_tf.results import tensorboard
from tests.records import record


def test_settings_results_and_figures_are_shown(tmp_path):
    picture = tf.io.encode_png(np.zeros((4, 5, 3), "uint8")).numpy()
    (tmp_path / "mask.png").write_bytes(picture)
    run = record(settings={"ALPHA": 0.3, "END_STEP": None}, accuracy=0.75)

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
    (value,) = events.Tensors("test/accuracy")
    assert (value.step, tf.make_ndarray(value.tensor_proto)) == (80, 0.75)
    width, height, png = tf.make_ndarray(events.Tensors("mask")[0].tensor_proto)
    assert (int(width), int(height)) == (5, 4)
    assert png.startswith(b"\x89PNG")
