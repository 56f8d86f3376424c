"""What the fields of a record must be, whoever wrote it.

A check is a function of a field's name and its value, which raises a
`ValueError`.
"""

import reprlib

_MOST = 1e30


def _refuse(name, wanted, value):
    raise ValueError(
        f"`{name}` must be {wanted}. Received: {reprlib.repr(value)}"
    )


def _text(least=0, most=100_000):
    def check(name, value):
        if not isinstance(value, str) or not least <= len(value) <= most:
            _refuse(name, f"{least} to {most:,} characters", value)

    return check


def _number(low=0.0, high=_MOST, kind=(int, float)):
    def check(name, value):
        if type(value) not in kind or not low <= value <= high:
            whole = "" if float in kind else "whole "
            _refuse(name, f"a {whole}number from {low:g} to {high:g}", value)

    return check


def _metric(name, value):
    """A loss may be anything: that of a network that diverged is NaN."""
    if type(value) is not float:
        _number(-_MOST)(name, value)


def _plain(name, value):
    if isinstance(value, str):
        _text()(name, value)
    elif value is not None and not isinstance(value, bool):
        _metric(name, value)


def _list(of, least=1):
    def check(name, value):
        if not isinstance(value, list) or len(value) < least:
            _refuse(name, f"a list of {least} or more", value)
        for number, each in enumerate(value):
            of(f"{name}[{number}]", each)

    return check


def _dictionary(of=None, required=(), **fields):
    """A check of a dictionary.

    Args:
        of: Check of all values but those of `fields`; `None` if there are no
            others.
        required: Sequence of strings, keys that it must have.
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
            if key not in fields and of is None:
                raise ValueError(f"there is no field `{inside}`")
            fields.get(key, of)(inside, each)

    return check


def _ticket(name, value):
    if value != {}:
        _FOUND(name, value)


def _inside(name, key):
    key = key if len(key) < 60 and key.isprintable() else reprlib.repr(key)
    return f"{name}.{key}" if name else key


_COUNT = _number(kind=(int,))
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
_FOUND = _dictionary(
    required=("epochs", "density", "search", "before", "checks"),
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
    "extension": _number(),
    "seed": _number(-_MOST, kind=(int,)),
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
_ADDED = {
    "ticket": _ticket,
    "settings": _dictionary(_plain, SOURCE=_text(least=1)),
    "schema_version": _COUNT,
}
_RECORD = _dictionary(required=tuple(_FIELDS), **_FIELDS, **_ADDED)


def check(values):
    """Checks the fields of a record that JSON holds, before it is a `Record`.

    Numbers are finite, but for metrics other than accuracies.

    Args:
        values: Dictionary, a record's fields.

    Raises:
        ValueError: If it is something else, a field is missing or unknown, or
            a value is of another type or out of range. Names the field.
    """
    if not isinstance(values, dict):
        raise ValueError(f"it holds {reprlib.repr(values)} and no fields")
    _RECORD("", values)
