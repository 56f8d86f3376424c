"""Files from elsewhere are opened and named with care."""

import os

import pytest

from rigl_tf import deploy
from rigl_tf import results
from rigl_tf import tickets
from rigl_tf.deploy import loading
from rigl_tf.utils import files

READERS = {
    "record.json": results.read,
    "config.gin": lambda path: results.acquire_run_dir(
        path.parent, True, "SEED = 0"
    ),
    "ticket.npz": tickets.load,
    "model.rigl": deploy.read_compact,
    "model.keras": loading.read_keras,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")],
    ids=["pipe", "directory", "device"],
)
def test_what_is_no_ordinary_file_is_not_read(name, make, tmp_path):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is not an ordinary file"):
        READERS[name](tmp_path / name)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 3)
    (tmp_path / "record.json").write_text("1234")

    with pytest.raises(ValueError, match="record.json has more than 3 bytes"):
        files.read(tmp_path / "record.json")


def test_long_texts_have_names_that_a_disk_takes(tmp_path):
    texts = ["é" * 200, "é" * 199 + "e", "." * 900, "x" * 120, "\ud800" * 90]
    names = [files.name(text) for text in texts]
    assert len(set(names)) == len(texts) and names[3] == texts[3]
    for name in names:
        assert name[0] != "."
        files.write(tmp_path / f"{name}_learning_rates.md", "text")
        assert files.folder(tmp_path, name).parent == tmp_path
