"""Why a request failed, in the words of the operating system instead of a chain of libraries."""


def http_reason(error: BaseException) -> str:
    """Return the reason of an error of `requests`.

    Args:
        error: The error; what caused it counts.

    Returns:
        Such as `Connection refused`; the error's own text if nothing below it says more.
    """
    reason = str(error)
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, OSError) and one.strerror:
            reason = one.strerror
        one = one.__cause__ or one.__context__
    return reason.rstrip(".") or type(error).__name__
