import pytest

from rigl_tf.utils import patterns

PATHS = ["conv_1", "back/conv_1", "back/stage/conv_2", "gru/kernel", "[x]"]


@pytest.mark.parametrize(
    "pattern, selected",
    [
        ("conv_1", PATHS[:1]),  # a whole path
        ("conv_2", PATHS[2:3]),  # a name inside nested models
        ("conv*", PATHS[:3]),
        ("back", PATHS[1:3]),
        ("stage", PATHS[2:3]),
        ("stage/conv_2", PATHS[2:3]),
        ("back/conv*", PATHS[1:2]),
        ("*/conv_1", PATHS[1:2]),
        ("gru", PATHS[3:4]),
        ("[x]", PATHS[4:]),
        ("*", PATHS),
    ],
)
def test_a_pattern_is_compared_with_every_part_of_a_path(pattern, selected):
    assert patterns.match(pattern, PATHS, "dense") == {pattern: selected}


def test_a_misspelt_name_is_found_inside_nested_models():
    with pytest.raises(ValueError, match="Layers: back/stage/conv_2"):
        patterns.match("konv_2", PATHS, "dense")


def test_a_name_selects_what_lies_below_it():
    names = ["block/conv", "block/shortcut", "blocked", "fc"]

    assert patterns.match(["block", "f*"], names, "dense") == {
        "block": names[:2],
        "f*": ["fc"],
    }


def test_a_pattern_that_is_no_string_is_an_error():
    with pytest.raises(TypeError, match=r"`dense` takes names.*dense=\[3\]"):
        patterns.match([3], PATHS, "dense")
