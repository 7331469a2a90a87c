"""The errors that a user can fix."""


class RetrainerError(Exception):
    """A failure that a user can fix.

    The message names the thing, its value and the fix. It is shown as it is, without a traceback.

    Attributes:
        exit_code: Exit code of a command that ends with it.
    """

    exit_code = 1


class StorageError(OSError):
    """A file elsewhere that could not be reached, now or ever: whoever asked knows whether to try again.

    The message names its URI and the fix, as that of a `RetrainerError` does.
    """


class StorageRefusedError(StorageError, PermissionError):
    """A file elsewhere that this account may not read or write."""
