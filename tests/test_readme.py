"""What the README says is true."""

import pathlib
import re

import rigl_tf

README = pathlib.Path(__file__).parent.parent / "README.md"


def test_the_five_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}

    exec(code.group(1), names)

    assert (tmp_path / "sparse.keras").exists()
    assert names["plain"].count_params() == names["keras_model"].count_params()


def test_the_table_of_names_lists_every_public_name():
    listed = set(re.findall(r"^\| `rigl_tf\.(\w+)`", README.read_text(), re.M))
    text = pathlib.Path(rigl_tf.__file__).read_text()

    assert listed == set(re.findall(r" as (\w+)$", text, re.M))
