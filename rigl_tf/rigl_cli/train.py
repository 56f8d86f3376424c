"""Trains one run.

  rigl-train --task=digits_mlp --method=rigl --set 'SPARSITY = 0.98' \\
      --seed=0 --output_dir=runs/mine

--task and --method name files in gin_configs/tasks and gin_configs/methods;
--set gives values that these files leave open. The same run in full:

  rigl-train --gin_file=gin_configs/tasks/digits_mlp.gin \\
      --gin_file=gin_configs/methods/rigl.gin \\
      --gin_bindings='SPARSITY = 0.98' --output_dir=runs/mine

A run of a paper, first for a few steps on random data:

  rigl-train --task=rigl_reproduction/cifar10 --method=rigl_reproduction/rigl \\
      --set 'SPARSITY = 0.9' --smoke
  rigl-train --task=rigl_reproduction/cifar10 --method=rigl_reproduction/rigl \\
      --set 'SPARSITY = 0.9' --output_dir=runs/mine

--resume continues a run that was stopped. After SIGTERM or Ctrl-C, a run saves
at the next step and exits with code 75.

Gin files and bindings are code: run only files that you have read.
"""

from rigl_cli import program

STRATEGIES = ("none", "mirrored", "multi_worker", "tpu")
PROGRESS = ("none", "bar", "line")


def parser():
    """Returns the parser of the flags."""
    flags = program.Parser("train", __doc__)
    flags.add("task", help="Name of a task, or the path of a gin file.")
    flags.add("method", help="Name of a method, or the path of a gin file.")
    flags.add(
        "list",
        type=bool,
        help="Print the tasks and methods, and stop.",
    )
    flags.add(
        "smoke",
        type=bool,
        help="Train for a few steps; data sets that need preparation are "
        "random data.",
    )
    flags.add(
        "set",
        "gin_bindings",
        "gin_param",
        type=tuple,
        help="A binding, such as 'SPARSITY = 0.9'. May be repeated.",
    )
    flags.add(
        "gin_file",
        type=tuple,
        help="Path of a gin file. May be repeated.",
    )
    flags.add(
        "output_dir",
        help="Directory of the run; must not contain another run.",
    )
    flags.add(
        "seed",
        type=int,
        help="Seed of weights, masks, data order and updates.",
    )
    flags.add(
        "resume",
        type=bool,
        help="Continue the run in --output_dir.",
    )
    flags.add(
        "strategy",
        choices=STRATEGIES,
        default="none",
        help="Devices to train on: one (none), all of this machine (mirrored), "
        "all machines in TF_CONFIG (multi_worker), or a TPU, in bfloat16 "
        "(tpu).",
    )
    flags.add(
        "checkpoint_every",
        type=program.COUNT,
        help="Steps between two checkpoints; by default, every 30 seconds.",
    )
    flags.add(
        "progress",
        choices=PROGRESS,
        default="bar",
        help="Progress output: none, a bar, or one line per epoch (line).",
    )
    return flags


def run():
    """Entry point of `rigl-train`."""
    program.run(parser())
