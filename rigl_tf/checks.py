"""Checks of arguments that several modules take."""


def check_count(name, value, least=1):
    """Raises a ValueError unless a value is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. "
            f"Received: {name}={value!r}."
        )


def check_choice(name, value, choices):
    """Raises a ValueError if a value is not among those to choose from."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}."
        )
