"""Runs the notebooks in colab/ and stores their outputs.

    python -m tests.notebooks [NAME ...]

The first cells, with the link to Colab and the installation, are the same in
all notebooks; they are written with the address in pyproject.toml.
"""

import hashlib
import pathlib
import re
import sys
import tempfile
import tomllib

import nbclient
import nbformat

ROOT = pathlib.Path(__file__).parent.parent
FOLDER = ROOT / "colab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
COLAB = "https://colab.research.google.com/github"
INSTALL = f"""\
# Installs the library if it is missing, from this checkout or its address.
import importlib.util
import pathlib
import subprocess
import sys

ADDRESS = "{ADDRESS}"
if importlib.util.find_spec("rigl_tf") is None:
    checkout = pathlib.Path("..").resolve()
    found = (checkout / "rigl_tf" / "__init__.py").exists()
    source = checkout.as_uri() if found else f"git+{{ADDRESS}}"
    package = f"rigl-tf[runs] @ {{source}}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", package]
    subprocess.run(pip, check=True)

import keras
import tensorflow as tf

import rigl_tf

print("rigl_tf", rigl_tf.__version__)
print("Keras", keras.__version__, "and TensorFlow", tf.__version__)"""


def names():
    """Returns the names of all notebooks."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def head(name):
    """Returns the line under the title: the link, and the versions."""
    path = ADDRESS.removeprefix("https://github.com/")
    link = f"{COLAB}/{path}/blob/main/colab/{name}.ipynb"
    return (
        f"[Open in Colab]({link}). Needs Python {_range('requires-python')}, "
        f"Keras {_range('keras')} and TensorFlow {_range('tensorflow')}. The "
        "first cell installs what is missing; restart the session only if "
        "Keras or TensorFlow was imported before."
    )


def _range(package):
    """Returns the versions that pyproject.toml allows, in words."""
    if package == "requires-python":
        return f"{PROJECT[package].removeprefix('>=')} or later"
    (line,) = (d for d in PROJECT["dependencies"] if re.match(package + ">", d))
    least, above = re.findall(r"\d+\.\d+", line)
    major, minor = above.split(".")
    return f"{least} to {major}.{int(minor) - 1}"


def digest(notebook):
    """Returns a digest of the code whose outputs are stored."""
    sources = "\n".join(cell.source for cell in code(notebook))
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def stored(notebook):
    """Returns the text of all stored outputs."""
    lines = []
    for cell in code(notebook):
        for output in cell.outputs:
            lines.append(output.get("text", ""))
            lines += output.get("data", {}).values()
    return "\n".join(lines)


def write(name):
    """Runs a notebook in an empty folder and stores its outputs."""
    notebook = read(name)
    title, _, text = notebook.cells[0].source.partition("\n\n")
    text = re.sub(r"^\[Open in Colab\].*\n\n", "", text)
    notebook.cells[0].source = f"{title}\n\n{head(name)}\n\n{text}"
    code(notebook)[0].source = INSTALL
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        nbclient.NotebookClient(
            notebook, timeout=1800, resources=resources
        ).execute()
    for cell in code(notebook):
        cell.outputs = [out for out in cell.outputs if not _is_noise(out)]
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "rigl_tf": {"code": digest(notebook)},
    }
    nbformat.write(notebook, FOLDER / f"{name}.ipynb")


def _is_noise(output):
    """Returns whether an output is a message of TensorFlow."""
    is_info = output.get("text", "").startswith("INFO:tensorflow")
    return output.get("name") == "stderr" or is_info


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        print(each, flush=True)
        write(each)
