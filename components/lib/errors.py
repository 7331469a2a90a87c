"""The one kind of error that a user can cause."""


class RetrainerError(Exception):
    """A failure that a user can mend.

    The message names the thing, its value and the way out. It is shown as it is, without a traceback.
    """
