"""Exports the model of a finished run.

Its help and flags are in `rigl_cli.export`.
"""

import pathlib

from rigl_tf import deploy
from rigl_tf.bin import module_flag
from rigl_tf.deploy import litert
from rigl_tf.deploy import shrinking
from rigl_tf.experiments.run_model import load_model
from rigl_tf.utils import files


def main(flags):
    """Exports a run as described by the flags."""
    run_dir = pathlib.Path(flags.argument)
    formats = flags.format
    module_flag.import_all(flags)
    model = load_model(run_dir)
    if flags.export_dir:
        directory = pathlib.Path(flags.export_dir)
    else:
        directory = files.folder(run_dir, "export")
    if flags.shrink:
        model, shrunk = shrinking.shrink(model)
        print(f"{shrunk.table()}\n")
    exported = []
    for number, form in enumerate(formats, 1):
        each = deploy.export(
            model, directory / "model", form, overwrite=flags.overwrite
        )
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


if __name__ == "__main__":
    from rigl_cli.export import run

    run()
