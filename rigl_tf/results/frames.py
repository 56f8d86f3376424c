"""Records of runs as a `pandas.DataFrame`."""

import pathlib
from typing import TYPE_CHECKING

from rigl_tf.results import records
from rigl_tf.typing import PathLike
from rigl_tf.utils import extras

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = (
    "task",
    "method",
    "distribution",
    "sparsity",
    "training_multiplier",
    "seed",
)


def load(directory: PathLike) -> "pd.DataFrame":
    """Loads the records of all runs in a directory and its subdirectories.

    Args:
        directory: Path. Directories with the name `trials` are skipped.

    Returns:
        `pandas.DataFrame` with a row for each finished run, and the path of
        the run below `directory` as the index. Columns are:

        - `task`, `method`, `distribution`, `sparsity`, `training_multiplier`
          and `seed`, as in `Record`;
        - `test_accuracy` and other metrics on the test set, and
          `val_accuracy`, after the last epoch;
        - with tickets, the same `before` training and after each sanity check,
          such as `shuffle_accuracy`;
        - `parameters`, the active ones, and `parameters_dense`;
        - `flops_inference`, `flops_search`, `flops_training` and
          `flops_total`, relative to the dense network;
        - `steps` and `seconds` of training;
        - settings in the configuration, such as `ALPHA`.

        Where a run has no such value, the column has NaN.

    Raises:
        FileNotFoundError: If there is no such directory.
        ValueError: If a record is invalid. The message names file and field.

    Example:

    >>> frame = rigl_tf.results.load("runs")
    >>> means = frame.groupby(["method", "sparsity"])["test_accuracy"].mean()
    >>> means.to_csv("means.csv")
    """
    with extras.needed("runs"):
        import pandas as pd  # takes a second

    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(
            f"There is no directory {directory}. Pass the directory that "
            "contains the runs."
        )
    rows = {
        str(path.relative_to(directory)): _row(record)
        for path, record in records.read_all(directory).items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(index="run")


def _row(record):
    """Returns the columns of one run, by name."""
    ticket = record.ticket
    tests = {"test": record.test}
    if ticket:
        tests |= {"before": ticket["before"], **ticket["checks"]}
    row = {name: getattr(record, name) for name in _FIELDS}
    row |= {
        f"{when}_{metric}": value
        for when, metrics in tests.items()
        for metric, value in metrics.items()
    }
    if "val_accuracy" in record.history:
        row["val_accuracy"] = record.final_val_accuracy
    row["parameters"] = record.parameters["active"]
    row["parameters_dense"] = record.parameters["dense"]
    row |= {f"flops_{k}": v for k, v in record.relative_flops.items()}
    row |= {"steps": record.steps, "seconds": record.seconds}
    row["distribution"] = record.distribution or record.settings.get(
        "DISTRIBUTION", ""
    )
    # A setting that has the name of a column is that column.
    known = {name.upper() for name in row}
    settings = record.settings.items()
    return row | {k: v for k, v in settings if k not in known}
