"""Prepares a data set once for all later runs.

rigl-prepare
rigl-prepare --dataset=cifar10 --archive=~/Downloads/cifar-10-binary.tar.gz
rigl-prepare --dataset=cifar10
rigl-prepare --dataset=fashion_mnist \\
    --archive=/usr/share/datasets/fashion-mnist

An archive may be a directory with all archives of the data set. Without
--archive, TFDS downloads the data set if possible. Checksums of archives are
verified if they are known.
"""

from rigl_cli import program


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("prepare", __doc__)
    flags.add(
        "dataset",
        help="Name of the data set; by default, all are listed.",
    )
    flags.add(
        "archive",
        type=tuple,
        help="Path of a downloaded archive, or a directory with all archives. "
        "May be repeated.",
    )
    flags.add(
        "data_dir",
        help="Output directory; by default, TFDS's data directory.",
    )
    return flags


def run():
    """Entry point of `rigl-prepare`."""
    program.run(parser())
