"""A few of each kind of fault that `make faults` injects."""

import pytest

from tests.faults.__main__ import SUITES
from tests.faults.__main__ import inject

# The soak has no small form, and the others add little to their likes.
LONG = ("soak", "four_devices", "more_kills")
FEW = [name for name in SUITES if name not in LONG]


@pytest.mark.few(2)
@pytest.mark.parametrize("name", FEW)
def test_nothing_is_lost(name):
    found = list(inject(name, few=True))

    assert found
    assert [case for case in found if case["error"]] == []
