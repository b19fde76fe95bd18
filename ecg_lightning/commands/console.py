"""The console on which the verbs print tables."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Returns a console as wide as the terminal, or 130 columns wide where the output goes to a file or a pipe.

    It prints every text as it is: brackets are no markup, since names of files and of checkpoints may have brackets.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 130, markup=False, highlight=False, emoji=False)
