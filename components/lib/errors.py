"""The errors that a user can fix."""


class RetrainerError(Exception):
    """A failure that a user can fix.

    The message names the thing, its value and the fix. It is shown as it is, without a traceback.

    Attributes:
        exit_code: Exit code of a command that ends with it.
    """

    exit_code = 1


class StorageError(OSError):
    """Storage that can't be reached; the caller knows whether to retry.

    The message names its URI and the fix, as that of a `RetrainerError` does.
    """


class StorageDeniedError(StorageError, PermissionError):
    """Storage that this account may not read or write."""
