"""From a finished run to files."""

import keras
import numpy as np
import pytest

import rigl_tf
from rigl_tf.bin import export
from rigl_tf.sparsity import structures
from tests.bin import command_line


@pytest.fixture
def run_dir(tmp_path):
    network = keras.Sequential([keras.Input((16,)), keras.layers.Dense(12)])
    model = rigl_tf.sparsify(
        network, rigl_tf.algorithms.Static(), sparsity=0.75
    )
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model.keras")
    return tmp_path / "run"


def test_files_and_a_table_come_out(run_dir, capsys):
    export.main(command_line.flags("export", run_dir, "--format=compact,keras"))

    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"[1/2] {run_dir}/export/model.rigl"
    assert [line.split()[1] for line in out[-2:]] == ["compact", "keras"]
    assert "0.7500" in out[-1]
    plain = keras.saving.load_model(run_dir / "export" / "model.keras")
    assert np.count_nonzero(plain.layers[-1].kernel) == 48


def test_nothing_is_exported_through_a_link(run_dir, tmp_path):
    (tmp_path / "mine").mkdir()
    (run_dir / "export").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="export is a link"):
        export.main(command_line.flags("export", run_dir))

    assert not list((tmp_path / "mine").iterdir())


def test_a_keras_file_is_written_where_one_says(run_dir, tmp_path):
    given = [run_dir, f"--export_dir={tmp_path}/there"]

    export.main(command_line.flags("export", *given))

    assert (tmp_path / "there" / "model.keras").is_file()
    assert not (run_dir / "export").exists()


def test_neurons_that_do_nothing_can_be_removed_first(run_dir, capsys):
    model = keras.saving.load_model(run_dir / "model.keras")
    two = keras.Sequential([*model.layers, keras.layers.Dense(1)])
    two.build((None, 16))
    kernel = np.ones((12, 1))
    kernel[:5] = 0
    two.layers[-1].set_weights([kernel, np.zeros(1)])
    two.save(run_dir / "model.keras")
    export.main(command_line.flags("export", run_dir, "--shrink"))

    plain = keras.saving.load_model(run_dir / "export" / "model.keras")
    assert plain.count_params() == 16 * 7 + 7 + 7 + 1
    assert "| parameters | 217 | 127 |" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.fixture
def exported_text(tmp_path, capsys):
    """What is printed below the table if a network is exported to LiteRT."""

    def text(network, **kwargs):
        kwargs = {"sparsity": 0.9, "distribution": "uniform_all", **kwargs}
        model = rigl_tf.sparsify(network, rigl_tf.algorithms.Static(), **kwargs)
        model.save(tmp_path / "model.keras")
        export.main(command_line.flags("export", tmp_path, "--format=litert"))
        table, _, below = capsys.readouterr().out.rpartition("|\n\n")
        assert "| litert" in table
        return below

    return text


def test_blocks_are_said_to_be_multiplied_without_zeros(exported_text):
    network = keras.Sequential(
        [keras.Input((16,)), keras.layers.Dense(12), keras.layers.Dense(12)]
    )

    text = exported_text(network, structure=structures.Blocks(4, 1))

    assert text == (
        "LiteRT: 2 kernels are stored without zeros; 2 of them have blocks and "
        "are also multiplied without zeros.\n"
    )


def test_a_model_with_few_zeros_is_dealt_with_in_a_line(exported_text):
    network = keras.Sequential([keras.Input((16,)), keras.layers.Dense(12)])

    text = exported_text(network, sparsity=0.1)

    assert (
        text
        == "LiteRT: no kernel has enough zeros to be stored without them.\n"
    )


def test_a_directory_without_a_run_is_refused(run_dir, tmp_path):
    with pytest.raises(
        ValueError, match="must contain a finished run .*nowhere"
    ):
        export.main(command_line.flags("export", tmp_path / "nowhere"))
