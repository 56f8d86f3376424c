"""What the papers show, and the runs that it takes."""

import dataclasses
import pathlib
import tomllib


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table, or one line of a figure.

    Attributes:
        name: String.
        task: String, as of `rigl-train --task`.
        method: String, as of `rigl-train --method`.
        sparsity: Tuple of floats, a run for each; empty for dense networks.
        set: Dictionary from a gin macro to its value as text.
        tuned: Names of macros that a study tunes. Of the runs that differ in
            them, those count that are best on validation data.
        source: Name of the row of the task whose runs it starts from, or
            `None`.
        printed: Dictionary from one of `comparisons.METRICS`, or of
            `comparisons.QUOTED`, to what the paper prints, for each sparsity
            a number, `nan` for nothing, or text such as `"failed"`, which no
            difference is taken from.
        doubtful: Dictionary from one of these metrics to the sparsities at
            which the paper contradicts itself or its code, so that nothing
            should be compared with its number. Dense rows have `[0]`.
        examples: Integer, training examples in an epoch, or `None` for those
            of the task.
    """

    name: str
    task: str
    method: str
    sparsity: tuple
    set: dict
    tuned: tuple = ()
    source: str | None = None
    printed: dict = dataclasses.field(default_factory=dict)
    doubtful: dict = dataclasses.field(default_factory=dict)
    examples: int | None = None

    @property
    def settings(self):
        """What to set for each run: tuples of bindings."""
        common = [f"{name} = {value}" for name, value in self.set.items()]
        if self.source is not None:  # wherever it will be
            common.append(f"SOURCE = {self.source!r}")
        if not self.sparsity:
            return [tuple(common)]
        return [(f"SPARSITY = {s}", *common) for s in self.sparsity]


@dataclasses.dataclass(frozen=True)
class Item:
    """A table or a figure.

    Attributes:
        name: String, such as `"Table 2"`.
        about: String.
        rows: Tuple of `Row`.
        seeds: Integer, how often each run is trained.
        means: Dictionary from the name of rows to the accuracies that the
            paper prints, means over tasks, one for each sparsity, as in
            `Row.printed`. Empty where it prints no means. A mean is over the
            tasks for which rows of the same settings have an accuracy.
        figures: Names of the functions of `rigl_tf.results.plots` that draw it.
        kernel: Name of the kernel whose masks it shows, or `None`.
        here: Name of the sweep or study that shows the same at small scale, or
            `None`.
        study: Name of the study that tunes its rows, or `None`.
        test: File of the tests that hold what takes no training, or `None`.
    """

    name: str
    about: str
    rows: tuple
    seeds: int = 1
    means: dict = dataclasses.field(default_factory=dict)
    figures: tuple = ()
    kernel: str | None = None
    here: str | None = None
    study: str | None = None
    test: str | None = None


@dataclasses.dataclass(frozen=True)
class Paper:
    """What a paper shows.

    Attributes:
        title: String.
        url: String.
        examples: Dictionary from a task to how many examples are in an epoch.
        items: Dictionary from name to `Item`, in the order of the paper.
    """

    title: str
    url: str
    examples: dict
    items: dict


def read(path):
    """Reads the `tables.toml` of a paper.

    Raises:
        ValueError: If something is missing in it or is not known.
    """
    values = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    items = {}
    for given in values.pop("item"):
        try:
            given = _filled(given, items)
            given["rows"] = tuple(
                _row(row, given) for row in given.get("rows", ())
            )
            for name in ("task", "sparsity", "examples"):
                given.pop(name, None)
            items[given["name"]] = Item(**given)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, {given.get('name')}: {error!r}."
            ) from error
    return Paper(**values, items=items)


def _filled(given, items):
    """What is said of an item, and what it has from one that it is like."""
    if "like" not in given:
        return dict(given)
    other = items[given["like"]]
    rows = [dataclasses.asdict(row) for row in other.rows]
    for row in rows:
        if "sparsity" in given and row["sparsity"]:
            row["sparsity"] = given["sparsity"]
            row["printed"] = row["doubtful"] = {}
    rows += given.pop("more", ())
    shared = {n: getattr(other, n) for n in ("seeds", "here", "study")}
    filled = {"rows": rows, **shared, **given}
    del filled["like"]
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
    filled = Row(**{**row, "sparsity": sparsity, "tuned": tuned})
    for metric, places in filled.doubtful.items():
        if not set(places) <= set(filled.sparsity or (0,)):
            raise TypeError(f"{metric} is doubtful at other sparsities")
    for metric, values in filled.printed.items():
        if len(values) != max(len(filled.sparsity), 1):
            raise TypeError(f"{metric} takes a number for each sparsity")
    return filled
