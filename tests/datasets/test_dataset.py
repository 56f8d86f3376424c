"""Tests of the value that every pipeline returns."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rigl_tf import datasets

NUM_TRAIN = 10
BATCH_SIZE = 4  # batches of 4, 4 and 2
STEPS_PER_EPOCH = 3


def arrays(num_examples=NUM_TRAIN):
    """Example i is (i, -i), and its label is i."""
    y = np.arange(num_examples)
    return np.stack([y, -y], axis=1), y


def dataset(**changes):
    arguments = dict(
        train=arrays(),
        validation=arrays(5),
        test=arrays(6),
        num_classes=NUM_TRAIN,
        batch_size=BATCH_SIZE,
    )
    return datasets.from_arrays("toy", **arguments | changes)


def labels(batches, num_batches):
    return [y.numpy().tolist() for _, y in batches.take(num_batches)]


def epoch_labels(batches):
    return list(itertools.chain(*labels(batches, STEPS_PER_EPOCH)))


def test_describes_the_arrays():
    toy = dataset()

    assert toy.name == "toy"
    assert toy.input_shape == (2,)
    assert toy.num_classes == 10
    assert toy.num_train == 10
    assert toy.batch_size == 4


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(1, 10), (4, 3), (5, 2), (10, 1), (11, 1)]
)
def test_steps_per_epoch_count_the_partial_batch(batch_size, expected):
    toy = dataset(batch_size=batch_size)

    seen = labels(toy.train(seed=0), expected)

    assert toy.steps_per_epoch == expected
    assert sorted(itertools.chain(*seen)) == list(range(NUM_TRAIN))


def test_batches_are_float32_inputs_and_int32_labels():
    toy = dataset()

    for batches in toy.train(seed=0), toy.validation, toy.test:
        x, y = batches.element_spec
        assert (x.dtype, y.dtype) == (tf.float32, tf.int32)
        assert x.shape[1:] == (2,)


def test_each_label_stays_with_its_example():
    for x, y in dataset().train(seed=0).take(2 * STEPS_PER_EPOCH):
        np.testing.assert_array_equal(x, np.stack([y, -y], axis=1))


def test_every_epoch_has_every_example_once():
    batches = labels(dataset().train(seed=0), 5 * STEPS_PER_EPOCH)

    for epoch in range(5):
        mine = batches[epoch * STEPS_PER_EPOCH : (epoch + 1) * STEPS_PER_EPOCH]
        assert [len(y) for y in mine] == [4, 4, 2]
        assert sorted(itertools.chain(*mine)) == list(range(NUM_TRAIN))


def test_the_same_seed_gives_the_same_batches():
    first = labels(dataset().train(seed=3), 7)
    second = labels(dataset().train(seed=3), 7)

    assert first == second


def test_orders_differ_between_seeds_and_between_epochs():
    toy = dataset()

    orders = {
        tuple(epoch_labels(toy.train(seed, epoch)))
        for seed in range(3)
        for epoch in range(3)
    }

    # Two of 9 random orders of 10 agree with a probability of 1e-5.
    assert len(orders) == 9


def test_the_order_does_not_depend_on_the_global_seed():
    tf.random.set_seed(1)
    first = epoch_labels(dataset().train(seed=0))
    tf.random.set_seed(2)
    second = epoch_labels(dataset().train(seed=0))

    assert first == second


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_starting_at_an_epoch_continues_the_stream_from_0(epoch):
    toy = dataset()
    num_skipped = epoch * STEPS_PER_EPOCH

    whole = labels(toy.train(seed=0), num_skipped + 2 * STEPS_PER_EPOCH)
    resumed = labels(toy.train(seed=0, epoch=epoch), 2 * STEPS_PER_EPOCH)

    assert resumed == whole[num_skipped:]


def test_an_iterator_resumes_from_a_checkpoint_within_an_epoch(tmp_path):
    batches = dataset().train(seed=0)
    iterator = iter(batches)
    for _ in range(4):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "checkpoint")
    expected = [next(iterator)[1].numpy().tolist() for _ in range(4)]

    resumed = iter(batches)
    tf.train.Checkpoint(iterator=resumed).restore(path)

    assert [next(resumed)[1].numpy().tolist() for _ in range(4)] == expected


def test_validation_and_test_keep_their_order_and_end():
    toy = dataset()

    assert labels(toy.validation, -1) == [[0, 1, 2, 3], [4]]
    assert labels(toy.test, -1) == [[0, 1, 2, 3], [4, 5]]


def test_validation_may_be_missing():
    assert dataset(validation=None).validation is None


def test_changing_an_array_later_changes_nothing():
    x, y = (array.copy() for array in arrays())
    x = x.astype(np.float32)
    toy = dataset(train=(x, y), test=(x, y))
    x[:] = 99

    for batches in toy.train(seed=0).take(1), toy.test:
        assert all(np.max(x) < 10 for x, _ in batches)


def test_a_dataset_cannot_be_modified():
    with pytest.raises(AttributeError, match="batch_size"):
        dataset().batch_size = 5


X, Y = arrays()
NOT_FINITE = X.astype(float)
NOT_FINITE[2, 1] = np.nan


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((X[:0], Y[:0]), "must not be empty.*shape=\\(0, 2\\)"),
        ((X[:, :0], Y), "must not be empty.*shape=\\(10, 0\\)"),
        ((X, Y[:9]), "10 examples in `x`, 9 labels"),
        ((X[:, 0], Y), "at least one dimension per example"),
        ((X, np.eye(10)[Y]), "not one-hot vectors"),
        ((X, Y + 1), "\\[0, 10\\).*from 1 to 10.*num_classes=10"),
        ((X, Y - 1), "\\[0, 10\\).*from -1 to 8"),
        ((X, Y.astype(float)), "y.dtype=float64.*astype\\(int\\)"),
        ((NOT_FINITE, Y), "1 of 20 values NaN or infinite"),
        ((X * 1e300, Y), "18 of 20 values NaN or infinite"),
        (X, "must be a pair of arrays.*ndarray"),
        ((X,), "must be a pair of arrays"),
    ],
)
def test_bad_arrays_are_refused_by_name(split, pair, message):
    with pytest.raises(ValueError, match=f"`{split}`.*{message}"):
        dataset(**{split: pair})


@pytest.mark.parametrize("split", ["validation", "test"])
def test_examples_of_another_shape_are_refused(split):
    with pytest.raises(ValueError, match=f"`{split}`.*\\(2,\\).*\\(1,\\)"):
        dataset(**{split: (X[:, :1], Y)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1.*=0"),
        ({"batch_size": -3}, "`batch_size` must be at least 1.*=-3"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer.*=2.0"),
        ({"batch_size": True}, "`batch_size` must be an integer.*=True"),
        ({"num_classes": 1}, "`num_classes` must be at least 2.*=1"),
        ({"num_classes": None}, "`num_classes` must be an integer.*=None"),
    ],
)
def test_bad_sizes_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        dataset(**changes)


def test_a_hand_made_dataset_is_checked_as_well():
    toy = dataset()

    with pytest.raises(ValueError, match="`num_train` must be at least 1"):
        datasets.Dataset(
            "empty", (2,), 10, 0, 4, toy.train, toy.validation, toy.test
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 0.5}, "`seed` must be an integer.*=0.5"),
        ({"seed": 2**63}, "`seed`.*fit in 64 bits"),
        ({"seed": 0, "epoch": -1}, "`epoch` must be at least 0.*=-1"),
        ({"seed": 0, "epoch": 1.0}, "`epoch` must be an integer.*=1.0"),
    ],
)
def test_train_refuses_bad_arguments_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        dataset().train(**arguments)
