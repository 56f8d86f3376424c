"""Validation of the fields of a record.

A check is a function of a field's name and value. It raises a `ValueError` if
the value is invalid.
"""

import reprlib

_MOST = 1e30


def _refuse(name, expected, value):
    raise ValueError(
        f"`{name}` must be {expected}. Received: {reprlib.repr(value)}"
    )


def _text(least=0, most=100_000):
    def check(name, value):
        if not isinstance(value, str) or not least <= len(value) <= most:
            _refuse(name, f"{least} to {most:,} characters", value)

    return check


def _number(low=0.0, high=_MOST, types=(int, float)):
    def check(name, value):
        if type(value) not in types or not low <= value <= high:
            whole = "" if float in types else "whole "
            _refuse(name, f"a {whole}number from {low:g} to {high:g}", value)

    return check


def _metric(name, value):
    """Checks a metric, which may be NaN or infinite after a divergence."""
    if type(value) is not float:
        _number(-_MOST)(name, value)


def _plain(name, value):
    if isinstance(value, str):
        _text()(name, value)
    elif value is not None and not isinstance(value, bool):
        _metric(name, value)


def _list(check_element, least=1):
    def check(name, value):
        if not isinstance(value, list) or len(value) < least:
            _refuse(name, f"a list of {least} or more", value)
        for number, each in enumerate(value):
            check_element(f"{name}[{number}]", each)

    return check


def _dictionary(check_value=None, required=(), **fields):
    """Returns a check of a dictionary.

    Args:
        check_value: Check of the values whose keys are not in `fields`. With
            `None`, other keys are not allowed.
        required: Sequence of strings, keys that the dictionary must have.
        **fields: Checks, by key.
    """

    def check(name, value):
        if not isinstance(value, dict):
            _refuse(name, "a dictionary", value)
        for key in required:
            if key not in value:
                raise ValueError(f"`{_inside(name, key)}` is missing")
        for key, each in value.items():
            inside = _inside(name, key)
            if len(key) > 1000:
                _refuse(inside, "a name of at most 1000 characters", key)
            check_field = fields.get(key, check_value)
            if check_field is None:
                raise ValueError(f"`{inside}` is not a field of a record")
            check_field(inside, each)

    return check


def _ticket(name, value):
    if value != {}:
        _TICKET(name, value)


def _inside(name, key):
    key = key if len(key) < 60 and key.isprintable() else reprlib.repr(key)
    return f"{name}.{key}" if name else key


_COUNT = _number(types=(int,))
_CURVES = _dictionary(
    _list(_metric), accuracy=_list(_number()), val_accuracy=_list(_number())
)
_METRICS = _dictionary(_metric, accuracy=_number())
KERNEL = (
    "active",
    "size",
    "inputs",
    "empty_inputs",
    "outputs",
    "empty_outputs",
    "remaining",
)
_TICKET = _dictionary(
    required=("epochs", "search", "before", "checks"),
    epochs=_number(),
    density=_number(0, 1),
    search=_dictionary(_list(_metric, least=0)),
    before=_METRICS,
    checks=_dictionary(_METRICS),
)
_FIELDS = {
    "task": _text(least=1, most=200),
    "method": _text(least=1, most=200),
    "distribution": _text(most=1000),
    "sparsity": _number(0, 1),
    "training_multiplier": _number(),
    "seed": _number(-_MOST, types=(int,)),
    "test": _METRICS,
    "history": _CURVES,
    "densities": _dictionary(_number(0, 1)),
    "structure": _dictionary(_dictionary(_COUNT, KERNEL)),
    "parameters": _dictionary(_number(), ("active", "dense")),
    "flops": _dictionary(
        _number(),
        ("inference", "inference_dense", "training", "training_dense"),
        inference_dense=_number(1),
        training_dense=_number(1),
        convention=_text(),
    ),
    "steps": _COUNT,
    "seconds": _number(),
    "versions": _dictionary(_text()),
    "device": _text(),
}
_OPTIONAL_FIELDS = {
    "ticket": _ticket,
    "settings": _dictionary(_plain, SOURCE=_text(least=1)),
    "provenance": _dictionary(_text()),
    "schema_version": _COUNT,
}
_RECORD = _dictionary(required=tuple(_FIELDS), **_FIELDS, **_OPTIONAL_FIELDS)


def check_fields(**fields):
    """Checks fields that are known before a record is complete.

    Raises:
        ValueError: If a value cannot be in a record. The message names it.
    """
    for name, value in fields.items():
        {**_FIELDS, **_OPTIONAL_FIELDS}[name](name, value)


def check(values):
    """Checks the fields of a record that was read from JSON.

    All numbers must be finite, except metrics other than accuracies.

    Args:
        values: Dictionary, the fields of a record.

    Raises:
        ValueError: If `values` is not a dictionary, a field is missing or
            unknown, or a value has the wrong type or is out of range. The
            message names the field.
    """
    if not isinstance(values, dict):
        raise ValueError(
            f"the file must contain a dictionary, not {reprlib.repr(values)}"
        )
    _RECORD("", values)
