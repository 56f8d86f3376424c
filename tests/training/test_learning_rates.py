"""Learning rates of the papers, at named steps."""

import keras
import numpy as np
import pytest

from rigl_tf.training import learning_rates
from rigl_tf.training import longer_training


def rate(schedule, step):
    return float(schedule(step))


def test_it_falls_at_each_milestone_and_not_before():
    """WRN-22-2 of the reproduction: 0.1, and a fifth of it every 30,000."""
    schedule = learning_rates.Steps(0.1, [30_000, 60_000], 0.2)
    assert [
        rate(schedule, step)
        for step in (0, 29_999, 30_000, 59_999, 60_000, 87_999)
    ] == pytest.approx([0.1, 0.1, 0.02, 0.02, 0.004, 0.004])


def test_it_rises_from_zero():
    """ResNet-50 of the reproduction, as its code has it."""
    milestones = [21_760, 41_760, 61_760, 81_760]
    schedule = learning_rates.Steps(0.1, milestones, 0.2, warmup=1760)
    assert rate(schedule, 0) == 0
    assert rate(schedule, 880) == pytest.approx(0.05)
    assert rate(schedule, 1760) == pytest.approx(0.1)
    assert rate(schedule, 21_759) == pytest.approx(0.1)
    assert rate(schedule, 81_760) == pytest.approx(0.1 * 0.2**4)


def test_it_is_saved_and_stretched():
    schedule = learning_rates.Steps(0.1, (10, 20), 0.5, warmup=4)
    optimizer = keras.optimizers.SGD(schedule)
    again = keras.optimizers.SGD.from_config(optimizer.get_config())
    longer_training.scale_optimizer(again, 2)
    # Warm-up takes 4 steps as before; 6 more to the first fall become 12.
    rates = [rate(again._learning_rate, step) for step in (0, 2, 4, 15, 16)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.1, 0.05])
    rates = [rate(again._learning_rate, step) for step in (35, 36)]
    assert rates == pytest.approx([0.05, 0.025])


def test_a_step_as_a_tensor_gives_the_same():
    schedule = learning_rates.Steps(0.1, (3,), 0.1, warmup=2)
    steps = np.arange(6)
    by_tensor = [float(schedule(keras.ops.array(s))) for s in steps]
    assert by_tensor == pytest.approx([0, 0.05, 0.1, 0.01, 0.01, 0.01])
