"""Programs that load a model with an algorithm of the user."""

import importlib
import sys

import keras
import pytest

import rigl_tf
from rigl_tf import results
from rigl_tf.bin import export
from rigl_tf.bin import report
from tests.bin import command_line
from tests.records import record


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run with an algorithm whose module is not imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_a_user.py").write_text(
        "from rigl_tf import algorithms\n\n\n"
        "class OfAUser(algorithms.Static):\n"
        "    pass\n"
    )
    network = keras.Sequential(
        [keras.Input((16,)), keras.layers.Dense(12, name="dense1")]
    )
    model = rigl_tf.sparsify(
        network, importlib.import_module("of_a_user").OfAUser(), sparsity=0.75
    )
    run_dir = tmp_path / "runs" / "mine"
    run_dir.mkdir(parents=True)
    model.save(run_dir / "model.keras")
    results.write(run_dir, record())
    # As in another process.
    monkeypatch.delitem(sys.modules, "of_a_user")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "Custom>OfAUser")
    return run_dir


def _export(run_dir, *flags):
    export.main(command_line.flags("export", run_dir, *flags))
    return run_dir / "export" / "model.keras"


def _report(run_dir, *flags):
    runs = run_dir.parent
    given = [f"--runs={runs}", "--masks=dense1", *flags]
    report.main(command_line.flags("report", *given))
    (figure,) = runs.glob("figures/*/masks.png")
    return figure


@pytest.mark.parametrize("program", [_export, _report])
def test_an_algorithm_of_a_user_needs_its_module(run_dir, program):
    with pytest.raises(ValueError, match="its class OfAUser.*--module"):
        program(run_dir)
    with pytest.raises(ValueError, match="Received: --module=nowhere"):
        program(run_dir, "--module=nowhere")

    assert program(run_dir, "--module=of_a_user").is_file()
