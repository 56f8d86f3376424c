"""Random changes of images."""

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf.datasets import augment

SEED = tf.constant([3, 5], tf.int64)
CHANGES = {
    "crop": augment.crop_and_flip,
    "crop with zeros": lambda x, seed: augment.crop_and_flip(
        x, seed, mode="CONSTANT"
    ),
    "resize": augment.resize_and_flip,
    "rotate": augment.rotate_and_flip,
}


def images(num=200, height=7, width=6):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_seed_decides_and_shapes_stay(name, dtype):
    x = tf.constant(images(), dtype)
    one, two = CHANGES[name](x, SEED), CHANGES[name](x, SEED)
    assert one.shape == x.shape and one.dtype == x.dtype
    np.testing.assert_array_equal(one, two)
    assert np.any(one != CHANGES[name](x, SEED + 1))


@pytest.mark.parametrize("name", CHANGES)
def test_a_pipeline_that_gin_has_configured_may_call_it(name):
    """AutoGraph leaves functions alone that gin has wrapped."""
    change = tf.autograph.experimental.do_not_convert(CHANGES[name])
    x = tf.constant(images(8))
    data = tf.data.Dataset.from_tensors(x).map(lambda x: change(x, SEED))
    (changed,) = data
    np.testing.assert_array_equal(changed, CHANGES[name](x, SEED))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: augment.crop_and_flip(x, SEED, padding=0),
        lambda x: augment.resize_and_flip(x, SEED, least=1.0, ratio=1.0),
        lambda x: augment.rotate_and_flip(x, SEED, degrees=0.0),
    ],
)
def test_about_half_are_mirrored_and_nothing_else(change):
    x = images()
    changed = change(tf.constant(x)).numpy()
    same = (changed == x).all(axis=(1, 2, 3))
    mirrored = (changed == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same | mirrored).all()
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize("mode", ["REFLECT", "CONSTANT"])
def test_a_crop_is_a_part_of_the_padded_picture(mode):
    x = images(num=60)
    changed = augment.crop_and_flip(tf.constant(x), SEED, 2, mode).numpy()
    kind = {"REFLECT": "reflect", "CONSTANT": "constant"}[mode]
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], mode=kind)
    found = set()
    for before, after in zip(padded, changed, strict=True):
        places = [
            (top, left, flip)
            for top in range(5)
            for left in range(5)
            for flip in (1, -1)
            if np.array_equal(
                before[top : top + 7, left : left + 6][:, ::flip], after
            )
        ]
        assert places
        found.update(places)
    assert len(found) > 25, "Everywhere, not in a few places."


def test_parts_have_the_areas_and_shapes_that_were_asked_for():
    """Of a ramp, the range of values is the size of the part."""
    ramp = np.linspace(0, 1, 101, dtype=np.float32)
    x = np.empty((500, 101, 101, 2), np.float32)
    x[..., 0], x[..., 1] = ramp[:, None], ramp[None]
    parts = augment.resize_and_flip(tf.constant(x), SEED, 0.25, 1.5).numpy()
    heights = np.ptp(parts[..., 0], axis=(1, 2))
    widths = np.ptp(parts[..., 1], axis=(1, 2))
    areas, ratios = heights * widths, widths / heights
    assert 0.24 < areas.min() < 0.3 and 0.9 < areas.max() <= 1.001
    assert 1 / 1.51 < ratios.min() < 0.75 and 1.35 < ratios.max() < 1.51


def test_a_picture_turns_about_its_centre():
    x = np.zeros((50, 9, 9, 1), np.float32)
    x[:, 4, 4] = 1
    x[:, 0, 4] = 5
    turned = augment.rotate_and_flip(tf.constant(x), SEED, 30.0).numpy()
    np.testing.assert_allclose(turned[:, 4, 4], 1, atol=1e-4)
    # What was above the centre goes to either side, by at most 4 sin(30).
    total = turned[:, :4].sum(axis=(1, 2, 3))
    columns = (turned[:, :4] * np.arange(9)[:, None]).sum(axis=(1, 2, 3))
    middle = columns[total > 1] / total[total > 1]
    assert middle.min() < 3 and middle.max() > 5
    assert middle.min() > 1.9 and middle.max() < 6.1


def test_a_part_may_have_another_size():
    x = tf.constant(images(num=3))
    parts = augment.resize_and_flip(x, SEED, size=(4, 5))
    assert parts.shape == (3, 4, 5, 3)
