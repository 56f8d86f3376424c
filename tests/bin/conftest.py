"""What the tests of programs share."""

import pytest
from absl import flags
from absl.testing import flagsaver


@pytest.fixture
def parsed_flags():
    """Parses a command line; the flags are as before afterwards."""
    with flagsaver.flagsaver():
        yield lambda *arguments: flags.FLAGS(["program", *arguments])
