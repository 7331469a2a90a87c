"""The credentials that Kubeflow Pipelines' API is called with: a bearer token, or a session's cookie."""

import os
from pathlib import Path

from ...project.sections.targets import KubeflowConfig
from ..errors import UnauthenticatedError

TOKEN_VARIABLE = "RETRAINER_KUBEFLOW_TOKEN"
COOKIE_VARIABLE = "RETRAINER_KUBEFLOW_COOKIE"


def read_token(config: KubeflowConfig) -> str:
    """Read the bearer token again each time: Kubernetes replaces the file before the token in it expires.

    Returns:
        That of the environment variable, else that of the file.

    Raises:
        UnauthenticatedError: If the file is missing, or what it or the variable holds is no token.
    """
    token, origin = os.environ.get(TOKEN_VARIABLE, "").strip(), f"the variable {TOKEN_VARIABLE}"
    if not token and config.token_file:
        origin = f"the file '{config.token_file}' (targets.kubeflow.token_file)"
        try:
            # Latin-1 decodes anything: an error of decoding would quote what it read.
            token = Path(config.token_file).read_text(encoding="latin-1").strip()
        except OSError as error:
            raise UnauthenticatedError(f"{origin} can't be read: {error.strerror}.") from error
    # What is no header's value would be quoted in http.client's error, too.
    if not token or not all("!" <= character <= "~" for character in token):
        raise UnauthenticatedError(
            f"{origin} does not hold a bearer token: one word of ASCII characters is expected.",
            renewable=is_renewable(),
        )
    return token


def read_cookie() -> str | None:
    """Read a session's cookie, for installations that let people in by a login page (Dex, an OIDC proxy).

    Returns:
        The value of the environment variable, such as `authservice_session=...`; None without one.

    Raises:
        UnauthenticatedError: If it can't be a header's value.
    """
    cookie = os.environ.get(COOKIE_VARIABLE, "").strip()
    if not all(" " <= character <= "~" for character in cookie) or (cookie and "=" not in cookie):
        raise UnauthenticatedError(
            f"the variable {COOKIE_VARIABLE} does not hold a cookie: name=value in ASCII characters is expected.",
            renewable=False,
        )
    return cookie or None


def is_renewable() -> bool:
    """Return whether the credentials may change while this process runs: those of variables can't."""
    return not any(os.environ.get(name, "").strip() for name in (TOKEN_VARIABLE, COOKIE_VARIABLE))
