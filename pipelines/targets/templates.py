"""Compiled pipelines as templates in Artifact Registry, named by their digest."""

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from ...components.lib.errors import RetrainerError
from ...components.lib.network import advice, route
from .errors import RefusedError, UnavailableError

Answer = TypeVar("Answer")

MAX_TAGS = 8
_REPOSITORY = re.compile(r"https://[\w-]+-kfp\.pkg\.dev/[^/\s]+/[^/\s]+")
_EMULATOR = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^/\s]+)*")
# Artifact Registry's rules for packages of the format KFP.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9-]{3,127}")
_TAG = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def push_template(
    repository: str, text: str, package: str, tags: Sequence[str], credentials: Any = None
) -> str:
    """Upload a compiled pipeline.

    Args:
        repository: The repository, `https://<region>-kfp.pkg.dev/<project>/<repository>`.
        text: The compiled YAML.
        package: Name of the package: the pipeline's, which the registry takes it from.
        tags: Tags to give it, at most eight; each moves away from what had it.
        credentials: Credentials; Google's application default ones if not given.

    Returns:
        The template's URI with its digest, `<repository>/<package>/sha256:...`.

    Raises:
        RetrainerError: If a name would be refused.
        RefusedError: If the registry refuses, or there are no credentials.
        UnavailableError: If it can't be reached.
    """
    repository = _check_repository(repository)
    _check_package(package)
    if len(tags) > MAX_TAGS:
        raise RetrainerError(f"{len(tags)} tags; a template has at most {MAX_TAGS}.")
    for tag in tags:
        _check_tag(tag)

    def upload(client: Any) -> str:
        with tempfile.TemporaryDirectory(prefix="retrainer-template-") as folder:
            file = Path(folder) / f"{package}.yaml"
            file.write_text(text, encoding="utf-8")
            name, version = client.upload_pipeline(str(file), tags=list(tags))
        return f"{repository}/{name}/{version.strip()}"

    return _call(f"template '{package}'", repository, credentials, upload)


def resolve_template(uri: str, credentials: Any = None) -> str:
    """Name a template by its digest, so that a tag that moves later changes no run.

    Args:
        uri: `<repository>/<package>/<tag>`, or with `sha256:...` in place of the tag.
        credentials: Credentials; Google's application default ones if not given.

    Returns:
        The template's URI with its digest.

    Raises:
        RetrainerError: If the URI is no template's.
        RefusedError: If the tag does not exist, the registry refuses, or there are no credentials.
        UnavailableError: If it can't be reached.
    """
    head, _, version = uri.rstrip("/").rpartition("/")
    repository, _, package = head.rpartition("/")
    repository = _check_repository(repository, uri)
    _check_package(package)
    if version.startswith("sha256:"):
        if not _DIGEST.fullmatch(version):
            raise RetrainerError(
                f"the template '{uri}' ends in no digest: sha256: and 64 hexadecimal digits."
            )
        return f"{head}/{version}"
    _check_tag(version)

    def ask(client: Any) -> str:
        digest = str(client.get_tag(package, version)["version"]).rpartition("/")[2]
        return f"{repository}/{package}/{digest}"

    return _call(f"template '{uri}'", repository, credentials, ask)


def read_template(uri: str, credentials: Any = None) -> dict[str, Any]:
    """Read the pipeline that a template holds.

    Args:
        uri: The template's URI with its digest, as `resolve_template` gives it.
        credentials: Credentials; Google's application default ones if not given.

    Returns:
        The pipeline spec.

    Raises:
        RefusedError: If the template does not exist or is no pipeline, the registry refuses, or there are no
            credentials.
        UnavailableError: If it can't be reached.
    """
    head, _, version = uri.rpartition("/")
    repository, _, package = head.rpartition("/")

    def download(client: Any) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="retrainer-template-") as folder:
            file = Path(folder) / "template.yaml"
            client.download_pipeline(package, version=version, file_name=str(file))
            text = file.read_text(encoding="utf-8")
        try:
            spec = next(yaml.load_all(text, Loader=yaml.CSafeLoader), None)
        except yaml.YAMLError:
            spec = None
        if not isinstance(spec, dict) or "root" not in spec:
            raise RefusedError(f"the template '{uri}' holds no compiled pipeline.")
        return spec

    return _call(f"template '{uri}'", repository, credentials, download)


def _check_repository(repository: str, uri: str = "") -> str:
    repository = repository.rstrip("/")
    if not _REPOSITORY.fullmatch(repository) and not _EMULATOR.fullmatch(repository):
        form = "https://<region>-kfp.pkg.dev/<project>/<repository>"
        if uri:
            raise RetrainerError(f"the template '{uri}' must be {form}/<package>/<tag or digest>.")
        raise RetrainerError(
            f"the template repository '{repository}' must be {form}: set targets.vertex.template_repository in "
            "retrain.yaml, or the variable RETRAINER_VERTEX_TEMPLATE_REPOSITORY."
        )
    return repository


def _check_package(package: str) -> None:
    if not _PACKAGE.fullmatch(package):
        raise RetrainerError(
            f"the template's name '{package}' would be refused: 4 to 128 lower case letters, digits and dashes, a "
            f"letter or digit first ({len(package)} here). It is the pipeline's; change 'name' in retrain.yaml."
        )


def _check_tag(tag: str) -> None:
    if not _TAG.fullmatch(tag):
        raise RetrainerError(
            f"the tag '{tag}' would be refused: letters, digits, '.', '_' and '-', a letter or digit first, at most "
            "128 characters."
        )


def _call(what: str, repository: str, credentials: Any, action: Callable[[Any], Answer]) -> Answer:
    import google.auth.transport.requests  # noqa: F401 - the client needs it, and does not import it
    import requests
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from kfp.registry import RegistryClient

    host = urlsplit(repository).netloc
    try:
        return action(RegistryClient(host=repository, auth=credentials))
    except requests.HTTPError as error:
        raise _explain(what, repository, error.response) from error
    except (requests.ConnectionError, requests.Timeout, TransportError) as error:
        raise UnavailableError(
            f"{what}: the registry at {host} can't be reached{route(repository)} ({error})."
            f"{advice(error) or ' Try again later.'}"
        ) from error
    except (DefaultCredentialsError, GoogleAuthError) as error:
        raise RefusedError(
            f"{what}: no credentials for {host}. Log in with 'gcloud auth application-default login', or name a key "
            "file in the variable GOOGLE_APPLICATION_CREDENTIALS."
        ) from error
    except (ValueError, KeyError) as error:
        raise RefusedError(
            f"{what}: {host} does not answer as a registry of templates. Is '{repository}' one of the format KFP?"
        ) from error


def _explain(what: str, repository: str, response: Any) -> RetrainerError:
    said = f"{what}: {repository} answers {response.status_code}"
    words = " ".join(response.text.split())[:300]
    said = f"{said}: {words}" if words else said
    if response.status_code == 429 or response.status_code >= 500:
        return UnavailableError(f"{said}. Try again later.")
    ways = {
        401: "Log in with 'gcloud auth application-default login'.",
        403: "The caller needs roles/artifactregistry.writer to push, roles/artifactregistry.reader to run.",
        404: "Do the repository (format KFP), the package and the tag exist?",
    }
    return RefusedError(f"{said}. {ways.get(response.status_code, '')}".rstrip())
