"""The library's tasks can be tried without their data."""

import math

import gin
import pytest

from rigl_tf import experiments
from rigl_tf import papers
from rigl_tf.bin import train
from rigl_tf.datasets import prepared
from rigl_tf.gin_tools import config_files
from rigl_tf.papers import table_runs

# Parameters of the network, epochs.
TASKS = {
    "fashion_mlp": (266_610, 5),
    "fashion_lenet5": (44_426, 8),
    "fashion_resnet": (67_208, 5),
    "fashion_mlp_1568": (6_166_954, 100),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_its_network_and_length(name):
    files = [config_files.find("tasks", name)]

    with config_files.parsed(files, []), prepared.mock_data(8):
        task = gin.get_configurable(experiments.Task)()
        weights = task.network().trainable_variables

    size, epochs = TASKS[name]
    assert (task.name, task.total_epochs) == (name, epochs)
    assert sum(math.prod(v.shape) for v in weights) == size
    assert task.dataset.input_shape == (28, 28, 1)
    assert (task.dataset.validation is None) == (name == "fashion_mlp_1568")


@pytest.mark.few(1)
@pytest.mark.parametrize("name", TASKS)
def test_a_row_of_a_paper_can_be_tried_on_a_task(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # with no data
    paper = papers.read(table_runs.table_files()["rigl_reproduction"])
    rows = paper.items["Table 2"].rows
    row = next(row for row in rows if row.name == "RigL (ERK)")
    run = table_runs.make_run(row, 0, 0, name, rows)
    files = [
        config_files.find("tasks", run.task),
        config_files.find("methods", run.method),
    ]

    record = train.run_one(
        files, run.bindings(""), tmp_path / "run", smoke=True, verbose=0
    )

    assert (record.task, record.sparsity) == (name, 0.9)
    assert record.steps >= 3
