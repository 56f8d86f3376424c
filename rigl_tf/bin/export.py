"""Writes the model of a finished run as files for others to use.

rigl-export runs/digits_mlp/rigl/sparsity=0.9/seed=0
rigl-export runs/mine --format=litert,compact,onnx --export_dir=models
rigl-export runs/mine --shrink

A file is kept only if it computes what the model does. The table at the end
says how large each is, in bytes and compressed, how much of what it would be
with its zeros, and how long one example takes, both ways. By default a Keras
file.
"""

import pathlib

from absl import flags

from rigl_tf import exporting
from rigl_tf import files
from rigl_tf import results
from rigl_tf import shrinking
from rigl_tf import xnnpack
from rigl_tf.bin import command
from rigl_tf.exporting import litert

_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "Where to write; by default `export/` in the run."
)
_SHRINK = flags.DEFINE_bool(
    "shrink",
    False,
    "First remove neurons and channels that have no inputs or feed nothing.",
)


def main(run_dir):
    """Exports a run as the flags say."""
    run_dir = pathlib.Path(run_dir)
    formats = command.formats(exporting.FORMATS)
    model = results.load_model(run_dir)
    if _EXPORT_DIR.value:
        directory = pathlib.Path(_EXPORT_DIR.value)
    else:
        directory = files.folder(run_dir, "export")
    if _SHRINK.value:
        model, shrunk = shrinking.shrink(model)
        print(f"{shrunk.table()}\n")
    exported = []
    for number, form in enumerate(formats, 1):
        each = exporting.export(model, directory / "model", form)
        print(f"[{number}/{len(formats)}] {each.path}", flush=True)
        exported.append(each)
    print(f"\n{exporting.table(exported)}")
    for each in exported:
        if each.format == "litert":
            print(f"\n{_about_litert(model, each.path)}")


def _about_litert(model, path):
    """What LiteRT does with the zeros of a model, in words."""
    kernels, in_blocks = litert.stored(path)
    if not kernels:
        return "LiteRT: no kernel has zeros enough to leave them out."
    text = (
        f"LiteRT: {kernels} kernels are stored without their zeros, and "
        f"{in_blocks} of them, in blocks, multiplied without."
    )
    verdict = xnnpack.check(model)
    if verdict.sparsity == 0 and len(verdict.reasons) == 1:
        return text  # it has no convolutions, or dense ones
    return f"{text}\n{verdict}"


def run():
    """Entry point of `rigl-export`."""
    command.run(main, "directory of a run")


if __name__ == "__main__":
    run()
