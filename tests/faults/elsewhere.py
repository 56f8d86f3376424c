"""Files of others: records, models, archives and trials that are not ours.

Each is used or refused by a ValueError that names the file; nothing outside of
its directory is read or written.
"""

import copy
import dataclasses
import functools
import hashlib
import json
import random
import struct
import zipfile

import keras
import numpy as np
import optuna
import tensorflow_datasets as tfds

import rigl_tf
from rigl_tf import deploy
from rigl_tf import results
from rigl_tf.bin import prepare
from rigl_tf.bin import report
from rigl_tf.deploy import compact
from rigl_tf.deploy import loading
from rigl_tf.experiments import tuning
from rigl_tf.results import reports
from rigl_tf.utils import text_tables
from tests.datasets import official
from tests.faults import harness
from tests.records import record

STRANGE = (
    None,
    [],
    {},
    True,
    -1,
    1e400,
    float("nan"),
    10**400,
    "",
    "../\n|=\x1b[2J\ud800",
    ["x"],
    {"x": None},
)
TICKET = {
    "epochs": 2,
    "density": 0.1,
    "search": {"sparsity": [0.9]},
    "before": {"accuracy": 0.5},
    "checks": {"shuffle": {"accuracy": 0.5}},
}
STRUCTURE = dict.fromkeys(
    ("active", "size", "inputs", "empty_inputs", "outputs", "remaining"), 1
)


def refused(path, use):
    """Uses a file of others; whether it was refused in so many words."""
    try:
        use()
    except ValueError as error:
        assert str(path) in str(error), error
        return True
    return False


def whole_record():
    found = record(
        ticket=TICKET,
        structure={"dense1": STRUCTURE | {"empty_outputs": 0}},
        settings={"LEARNING_RATE": 0.1, "SOURCE": "a/b"},
    )
    return json.loads(json.dumps(dataclasses.asdict(found)))


def places(values, way=()):
    """The way to each value in dictionaries and lists."""
    for key, value in (
        values.items() if isinstance(values, dict) else enumerate(values)
    ):
        yield (*way, key)
        if isinstance(value, dict | list):
            yield from places(value, (*way, key))


def strange_record(way, value, directory):
    """A record with another value somewhere is printed in each format."""
    values = whole_record()
    inside = functools.reduce(lambda found, key: found[key], way[:-1], values)
    inside[way[-1]] = value
    path = directory / results.RECORD
    path.write_text(json.dumps(values))

    def use():
        (found,) = results.read_all(directory).values()
        for layout in text_tables.FORMATS.values():
            for table in (
                reports.table,
                reports.tickets,
                reports.comparison,
                reports.learning_rates,
            ):
                text = table([found], formatter=layout)
                assert text.replace("\n", "").isprintable(), text

    refused(path, use)


def written_elsewhere(task, directory):
    """A task whose name is a path gets files below the runs only."""
    runs = directory / "runs"
    for sparsity in (0.8, 0.9):
        place = runs / str(sparsity)
        place.mkdir(parents=True)
        results.write(
            place, record(task=task.format(directory), sparsity=sparsity)
        )
    report.show(runs)
    assert [path.name for path in directory.iterdir()] == ["runs"]


def link(name, directory):
    """What a report writes is a link to something of the user's."""
    mine, runs = directory / "mine", directory / "runs"
    (runs / "one").mkdir(parents=True)
    results.write(runs / "one", record())
    mine.mkdir()
    (mine / "table.md").write_text("mine")
    (runs / name).parent.mkdir(exist_ok=True)
    (runs / name).symlink_to(mine / "table.md" if "." in name else mine)
    was_refused = refused(runs / name, lambda: report.show(runs))
    assert was_refused == ("." not in name)
    assert [path.read_text() for path in mine.iterdir()] == ["mine"]


def network():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def mutated(text, number):
    """JSON with a few values changed, from numbers to texts and back."""
    rng = random.Random(number)
    values = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        way = rng.choice(list(places(values)))
        inside = functools.reduce(lambda found, k: found[k], way[:-1], values)
        inside[way[-1]] = copy.deepcopy(
            rng.choice([*STRANGE, 2**31, [2**20, 2**20], "Dense", "os.system"])
        )
    return json.dumps(values).encode()


def compact_file(number, directory):
    path = directory / "model.rigl"
    compact.write(network(), path)
    start = len(compact.MAGIC) + hashlib.sha256().digest_size
    body = path.read_bytes()[start:]
    (length,) = struct.unpack("<I", body[:4])
    header = mutated(body[4 : 4 + length], number)
    if number == 0:
        header = b"[" * 100_000
    body = struct.pack("<I", len(header)) + header + body[4 + length :]
    path.write_bytes(compact.MAGIC + hashlib.sha256(body).digest() + body)
    refused(path, lambda: deploy.read_compact(path))


def change_part(path, name, number):
    """Changes what a file of JSON in an archive says."""
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    deep = b"[" * 100_000
    parts[name] = mutated(parts[name], number) if number else deep
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in parts.items():
            archive.writestr(each, data)


def keras_file(number, directory):
    path = directory / "model.keras"
    rigl_tf.sparsify(network(), rigl_tf.algorithms.SET(), sparsity=0.5).save(
        path
    )
    change_part(path, "config.json", number)
    refused(path, lambda: loading.read_keras(path))


def ticket_file(number, directory):
    path = directory / "ticket.npz"
    masks = {"dense": np.eye(4, 2, dtype=bool)}
    weights = [np.ones((4, 2), "float32"), np.zeros(2, "float32")]
    ticket = rigl_tf.tickets.Ticket(masks, weights, history={"loss": [0.5]})
    ticket.save(path)
    change_part(path, "ticket.json", number)

    def use():
        found = rigl_tf.tickets.load(path)
        found.save(path)
        assert 0 < found.density <= 1

    refused(path, use)


def archive(change, directory):
    """An archive of Tiny ImageNet that is not the official one."""
    tfds.display_progress_bar(False)
    (directory / "secret.JPEG").write_bytes(official.jpeg(official.picture()))
    path = official.tiny_imagenet(directory, ["n01"])
    if isinstance(change, int):
        path.write_bytes(path.read_bytes()[:change])
    else:
        with zipfile.ZipFile(path) as source:
            parts = {name: source.read(name) for name in source.namelist()}
        for name, data in change.items():
            data = data.replace(b"{}", str(directory).encode())
            parts[f"tiny-imagenet-200/{name}"] = data
        with zipfile.ZipFile(path, "w") as target:
            for name, data in parts.items():
                target.writestr(name, data)
    assert refused(
        path,
        lambda: prepare.prepare_dataset(
            "tiny_imagenet", [path], directory / "data"
        ),
    )


ANNOTATIONS = "val/val_annotations.txt"
ARCHIVES = (
    {ANNOTATIONS: b"{}/secret.JPEG\tn01\t0\t0\t1\t1"},
    {ANNOTATIONS: b"../../../secret.JPEG\tn01\t0\t0\t1\t1"},
    {ANNOTATIONS: b"val_0.JPEG"},
    {"wnids.txt": b"n02"},
    {"wnids.txt": bytes(2**21)},
    {"val/images/val_0.JPEG": b"no picture"},
    {"val/images/val_0.JPEG": official.jpeg(official.picture(9, 8))},
    0,
    100,
    2000,
)


def trial(params, directory):
    """A trial in studies.db whose parameters would become gin's bindings."""
    study = tuning.Study("digits_mlp", "rigl", (0.9,), {"ALPHA": (0.1, 0.6)})
    trials = tuning.open_study(study, None, 0.9, directory)
    choices = optuna.distributions.CategoricalDistribution
    trials.add_trial(
        optuna.trial.create_trial(
            params=params,
            distributions={name: choices([v]) for name, v in params.items()},
            value=1.0,
        )
    )
    assert refused(
        directory / tuning.DATABASE,
        lambda: tuning.open_study(study, None, 0.9, directory),
    )


TRIALS = (
    {"ALPHA": 0.3, "X = 1\nimport os\nY": 1},
    {"ALPHA": "@os.system()"},
    {"ALPHA": 7.0},
    {"SEED": 1},
)


def faults(few):
    def some(cases):
        cases = list(cases)
        return cases[:: max(len(cases) // 12, 1)] if few else cases

    strange = [
        (way, value) for way in places(whole_record()) for value in STRANGE
    ]
    for way, value in some(strange):
        yield (
            "strange record",
            f"{way}: {value!r:.20}",
            functools.partial(strange_record, way, value),
        )
    for task in ("../x",) if few else ("../x", "{}/x", "..", ".", "a/../../b"):
        yield (
            "record that leads elsewhere",
            task,
            functools.partial(written_elsewhere, task),
        )
    for name in ("figures", "figures/digits", "table.md")[2 * few :]:
        yield (
            "record that leads elsewhere",
            f"{name} is a link",
            functools.partial(link, name),
        )
    for kind, inject, count in (
        ("strange compact file", compact_file, 5 if few else 200),
        ("strange .keras file", keras_file, 3 if few else 50),
        ("strange ticket", ticket_file, 3 if few else 100),
    ):
        for number in range(count):
            yield kind, f"seed {number}", functools.partial(inject, number)
    for change in ARCHIVES[:1] if few else ARCHIVES:
        yield (
            "strange archive",
            f"{change!r:.40}",
            functools.partial(archive, change),
        )
    for params in TRIALS[:1] if few else TRIALS:
        yield "strange trial", str(params), functools.partial(trial, params)


if __name__ == "__main__":
    harness.main(faults)
