"""Trains one run.

Its help and flags are in `rigl_cli.train`.
"""

import contextlib
import shlex
import tempfile

import gin
import keras

from rigl_tf import experiments
from rigl_tf.datasets import prepared
from rigl_tf.distribute import strategies
from rigl_tf.experiments import smoke_test as smoke_test
from rigl_tf.gin_tools import config_files
from rigl_tf.results import reports
from rigl_tf.utils import text_tables

_VERBOSE = {"none": 0, "bar": 1, "line": 2}
"""Keras's `verbose` for each value of --progress."""


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
        if not config_files.has_only_one_use_of_seed():
            # Another seed may change the network or the method.
            kwargs.pop("traced", None)
        train = gin.get_configurable(experiments.train)
        return train(
            output_dir,
            config=gin.config_str(),
            settings=config_files.settings(bindings),
            smoke=smoke,
            **kwargs,
        )


def main(flags):
    """Trains the run that the flags describe and prints its row."""
    if flags.list:
        for category in ("tasks", "methods"):
            print(f"{category}:\n{config_files.listing(category)}\n")
        return
    with contextlib.ExitStack() as stack:
        output_dir = flags.output_dir
        if flags.smoke:
            if output_dir is not None:
                raise ValueError(
                    "--smoke writes no files. Remove --output_dir."
                )
            output_dir = stack.enter_context(tempfile.TemporaryDirectory())
        elif output_dir is None:
            raise ValueError(
                "Pass a directory for the run: --output_dir=runs/mine."
            )
        record = _train(flags, output_dir)
    print(reports.table([record], text_tables.printed))
    if record.ticket:
        print(f"\n{reports.tickets([record], text_tables.printed)}")
    if flags.smoke:
        print("\nThe run works. Its numbers have no meaning after a few steps.")
        return
    print(
        f"\nThe run is in {output_dir}. Next:\n"
        f"  rigl-report --runs={shlex.quote(output_dir)}\n"
        f"  rigl-export {shlex.quote(output_dir)}"
    )


def _train(flags, output_dir):
    """Returns the record of the run that the flags describe."""
    files = list(flags.gin_file)
    if flags.task:
        files.append(config_files.find("tasks", flags.task))
    if flags.method:
        files.append(config_files.find("methods", flags.method))
    if not flags.task and not flags.gin_file:
        raise ValueError(
            "Pass a task and a method, such as --task=digits_mlp "
            "--method=rigl, or --gin_file. See --list and --help."
        )
    bindings = list(flags.set)
    if flags.seed is not None:
        bindings.append(f"SEED = {flags.seed}")
    if flags.strategy == "tpu":
        keras.config.set_dtype_policy("mixed_bfloat16")
    return run_one(
        files,
        bindings,
        output_dir,
        smoke=flags.smoke,
        strategy=strategies.STRATEGIES[flags.strategy](),
        resume=flags.resume,
        verbose=_VERBOSE[flags.progress],
        checkpoint_every=flags.checkpoint_every,
    )


if __name__ == "__main__":
    from rigl_cli.train import run

    run()
