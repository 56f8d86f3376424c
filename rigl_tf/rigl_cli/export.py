"""Exports the model of a finished run.

rigl-export runs/digits_mlp/rigl/sparsity=0.9/seed=0
rigl-export runs/mine --format=litert,compact,onnx --export_dir=models
rigl-export runs/mine --shrink

A file is kept only if its outputs equal the outputs of the model. The table at
the end compares the files: size in bytes, compressed size, size relative to the
file with zeros, and the time for one example, with and without zeros. The
default format is a Keras file.
"""

from rigl_cli import module_flag
from rigl_cli import program

FORMATS = ("keras", "saved_model", "onnx", "litert", "compact")


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("export", __doc__, "the directory of a finished run")
    flags.add(
        "format",
        type=list,
        choices=FORMATS,
        default=["keras"],
        help="One or more formats, separated by commas: keras, saved_model, "
        "onnx, litert, compact.",
    )
    flags.add(
        "export_dir",
        help="Output directory; by default `export/` in the run.",
    )
    flags.add(
        "overwrite",
        type=bool,
        help="Replace files of an earlier export.",
    )
    flags.add(
        "shrink",
        type=bool,
        help="First remove neurons and channels without inputs or without use.",
    )
    module_flag.add(flags)
    return flags


def run():
    """Entry point of `rigl-export`."""
    program.run(parser())
