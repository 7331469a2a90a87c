"""Who asks a container registry: Docker's logins on this machine, or Google's credentials."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As Docker writes it: github.com/docker/cli, cli/config/configfile.
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 20
# A helper that holds a token and no password says so by this name (docs.docker.com, `docker login`, credential
# helper protocol).
_TOKEN_USER = "<token>"


@dataclass(frozen=True)
class Login:
    """What a registry's token service, or the registry itself, is shown.

    Attributes:
        user: User name.
        password: Password.
        refresh_token: A token that stands for both; empty for none.
    """

    user: str = ""
    password: str = ""
    refresh_token: str = ""


def find_login(registry: str) -> Login | None:
    """Find the login of `docker login`, or of a credential helper, for a registry.

    Args:
        registry: Its host, such as `ghcr.io`.

    Returns:
        The login; None if there is none.
    """
    config = _read_config()
    keys = [_HUB_KEY, registry] if registry == "docker.io" else [registry, f"https://{registry}"]
    helper = (config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    if helper and (login := _ask_helper(str(helper), keys[0])):
        return login
    known = config.get("auths") or {}
    for key in keys:
        if isinstance(entry := known.get(key) or known.get(f"{key}/"), dict):
            for login in _logins_of(entry):
                return login
    return None


def is_google(registry: str) -> bool:
    """Return whether a registry takes the access tokens of Google's accounts."""
    return re.fullmatch(r"([a-z0-9-]+\.)*(pkg\.dev|gcr\.io)", registry) is not None


def google_token() -> str:
    """Get an access token of the Google account that this machine works as.

    Raises:
        google.auth.exceptions.GoogleAuthError: If there is no account, or it gets no token.
    """
    import google.auth
    import google.auth.transport.requests

    scope = "https://www.googleapis.com/auth/cloud-platform"
    credentials, _ = google.auth.default(scopes=[scope])
    credentials.refresh(google.auth.transport.requests.Request())
    return str(credentials.token)


def _read_config() -> dict[str, Any]:
    try:
        # A user without a home folder has none.
        folder = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
        content = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        # No login is no error: many images are public.
        return {}
    return content if isinstance(content, dict) else {}


def _logins_of(entry: dict[str, Any]) -> Iterator[Login]:
    if token := entry.get("identitytoken"):
        yield Login(refresh_token=str(token))
    try:
        user, colon, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except ValueError:
        return
    if colon:
        yield Login(user, password)


def _ask_helper(helper: str, key: str) -> Login | None:
    # The protocol of github.com/docker/docker-credential-helpers: the address in, JSON out.
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=True,
        )
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Login(refresh_token=secret) if user == _TOKEN_USER else Login(user, secret)
