"""File systems on other machines, whose errors name the file and the fix."""

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from fsspec import AbstractFileSystem

from .errors import StorageDeniedError, StorageError
from .network import advice, route

# Where the classes of errors come from that are none of Python's own. Their packages need not be installed.
_PACKAGES = ("aiobotocore", "aiohttp", "botocore", "gcsfs", "google")
# Callers distinguish these by themselves.
_PLAIN = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
_DISK = (errno.ENOSPC, errno.EDQUOT)
# Those methods whose second argument is the remote file.
_UPLOADS = ("put", "put_file")
_WRITES = (*_UPLOADS, "pipe", "pipe_file")
_ADDRESSES = {"gs": "https://storage.googleapis.com", "s3": "https://s3.amazonaws.com"}
_ACCESS = {
    "s3": "Grant this machine, or the task's service account, access to the bucket: an IAM role, or AWS_ACCESS_KEY_ID "
    "and AWS_SECRET_ACCESS_KEY; for a service other than AWS, AWS_ENDPOINT_URL too.",
    "gs": "Grant this machine, or the task's service account, access to the bucket: 'gcloud auth application-default "
    "login' here, a role such as storage.objectUser there.",
}


class RemoteFileSystem:
    """Wraps a file system of fsspec: access failures raise `StorageError`, of its methods and of the files it opens.

    It is no `AbstractFileSystem` itself: the methods that it would inherit would not reach the one that it wraps.
    """

    def __init__(self, fs: AbstractFileSystem) -> None:
        """Take the file system."""
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        """Delegate to the wrapped file system."""
        if name == "_fs":
            # A copy that is being made has none yet, and would look for it here for ever.
            raise AttributeError(name)
        value = getattr(self._fs, name)
        return self._wrap(name, value) if callable(value) else value

    def _wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            paths = [argument for argument in args[:2] if isinstance(argument, str)]
            path = paths[-1 if name in _UPLOADS else 0] if paths else ""
            with _explained(self._fs.unstrip_protocol(path), name in _WRITES):
                value = method(*args, **kwargs)
            return RemoteFile(value, self._fs.unstrip_protocol(path)) if name == "open" else value

        return call


class RemoteFile:
    """Wraps a file that a `RemoteFileSystem` opened: what fails while it is read raises `StorageError`, too."""

    def __init__(self, file: Any, uri: str) -> None:
        """Take the open file, and what it is called in errors."""
        self._file = file
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        """Delegate to the wrapped file."""
        if name == "_file":
            raise AttributeError(name)
        value = getattr(self._file, name)
        if not callable(value):
            return value

        @wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:
            with _explained(self._uri, name in ("write", "flush", "close")):
                return value(*args, **kwargs)

        return call

    def __enter__(self) -> "RemoteFile":
        """Return the file; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        with _explained(self._uri, False):
            self._file.close()

    def __iter__(self) -> Iterator[Any]:
        """Read line by line."""
        with _explained(self._uri, False):
            yield from self._file


@contextmanager
def _explained(uri: str, written: bool) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if (known := _storage_error(error, uri, written)) is None:
            raise
        raise known from error


def _storage_error(error: Exception, uri: str, written: bool) -> StorageError | None:
    """Translate a file system's error about access; None for other errors."""
    if isinstance(error, OSError):
        # Only a bucket can be missing where a file is written.
        no_bucket = written and isinstance(error, FileNotFoundError)
        of_this_disk = error.errno in _DISK or error.filename
        if of_this_disk or (isinstance(error, _PLAIN) and not no_bucket):
            return None
    elif type(error).__module__.partition(".")[0] not in _PACKAGES:
        return None
    said = (str(error) or type(error).__name__).strip().rstrip(".")
    protocol = uri.partition(":")[0]
    access = _ACCESS.get(protocol, "Let this account use it.")
    # gcsfs makes a plain OSError of status 403 (gcsfs/retry.py).
    if isinstance(error, PermissionError) or said.startswith("Forbidden:"):
        return StorageDeniedError(
            f"access to '{uri}' is denied for this account ({said}). {access}"
        )
    if re.search("Credential|Auth|Token", type(error).__name__) and "roxy" not in said:
        return StorageError(f"'{uri}' can't be reached ({said}). {access}")
    way = route(_ADDRESSES.get(protocol, "https://any"))
    fix = advice(error) or " Check the name of the bucket, and the network of this machine."
    return StorageError(
        f"'{uri}' can't be {'written' if written else 'reached'}{way} ({said}).{fix}"
    )
