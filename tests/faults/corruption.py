"""Checkpoints that are damaged, cut short, mixed up or of another model."""

import functools
import json
import pathlib
import random
import shutil
import tempfile
import warnings

import keras

import rigl_tf
from rigl_tf.callbacks import checkpoint_files
from rigl_tf.utils.tensors import as_array
from tests.faults import child
from tests.faults import elsewhere
from tests.faults import harness
from tests.faults import security

FILES = ("arrays.bin", "facts.json", "manifest.json")


def compiled(width=16):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    x = keras.layers.Dense(width, name="dense1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    network = keras.Model(inputs, keras.layers.Dense(2, name="out")(x))
    model = rigl_tf.sparsify(network, rigl_tf.algorithms.SNFS(), sparsity=0.8)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@functools.cache
def saved():
    """A directory with the checkpoints of the steps 5 and 6."""
    directory = pathlib.Path(tempfile.mkdtemp())
    data = child.task().dataset
    with rigl_tf.Checkpoint(directory, every=1) as checkpoint:
        compiled().fit(
            data.train(0),
            steps_per_epoch=7,
            shuffle=False,
            verbose=0,
            callbacks=[checkpoint],
        )
    for path in checkpoint_files.paths(directory)[2:]:
        shutil.rmtree(path)
    return directory


@functools.cache
def model():
    return compiled()


def values():
    variables = model().variables + model().optimizer.variables
    return [as_array(v).tobytes() for v in variables]


def check(directory, damage, both):
    """Damage is never loaded: the checkpoint before is, or nothing at all."""
    place = shutil.copytree(saved(), directory / "checkpoints")
    before = values()
    paths = checkpoint_files.paths(place)
    for path in paths if both else paths[1:]:
        damage(path)
    checkpoint = rigl_tf.Checkpoint(place)
    if both:
        try:
            checkpoint.restore(model())
        except ValueError as error:
            assert str(paths[0]) in str(error), error
            assert values() == before, "Something was loaded nevertheless."
            return
        raise AssertionError("Nothing was noticed.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        checkpoint.restore(model())
    assert any(str(paths[1]) in str(w.message) for w in caught)
    assert (checkpoint.epoch, checkpoint.batch) == position(paths[0])


def position(path):
    return tuple(int(part) for part in path.name.split("-")[1:])


def cut(file, share, path):
    data = (path / file).read_bytes()
    (path / file).write_bytes(data[: int(share * len(data))])


def flip(file, number, path):
    data = bytearray((path / file).read_bytes())
    place = random.Random(number).randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    (path / file).write_bytes(data)


def remove(file, path):
    (path / file).unlink()


def swap(file, path):
    """Puts the file of another checkpoint into this one."""
    other = next(
        p for p in checkpoint_files.paths(saved()) if p.name != path.name
    )
    shutil.copy(other / file, path / file)


def strange_facts(number, directory):
    """Whole and none of ours: used or refused, and then nothing has changed."""
    place = shutil.copytree(saved(), directory / "checkpoints")
    for path in checkpoint_files.paths(place):

        def change(facts):
            arrays = facts.pop("arrays")
            facts |= json.loads(elsewhere.mutated(json.dumps(facts), number))
            facts["arrays"] = arrays

        security.rewrite(path, change)
    before = values(), model().resolved_schedule
    try:
        rigl_tf.Checkpoint(place).restore(model())
    except ValueError:
        assert (values(), model().resolved_schedule) == before


def other_model(directory):
    place = shutil.copytree(saved(), directory / "checkpoints")
    other = compiled(width=17)
    before = [as_array(v).tobytes() for v in other.variables]
    try:
        rigl_tf.Checkpoint(place).restore(other)
    except ValueError as error:
        assert "another model" in str(error), error
        assert before == [as_array(v).tobytes() for v in other.variables]
        return
    raise AssertionError("Nothing was noticed.")


def faults(few):
    for file in FILES:
        for share in (0.3,) if few else (0, 0.01, 0.3, 0.5, 0.99):
            for both in (True, False):
                yield (
                    "truncated checkpoint",
                    f"{file} at {share:.0%}, {both=}",
                    functools.partial(
                        check,
                        damage=functools.partial(cut, file, share),
                        both=both,
                    ),
                )
        for number in range(2 if few else 50):
            yield (
                "flipped bit in a checkpoint",
                f"{file}, seed {number}",
                functools.partial(
                    check,
                    damage=functools.partial(flip, file, number),
                    both=number % 2 == 0,
                ),
            )
        for both in (True, False):
            for kind, damage in (("missing", remove), ("swapped", swap)):
                yield (
                    f"{kind} file of a checkpoint",
                    f"{file}, {both=}",
                    functools.partial(
                        check,
                        damage=functools.partial(damage, file),
                        both=both,
                    ),
                )
    for number in range(5 if few else 200):
        inject = functools.partial(strange_facts, number)
        yield "strange checkpoint", f"seed {number}", inject
    yield "checkpoint of another model", "one more unit", other_model


if __name__ == "__main__":
    harness.main(faults)
