"""What the command-line programs share."""

import os
import re
import sys
import traceback

from absl import app
from absl import logging

from rigl_tf import callbacks


def run(main):
    """Runs `main()` after the flags are parsed.

    Errors that a user can mend end in one line and exit code 2.
    """

    def guarded(argv):
        if len(argv) > 1:
            return _fail(f"Unexpected arguments: {' '.join(argv[1:])}.")
        try:
            return main()
        except (ValueError, TypeError, OSError, ArithmeticError) as error:
            if os.environ.get("RIGL_TF_TRACEBACK"):
                traceback.print_exc()
            return _fail(one_line(error))
        except SystemExit as stop:
            if stop.code == callbacks.STOPPED:
                sys.stderr.write("stopped, and saved: --resume goes on.\n")
            raise

    logging.set_verbosity(logging.WARNING)
    app.run(guarded)


def one_line(error):
    """An error's message and notes, without line breaks and gin's addresses."""
    parts = [str(error), *getattr(error, "__notes__", ())]
    message = " ".join(" ".join(parts).split())
    return re.sub(r" \(<[^<>]* at 0x[^<>]*>\)", "", message)


def _fail(message):
    sys.stderr.write(f"error: {message}\n")
    return 2
