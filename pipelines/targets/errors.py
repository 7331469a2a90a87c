"""Errors of services that runs are sent to, and of the claims that the trigger service keeps."""

from ...components.lib.errors import RetrainerError


class UnavailableError(RetrainerError):
    """The service can't be reached, is overloaded or broken: the same request may work later."""


class RefusedError(RetrainerError):
    """The service refuses the request, and would again: what was sent must change first."""


class UnauthenticatedError(RefusedError):
    """The service does not take the caller's credentials, which may be renewed meanwhile.

    Attributes:
        renewable: Whether this process can come by other credentials: a token file is read again, a variable is not.
    """

    def __init__(self, message: str, renewable: bool = True) -> None:
        super().__init__(message)
        self.renewable = renewable
