"""The one exception that is meant for people."""


class UserError(Exception):
    """A mistake that the user can mend; its message says what was wrong, where, and what to do.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """
