"""Shows the examples in docstrings as code."""

import re

import griffe

EXAMPLES = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


def fence(docstring):
    """Puts each example between fences."""
    docstring = re.sub(
        r"^Example:\n\n(?=>>>)", "**Example**\n\n", docstring, flags=re.M
    )
    return EXAMPLES.sub(r"```pycon\n\g<0>\n```", docstring)


class Doctests(griffe.Extension):
    def on_instance(self, *, obj, **kwargs):
        if obj.docstring is not None:
            obj.docstring.value = fence(obj.docstring.value)
