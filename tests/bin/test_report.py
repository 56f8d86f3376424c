"""Tests of reports."""

import pytest

from rigl_tf.bin import configs
from rigl_tf.bin import report
from rigl_tf.bin import train


def test_a_report_draws_the_masks_of_a_kernel(tmp_path, capsys):
    files = [
        configs.find("tasks", "digits_mlp"),
        configs.find("methods", "static"),
    ]
    for seed in (0, 1):
        bindings = ["EPOCHS = 1", "SPARSITY = 0.9", f"SEED = {seed}"]
        train.run_one(files, bindings, tmp_path / str(seed), verbose=0)

    report.show(tmp_path, "dense1")

    assert "| 2 " in capsys.readouterr().out
    drawn = {p.name for p in (tmp_path / "figures" / "digits_mlp").iterdir()}
    assert drawn == {
        "accuracy.png",
        "flops.png",
        "densities.png",
        "active.png",
        "masks.png",
    }
    assert (tmp_path / "table.md").read_text().count("\n") == 3
    assert not (tmp_path / "tickets.md").exists()
    report.show(tmp_path, form="csv")
    (head, row) = (tmp_path / "table.csv").read_text().splitlines()
    assert head.startswith("task,method,") and row.startswith("digits_mlp,")
    with pytest.raises(ValueError, match="a kernel 'nope'. Kernels: dense1"):
        report.show(tmp_path, "nope")


def test_a_report_of_nothing_says_so(tmp_path):
    with pytest.raises(ValueError, match="no finished run below"):
        report.show(tmp_path)
