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

import contextlib
import enum
import tempfile

import gin
import keras
from absl import flags

from rigl_tf import experiments
from rigl_tf.bin import cli
from rigl_tf.datasets import prepared
from rigl_tf.distribute import strategies
from rigl_tf.experiments import smoke_test as smoke_test
from rigl_tf.gin_tools import config_files
from rigl_tf.results import reports


class Progress(enum.Enum):
    """The progress output of a run; values are Keras's `verbose`."""

    NONE = 0
    BAR = 1
    LINE = 2


_TASK = flags.DEFINE_string(
    "task", None, "Name of a task, or the path of a gin file."
)
_METHOD = flags.DEFINE_string(
    "method", None, "Name of a sparse method, or dense."
)
_SMOKE = flags.DEFINE_bool(
    "smoke",
    False,
    "Train for a few steps; data sets that need preparation are random data.",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "A binding, such as 'SPARSITY = 0.9'. May be repeated."
)
_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "Path of a gin file. May be repeated."
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "The same as --set."
)
flags.DEFINE_alias("gin_param", "gin_bindings")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Directory of the run; must not contain another run."
)
_SEED = flags.DEFINE_integer(
    "seed", None, "Seed of weights, masks, data order and updates."
)
_RESUME = flags.DEFINE_bool(
    "resume", False, "Continue the run in --output_dir."
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    list(strategies.STRATEGIES),
    "Devices to train on: one (none), all of this machine (mirrored), all "
    "machines in TF_CONFIG (multi_worker), or a TPU, in bfloat16 (tpu).",
)
_CHECKPOINT_EVERY = flags.DEFINE_integer(
    "checkpoint_every",
    None,
    "Steps between two checkpoints; by default, every 30 seconds.",
    1,
)
_VERBOSE = flags.DEFINE_enum_class(
    "progress",
    Progress.BAR,
    Progress,
    "Progress output: nothing, a bar, or one line per epoch.",
)


def run_one(files, bindings, output_dir, smoke=False, **kwargs):
    """Trains the run that gin files and bindings describe.

    Args:
        files: List of paths of gin files.
        bindings: List of strings.
        output_dir: Directory of the run.
        smoke: Boolean, whether to train for a few steps only. Data sets that
            need preparation are replaced by random data.
        **kwargs: Further arguments of `rigl_tf.experiments.run.train`.

    Returns:
        `Record`.
    """
    mocked = (
        prepared.mock_data(smoke_test.EXAMPLES)
        if smoke
        else contextlib.nullcontext()
    )
    with config_files.parsed(files, bindings), mocked:
        train = gin.get_configurable(experiments.train)
        return train(
            output_dir,
            config=gin.config_str(),
            settings=config_files.macros(),
            smoke=smoke,
            **kwargs,
        )


def main():
    """Trains the run that the flags describe and prints its row."""
    with contextlib.ExitStack() as stack:
        output_dir = _OUTPUT_DIR.value
        if _SMOKE.value:
            if output_dir is not None:
                raise ValueError(
                    "--smoke writes no files. Remove --output_dir."
                )
            output_dir = stack.enter_context(tempfile.TemporaryDirectory())
        elif output_dir is None:
            raise ValueError(
                "Pass a directory for the run: --output_dir=runs/mine."
            )
        record = _train(output_dir)
    print(reports.table([record]))
    if record.ticket:
        print(f"\n{reports.tickets([record])}")
    if _SMOKE.value:
        print("\nThe run works. Its numbers have no meaning after a few steps.")


def _train(output_dir):
    """Returns the record of the run that the flags describe."""
    files = list(_GIN_FILE.value)
    if _TASK.value:
        files.append(config_files.find("tasks", _TASK.value))
    if _METHOD.value:
        files.append(config_files.find("methods", _METHOD.value))
    if not _TASK.value and not _GIN_FILE.value:
        raise ValueError(
            "Pass a task and a method, such as --task=digits_mlp "
            "--method=rigl, or --gin_file. See --help."
        )
    bindings = _SET.value + _GIN_BINDINGS.value
    if _SEED.value is not None:
        bindings.append(f"SEED = {_SEED.value}")
    if _STRATEGY.value == "tpu":
        keras.config.set_dtype_policy("mixed_bfloat16")
    return run_one(
        files,
        bindings,
        output_dir,
        smoke=_SMOKE.value,
        strategy=strategies.STRATEGIES[_STRATEGY.value](),
        resume=_RESUME.value,
        verbose=_VERBOSE.value.value,
        checkpoint_every=_CHECKPOINT_EVERY.value,
    )


def run():
    """Entry point of `rigl-train`."""
    cli.run(main)


if __name__ == "__main__":
    run()
