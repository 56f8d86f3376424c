"""Records of runs, and the directories that contain them."""

import dataclasses
import json
import os
import pathlib
import re

from rigl_tf.results import record_schema
from rigl_tf.typing import PathLike
from rigl_tf.utils import durable
from rigl_tf.utils import file_lock
from rigl_tf.utils import files

SCHEMA_VERSION = 1
RECORD = "record.json"
MODEL = "model.keras"
CONFIG = "config.gin"
FOLDERS = ("figures", "logs", "checkpoints", "search", "checks")
TRIALS = "trials"  # a directory of runs for the choice of settings


@dataclasses.dataclass(frozen=True)
class Record:
    """The settings and results of a finished run.

    Attributes:
        task: String, the name of the task.
        method: String, the name of the method; `"dense"` for the baseline.
        distribution: String, the name of the function that distributes the
            sparsity over layers; empty without masks.
        sparsity: Float, the requested fraction of zeros; 0 for dense.
        training_multiplier: Number, the factor of the training length.
        seed: Integer.
        test: Dictionary from metric to its value on the test set.
        history: Dictionary from metric to its values, one for each epoch.
        densities: Dictionary from kernel name to its final density.
        structure: Dictionary from kernel name to the numbers of
            `rigl_tf.summary`: `empty_outputs`, `remaining` and so on.
        parameters: Dictionary with `active` and `dense`, including biases.
        flops: Dictionary with `inference` and `inference_dense`, for one
            example; `training` and `training_dense`, for one example of every
            epoch of the task; `search`, of a ticket, for as many examples as
            `training`; and `convention`.
        steps: Integer, optimizer steps, including mask updates.
        seconds: Float, wall time of training. For a resumed run, it is the
            time up to the last checkpoint plus the time after resuming.
        versions: Dictionary from package to version, also of Python and this
            library.
        device: String, the name of the processor or accelerator.
        ticket: Dictionary about the ticket search, empty without a ticket:
            the `epochs` of the search, the `density` of the ticket, the
            history of the search (`search`), and metrics on the test set:
            `before` training, and after training for each of the `checks`.
        settings: Dictionary from the name of a setting in the configuration,
            such as `"ALPHA"`, to its value.
        provenance: Dictionary with the `date` (UTC), the `command` and, in a
            Git checkout of this library, the `commit`. Records are compared
            without it.
        schema_version: Integer.
    """

    task: str
    method: str
    distribution: str
    sparsity: float
    training_multiplier: float
    seed: int
    test: dict
    history: dict
    densities: dict
    structure: dict
    parameters: dict
    flops: dict
    steps: int
    seconds: float
    versions: dict
    device: str
    ticket: dict = dataclasses.field(default_factory=dict)
    settings: dict = dataclasses.field(default_factory=dict)
    provenance: dict = dataclasses.field(default_factory=dict, compare=False)
    schema_version: int = SCHEMA_VERSION

    @property
    def relative_flops(self) -> dict[str, float]:
        """Dictionary from a phase to its FLOPs relative to the dense network.

        The phases are `inference`, `search`, `training` after the search, and
        `total`, the sum of the last two.
        """
        dense = self.flops["training_dense"]
        search = self.flops.get("search", 0) / dense
        training = self.flops["training"] / dense
        return {
            "inference": self.flops["inference"]
            / self.flops["inference_dense"],
            "search": search,
            "training": training,
            "total": search + training,
        }

    @property
    def final_val_accuracy(self) -> float:
        """Float, the validation accuracy after the last epoch.

        Raises:
            ValueError: If the task has no validation data.
        """
        if "val_accuracy" not in self.history:
            raise ValueError(
                "The choice of settings needs validation data. Received runs "
                f"of {self.task} without validation data. Hold some out: "
                "`validation` of the data set."
            )
        return self.history["val_accuracy"][-1]


def acquire_run_dir(
    directory: PathLike, resume: bool, config: str | None = None
) -> Record | None:
    """Checks that a run may write to a directory, and creates it.

    Args:
        directory: Path of the run.
        resume: Boolean, whether to resume an existing run.
        config: String, the configuration of the run, one setting per line, or
            `None` if it is unknown.

    Returns:
        The `Record` if the run is already finished, else `None`.

    Raises:
        FileExistsError: If the directory contains other files but no run, or
            a run that cannot be resumed: `resume` is `False`, or the run has
            another configuration.
        ValueError: If one of `FOLDERS` in the directory is a link.
    """
    directory = pathlib.Path(directory)
    names = {path.name for path in directory.glob("*")} - {file_lock.NAME}
    names = {name for name in names if not name.startswith(durable.PARTIAL)}
    names -= {name for name in FOLDERS if _is_empty(directory / name)}
    if names:
        if not names & {CONFIG, RECORD}:
            raise FileExistsError(
                f"{directory} contains other files, such as {min(names)}, but "
                "no run. Choose another --output_dir."
            )
        if not resume:
            raise FileExistsError(
                f"{directory} already contains a run. Choose another "
                "--output_dir, or pass --resume to resume the run."
            )
        _check_same_config(directory, config)
        finished = find(directory)
        if finished is None:
            durable.clear(directory)
            for name in FOLDERS:
                files.refuse_link(directory / name)
        return finished
    directory.mkdir(parents=True, exist_ok=True)
    return None


def find(directory: PathLike) -> Record | None:
    """Returns the `Record` of a finished run, or `None`.

    Args:
        directory: Path of the run.

    Raises:
        ValueError: If the record is invalid.
    """
    try:
        return read(pathlib.Path(directory) / RECORD)
    except FileNotFoundError:
        return None


def write(directory: PathLike, record: Record) -> None:
    """Writes a record to the directory of its run."""
    text = json.dumps(dataclasses.asdict(record), indent=2, allow_nan=True)
    files.write(pathlib.Path(directory) / RECORD, text + "\n")


def mark_run_dir(directory: PathLike, config: str | None = None) -> None:
    """Writes the configuration, which marks the directory of a run.

    Args:
        directory: Path of the run.
        config: String, as for `acquire_run_dir`.
    """
    path = pathlib.Path(directory) / CONFIG
    if config is not None or not path.exists():
        files.write(path, config or "# Not known.\n")


def read(path: PathLike) -> Record:
    """Reads one record.

    Args:
        path: Path of the file.

    Returns:
        `Record`.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If the file is not a record of this version. The message
            names the invalid field.
    """
    try:
        values = files.read_json(path)
        version = values.get("schema_version") if type(values) is dict else None
        if version not in (None, SCHEMA_VERSION):
            raise ValueError(
                f"`schema_version` must be {SCHEMA_VERSION}. "
                f"Received: {version!r:.20}"
            )
        record_schema.check(values)
    except ValueError as error:
        raise ValueError(
            f"{path} is not a run's record: {error}. Remove the file to train "
            "the run again, or move it away to leave the run out of reports."
        ) from error
    return Record(**values)


def read_all(directory: PathLike) -> dict[pathlib.Path, Record]:
    """Reads all records in a directory and its subdirectories.

    Directories with the name `TRIALS` are skipped. Other processes may write
    and remove runs at the same time.

    Args:
        directory: Path.

    Returns:
        Dictionary from the path of a run to its `Record`, sorted by path.
    """
    paths = [
        pathlib.Path(path)
        for path, _, names in os.walk(directory)
        if RECORD in names
    ]
    records = {
        path: find(path)
        for path in sorted(paths)
        if TRIALS not in path.relative_to(directory).parts
    }
    return {path: record for path, record in records.items() if record}


def _is_empty(folder):
    """Returns whether a run has made a folder and was stopped at once."""
    return not folder.is_symlink() and all(
        path.is_dir() or path.name == file_lock.NAME
        for path in folder.rglob("*")
    )


def _check_same_config(directory, config):
    path = directory / CONFIG
    if config is None or not path.exists():
        return
    try:
        saved = _settings(files.read(path).decode())
    except ValueError as error:
        raise ValueError(f"{path} is no configuration: {error}.") from error
    given = _settings(config)
    before, source = _source(saved), _source(given)
    if before and source and _has_moved(before, source, path):
        saved = [
            x.replace(before, source) if _source([x]) else x for x in saved
        ]
    if saved and saved != given:  # the file is empty after a power cut
        raise FileExistsError(
            f"{directory} contains a run with another configuration: "
            f"{_missing(saved, given)}. Received: {_missing(given, saved)}. "
            "Choose another --output_dir, or use the original configuration."
        )


def _settings(config):
    """Returns the settings of a configuration, each in one line."""
    lines = re.sub(r"\\?\n[ \t]+", "", config).splitlines()
    return [line for line in lines if line[:1] not in ("#", "")]


def _source(settings):
    """Returns the path of the run that a run starts from, or `None`."""
    matches = [re.fullmatch("SOURCE = '(.*)'", line) for line in settings]
    return next((match[1] for match in matches if match), None)


def _has_moved(before, source, path):
    """Returns whether a source is at the same place in a moved directory.

    Args:
        before: String, the path in the configuration of the earlier run.
        source: String, the path now.
        path: Path of a file of the run, which moved with its source.
    """
    source = os.path.abspath(source)
    shared = os.path.commonpath([os.path.abspath(path), source])
    inside = pathlib.Path(source).relative_to(shared).parts
    earlier = pathlib.Path(before)
    return earlier.parts[-len(inside) :] == inside and not earlier.exists()


def _missing(lines, others):
    """Returns the lines that are not in the other lines, as a string."""
    missing = [line for line in lines if line not in others]
    return ", ".join(missing) or "no other settings"
