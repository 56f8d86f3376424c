"""The examples in docstrings compute what they show."""

import doctest

import pytest

from rigl_tf.algorithms import base
from rigl_tf.algorithms import kernel_view
from rigl_tf.algorithms import random_numbers
from rigl_tf.sparsity import masks
from rigl_tf.sparsity.schedules import drop_fractions


@pytest.mark.parametrize(
    "module",
    [masks, base, kernel_view, random_numbers, drop_fractions],
    ids=lambda module: module.__name__,
)
def test_examples_are_right(module):
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0
