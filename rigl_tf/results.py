"""A run's record: written once, read by many."""

import dataclasses
import json
import os
import pathlib

from rigl_tf import durable
from rigl_tf import files
from rigl_tf import locks
from rigl_tf import schema
from rigl_tf.exporting import loading

SCHEMA_VERSION = 1
RECORD = "record.json"
MODEL = "model.keras"
CONFIG = "config.gin"
FOLDERS = ("figures", "logs", "checkpoints", "search", "checks")
TRIALS = "trials"  # a directory of runs that settings are chosen by


@dataclasses.dataclass(frozen=True)
class Record:
    """What a finished run leaves behind.

    Attributes:
        task: String, its name.
        method: String, its name; `"dense"` for the baseline.
        distribution: String, the function that shares the sparsity among
            layers; empty where there are no masks.
        sparsity: Float, the fraction of zeros asked for; 0 for dense.
        extension: Number, how many times as long training took as is usual.
        seed: Integer.
        test: Dictionary from metric to its value on the test set.
        history: Dictionary from metric to its value after each epoch.
        densities: Dictionary from kernel to its final density.
        structure: Dictionary from kernel to what `rigl_tf.summary` says of
            its mask: `empty_outputs`, `remaining` and so on.
        parameters: Dictionary: `active`, `dense`, biases included.
        flops: Dictionary: `inference` and `inference_dense`, for one example;
            `training` and `training_dense`, for one example of every epoch of
            the task; `search`, of a ticket, for as many examples as
            `training`; and `convention`.
        steps: Integer, optimizer steps, updates included.
        seconds: Float, wall time of training. That of a run that was stopped
            and went on counts up to its last checkpoint, and from there.
        versions: Dictionary from package to version.
        device: String.
        ticket: Dictionary of a network that was found before it was trained:
            `epochs` of the search, the `density` of what it found, its
            history, `search`, and metrics on the test set: `before` training,
            and after each of the `checks`, in dictionaries. Else empty.
        settings: Dictionary from what the configuration calls a value, such
            as `"ALPHA"`, to it.
        schema_version: Integer.
    """

    task: str
    method: str
    distribution: str
    sparsity: float
    extension: float
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
    schema_version: int = SCHEMA_VERSION

    @property
    def relative_flops(self):
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
    def validated(self):
        """Float, the validation accuracy after the last epoch.

        Raises:
            ValueError: If the task has no validation data.
        """
        if "val_accuracy" not in self.history:
            raise ValueError(
                f"The runs of {self.task} have no validation data to choose "
                "settings by. Hold some out: `validation` of the data set."
            )
        return self.history["val_accuracy"][-1]


def claim(directory, resume, config=None):
    """Makes sure that a run may write to a directory, alone.

    Args:
        directory: Path of the run.
        resume: Whether an existing run may go on.
        config: String, the run's configuration, a setting a line. `None` if
            it is not known.

    Returns:
        The `Record` if the run is finished already, else `None`.

    Raises:
        FileExistsError: If the directory holds other things and no run, or a
            run that may not go on, because `resume` is not set or it began
            with another configuration.
        ValueError: If one of `FOLDERS` in it is a link: what is written and
            removed there would be somebody else's.
    """
    directory = pathlib.Path(directory)
    there = {path.name for path in directory.glob("*")} - {locks.NAME}
    there = {name for name in there if not name.startswith(durable.PARTIAL)}
    if there:
        if not there & {CONFIG, RECORD}:
            raise FileExistsError(
                f"{directory} holds other files, {min(there)} among them, and "
                "no run. Choose another --output_dir."
            )
        if not resume:
            raise FileExistsError(
                f"{directory} holds a run already. Choose another "
                "--output_dir, or pass --resume to go on with it."
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


def find(directory):
    """The `Record` of the run in a directory if it is finished, or `None`."""
    try:
        return read(pathlib.Path(directory) / RECORD)
    except FileNotFoundError:
        return None


def load_model(directory):
    """Loads the model of a finished run.

    Raises:
        ValueError: If there is none, or it cannot be read.
    """
    path = pathlib.Path(directory) / MODEL
    if not path.is_file():
        raise ValueError(
            f"There is no finished run in {directory}: it has no {MODEL}. "
            "Train one with rigl-train or rigl-sweep."
        )
    return loading.read_keras(path)


def write(directory, record):
    """Writes a record into a run's directory."""
    text = json.dumps(dataclasses.asdict(record), indent=2, allow_nan=True)
    files.write(pathlib.Path(directory) / RECORD, text + "\n")


def begin(directory, config=None):
    """Marks a directory as that of a run.

    Args:
        directory: Path of the run.
        config: String, as of `claim`.
    """
    path = pathlib.Path(directory) / CONFIG
    if config is not None or not path.exists():
        files.write(path, config or "# Not known.\n")


def read(path):
    """Reads one record.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If the file is no record of this version. Says which of
            its fields is not what it should be.
    """
    try:
        values = files.read_json(path)
        version = values.get("schema_version") if type(values) is dict else None
        if version not in (None, SCHEMA_VERSION):
            raise ValueError(
                f"it has schema version {version!r:.20}; this version of "
                f"rigl_tf reads {SCHEMA_VERSION}"
            )
        schema.check(values)
    except ValueError as error:
        raise ValueError(f"{path} is not a run's record: {error}.") from error
    return Record(**values)


def read_all(directory):
    """Reads every record below a directory, but those in its `TRIALS`.

    Others may write and remove runs meanwhile.

    Returns:
        Dictionary from the directory of a run to its `Record`, in the order
        of their paths.
    """
    directories = [
        pathlib.Path(place)
        for place, _, names in os.walk(directory)
        if RECORD in names
    ]
    found = {
        place: find(place)
        for place in sorted(directories)
        if TRIALS not in place.relative_to(directory).parts
    }
    return {place: record for place, record in found.items() if record}


def _check_same_config(directory, config):
    path = directory / CONFIG
    if config is None or not path.exists():
        return
    try:
        there = _settings(files.read(path).decode())
    except ValueError as error:
        raise ValueError(f"{path} is no configuration: {error}.") from error
    here = _settings(config)
    if there and there != here:  # a power cut may have left nothing
        raise FileExistsError(
            f"{directory} holds a run that began with another configuration: "
            f"{_only(there, here)} there, {_only(here, there)} here. Choose "
            "another --output_dir, or configure it as it was."
        )


def _settings(config):
    """The lines of a configuration without comments."""
    return [line for line in config.splitlines() if line[:1] not in ("#", "")]


def _only(lines, others):
    """The settings that are among the first lines only."""
    found = [line for line in lines if line not in others]
    return ", ".join(found) or "nothing more"
