"""The tables and figures of the papers, and their runs."""

import dataclasses
import tomllib

from rigl_tf.typing import PathLike
from rigl_tf.utils import files


@dataclasses.dataclass(frozen=True)
class TableRow:
    """One row of a table, or one line of a figure.

    Attributes:
        name: String.
        task: String, as for `rigl-train --task`.
        method: String, as for `rigl-train --method`.
        sparsity: Tuple of floats, one run for each; empty for dense networks.
        set: Dictionary from a gin macro to its value as text.
        tuned: Names of macros that a study tunes. The row uses the runs whose
            values of these macros are best on validation data.
        source: Name of a row of the same task, or `None`. The runs start from
            the runs of that row.
        reported: Dictionary from a key of `comparison.METRICS` or
            `comparison.QUOTED` to the values in the paper, one for each
            sparsity: a number, `nan` for no value, or text such as `"failed"`,
            which has no difference.
        doubtful: Dictionary from such a key to sparsities. At these
            sparsities, the paper contradicts itself or its code, so its value
            should not be compared. Dense rows have `[0]`.
        examples: Integer, training examples in an epoch, or `None` for the
            number of the task.
    """

    name: str
    task: str
    method: str
    sparsity: tuple
    set: dict
    tuned: tuple = ()
    source: str | None = None
    reported: dict = dataclasses.field(default_factory=dict)
    doubtful: dict = dataclasses.field(default_factory=dict)
    examples: int | None = None

    @property
    def settings(self) -> list[tuple[str, ...]]:
        """List of tuples of gin bindings, one tuple for each run."""
        common = [f"{name} = {value}" for name, value in self.set.items()]
        if self.source is not None:  # its path is not known yet
            common.append(f"SOURCE = {self.source!r}")
        if not self.sparsity:
            return [tuple(common)]
        return [(f"SPARSITY = {s}", *common) for s in self.sparsity]


@dataclasses.dataclass(frozen=True)
class PaperItem:
    """A table or figure of a paper.

    Attributes:
        name: String, such as `"Table 2"`.
        description: String.
        rows: Tuple of `TableRow`.
        seeds: Integer, the number of seeds of each run.
        means: Dictionary from the name of rows to the mean accuracies over
            tasks in the paper, one for each sparsity, as in
            `TableRow.reported`. Empty if the paper reports no means. A mean
            includes the tasks for which rows with the same settings have an
            accuracy.
        figures: Names of functions of `rigl_tf.results.plots` that draw the
            figure.
        kernel: Name of the kernel whose masks the figure shows, or `None`.
        small_scale: Name of a sweep or study that shows the same at small
            scale, or `None`.
        study: Name of the study that tunes the rows, or `None`.
        test: Path of the tests for an item that needs no training, or `None`.
    """

    name: str
    description: str
    rows: tuple
    seeds: int = 1
    means: dict = dataclasses.field(default_factory=dict)
    figures: tuple = ()
    kernel: str | None = None
    small_scale: str | None = None
    study: str | None = None
    test: str | None = None


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper with its tables and figures.

    Attributes:
        title: String.
        url: String.
        examples: Dictionary from a task to its number of examples in an epoch.
        items: Dictionary from name to `PaperItem`, in the order of the paper.
    """

    title: str
    url: str
    examples: dict
    items: dict


def read(path: PathLike) -> Paper:
    """Reads the `tables.toml` of a paper.

    Args:
        path: Path of the file.

    Returns:
        `Paper`.

    Raises:
        ValueError: If it is not TOML, or a field is missing or unknown.
    """
    try:
        return _parse(tomllib.loads(files.read(path).decode()), path)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not a paper: {error!r}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error


def _parse(values, path):
    items = {}
    for given in values.pop("item"):
        try:
            given = _inherit(given, items)
            given["rows"] = tuple(
                _row(row, given) for row in given.get("rows", ())
            )
            for name in ("task", "sparsity", "examples"):
                given.pop(name, None)
            items[given["name"]] = PaperItem(**given)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, {given.get('name')}: {error!r}."
            ) from error
    return Paper(**values, items=items)


def _inherit(given, items):
    """Fills in the fields that an item inherits from another item."""
    if "inherits" not in given:
        return dict(given)
    other = items[given["inherits"]]
    rows = [dataclasses.asdict(row) for row in other.rows]
    for row in rows:
        if "sparsity" in given and row["sparsity"]:
            row["sparsity"] = given["sparsity"]
            row["reported"] = row["doubtful"] = {}
    rows += given.pop("more", ())
    shared = {n: getattr(other, n) for n in ("seeds", "small_scale", "study")}
    filled = {"rows": rows, **shared, **given}
    del filled["inherits"]
    return {name: value for name, value in filled.items() if value is not None}


def _row(row, item):
    shared = {
        name: item[name]
        for name in ("task", "sparsity", "examples")
        if name in item
    }
    row = {"sparsity": (), "set": {}, **shared, **row}
    sparsity = () if row["method"] == "dense" else tuple(row.pop("sparsity"))
    tuned = tuple(row.pop("tuned", ()))
    filled = TableRow(**{**row, "sparsity": sparsity, "tuned": tuned})
    for metric, sparsities in filled.doubtful.items():
        if not set(sparsities) <= set(filled.sparsity or (0,)):
            raise TypeError(f"`doubtful` of {metric} has other sparsities")
    for metric, values in filled.reported.items():
        if len(values) != max(len(filled.sparsity), 1):
            raise TypeError(f"{metric} must have a value for each sparsity")
    return filled
