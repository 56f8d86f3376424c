"""Exports the model of a finished run.

rigl-export runs/digits_mlp/rigl/sparsity=0.9/seed=0
rigl-export runs/mine --format=litert,compact,onnx --export_dir=models
rigl-export runs/mine --shrink

A file is kept only if its outputs equal the outputs of the model. The table at
the end compares the files: size in bytes, compressed size, size relative to the
file with zeros, and the time for one example, with and without zeros. The
default format is a Keras file.
"""

import pathlib

from absl import flags

from rigl_tf import deploy
from rigl_tf.bin import cli
from rigl_tf.deploy import litert
from rigl_tf.deploy import shrinking
from rigl_tf.experiments.run_model import load_model
from rigl_tf.utils import files

_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "Output directory; by default `export/` in the run."
)
_SHRINK = flags.DEFINE_bool(
    "shrink",
    False,
    "First remove neurons and channels without inputs or without use.",
)


def main(run_dir):
    """Exports a run as described by the flags."""
    run_dir = pathlib.Path(run_dir)
    formats = cli.formats(deploy.FORMATS)
    model = load_model(run_dir)
    if _EXPORT_DIR.value:
        directory = pathlib.Path(_EXPORT_DIR.value)
    else:
        directory = files.folder(run_dir, "export")
    if _SHRINK.value:
        model, shrunk = shrinking.shrink(model)
        print(f"{shrunk.table()}\n")
    exported = []
    for number, form in enumerate(formats, 1):
        each = deploy.export(model, directory / "model", form)
        print(f"[{number}/{len(formats)}] {each.path}", flush=True)
        exported.append(each)
    print(f"\n{deploy.table(exported)}")
    for each in exported:
        if each.format == "litert":
            print(f"\n{_litert_summary(each.path)}")


def _litert_summary(path):
    """Returns how LiteRT uses the zeros of a file."""
    kernels, in_blocks = litert.count_sparse_kernels(path)
    if not kernels:
        return "LiteRT: no kernel has enough zeros to be stored without them."
    return (
        f"LiteRT: {kernels} kernels are stored without zeros; {in_blocks} of "
        "them have blocks and are also multiplied without zeros."
    )


def run():
    """Entry point of `rigl-export`."""
    cli.run(main, "directory of a run")


if __name__ == "__main__":
    run()
