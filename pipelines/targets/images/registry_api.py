"""Asking a container registry what a tag stands for now."""

import base64
import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING

from ....components.lib.errors import RetrainerError
from ....components.lib.network import keep_token, route
from ...project.formats.image_names import ImageName
from .registry_logins import Login, find_login, google_token, is_google

if TYPE_CHECKING:
    import requests

# Seconds to connect, and to wait for an answer.
_TIMEOUT = (5, 20)
_RETRIES = 2
_DIGEST = "Docker-Content-Digest"
# A list of images for several platforms first: that is what a tag of such an image stands for. The types are those of
# opencontainers/distribution-spec (spec.md, "Pulling manifests") and of Docker's image manifest version 2, schema 2.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class NoDigestError(RetrainerError):
    """A registry did not say what an image is; the message says why, as the end of a sentence."""


def ask_digest(image: ImageName) -> str:
    """Ask a registry for the digest of an image.

    The registry is asked without a login first, then with the token service, user or account that it asks for
    (distribution.github.io/distribution/spec/auth/token). Proxies and certificates are those of the environment.

    Args:
        image: The image.

    Returns:
        `sha256:...`

    Raises:
        NoDigestError: If the registry can't be reached, does not have the image or tag, or denies access.
    """
    import requests

    session = requests.Session()
    _retry(session)
    keep_token(session)
    url = f"{_address(image.registry)}/v2/{image.path}/manifests/{image.reference}"
    headers = {"Accept": ", ".join(_MANIFESTS)}
    with session:
        try:
            answer = session.head(url, headers=headers, timeout=_TIMEOUT)
            if answer.status_code in (401, 403):
                headers["Authorization"] = _authorize(session, answer, image)
                answer = session.head(url, headers=headers, timeout=_TIMEOUT)
            if answer.ok and not answer.headers.get(_DIGEST):
                # The header is optional in the specification; a digest is that of the manifest's bytes.
                answer = session.get(url, headers=headers, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise NoDigestError(
                f"{image.registry} can't be reached{route(url)}: {_reason(error)}"
            ) from error
    if answer.ok:
        if found := answer.headers.get(_DIGEST):
            return found
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    raise NoDigestError(_refusal(image, answer.status_code))


def _address(registry: str) -> str:
    if registry == "docker.io":
        return "https://registry-1.docker.io"
    name = registry.rpartition(":")[0] or registry
    # Docker takes registries on the loopback for insecure ones (docs.docker.com, "Insecure registries").
    return f"http://{registry}" if _is_loopback(name) else f"https://{registry}"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _authorize(session: "requests.Session", refused: "requests.Response", image: ImageName) -> str:
    """Do what a registry's answer 401 asks for; the value of the header Authorization."""
    login = find_login(image.registry)
    if login is None and is_google(image.registry):
        return f"Bearer {_token_of_google(image)}"
    challenge = refused.headers.get("WWW-Authenticate", "")
    scheme, _, rest = challenge.partition(" ")
    fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if scheme.lower() == "basic" and login:
        return _basic(login)
    if scheme.lower() != "bearer" or not fields.get("realm"):
        raise NoDigestError(_refusal(image, refused.status_code))
    wanted = {
        "service": fields.get("service", ""),
        "scope": fields.get("scope") or f"repository:{image.path}:pull",
    }
    answer = _ask_for_token(session, fields["realm"], wanted, login)
    if not answer.ok:
        raise NoDigestError(_refusal(image, answer.status_code))
    try:
        content = answer.json()
        return f"Bearer {content.get('token') or content['access_token']}"
    except (ValueError, KeyError, AttributeError) as error:
        raise NoDigestError(
            f"the token service of {image.registry} answered without a token"
        ) from error


def _ask_for_token(
    session: "requests.Session", realm: str, wanted: dict[str, str], login: Login | None
) -> "requests.Response":
    if login and login.refresh_token:
        form = {
            **wanted,
            "grant_type": "refresh_token",
            "refresh_token": login.refresh_token,
            "client_id": "retrainer",
        }
        return session.post(realm, data=form, timeout=_TIMEOUT)
    headers = {"Authorization": _basic(login)} if login else {}
    return session.get(realm, params=wanted, headers=headers, timeout=_TIMEOUT)


def _token_of_google(image: ImageName) -> str:
    # Artifact Registry and gcr.io take an account's access token itself
    # (cloud.google.com/artifact-registry/docs/reference/docker-api).
    from google.auth.exceptions import GoogleAuthError

    try:
        return google_token()
    except GoogleAuthError as error:
        raise NoDigestError(
            f"{image.registry} wants a login, and there is no Google account here "
            f"(gcloud auth application-default login): {_reason(error)}"
        ) from error


def _basic(login: Login) -> str:
    return f"Basic {base64.b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


def _retry(session: "requests.Session") -> None:
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    waits = Retry(
        _RETRIES,
        connect=0,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=waits))


def _refusal(image: ImageName, status: int) -> str:
    if status == 404:
        return f"{image.registry} has no '{image.path}:{image.reference}'"
    if status in (401, 403):
        return (
            f"{image.registry} grants no access to '{image.path}' (answer {status}); log in with docker login, or "
            "grant this account the right to read"
        )
    return f"{image.registry} answered {status}"


def _reason(error: Exception) -> str:
    # urllib3's own words are in the innermost one, and the outer ones repeat addresses.
    while inner := error.__cause__ or error.__context__:
        if not isinstance(inner, Exception):
            break
        error = inner
    return str(error).rstrip(".") or type(error).__name__
