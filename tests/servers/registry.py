"""A registry of pipeline templates on loopback, with the routes of kfp's own default registry.

Routes and forms are those of kfp's client (kubeflow/pipelines, sdk/python/kfp/registry/registry_client.py), which
is what talks to it. Names of packages, eight tags at most, and digests as versions: by reading
cloud.google.com/vertex-ai/docs/pipelines/create-pipeline-template. Nothing was seen on the live service.
"""

import email
import hashlib
import re

import yaml
from aiohttp import web
from servers.local_http import LocalServer

ROOT = "/acme-ml/templates"


class RegistryServer(LocalServer):
    """Keeps templates as Artifact Registry does: a version is the content's digest, a tag names one version.

    Attributes:
        versions: Texts by package and digest.
        tags: Digests by package and tag.
        authorizations: The Authorization header of each request, empty where there was none.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.versions: dict[tuple[str, str], str] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.authorizations: list[str] = []

    @property
    def repository(self) -> str:
        return self.url + ROOT

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(ROOT, self._upload),
            web.get(f"{ROOT}/packages/{{package}}/tags/{{tag}}", self._get_tag),
            web.get(f"{ROOT}/{{package}}/{{version}}", self._download),
        ]

    async def _upload(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        form = _read_form(request.headers["Content-Type"], await request.read())
        text = form.get("content", "")
        try:
            package = next(iter(yaml.load_all(text, Loader=yaml.CSafeLoader)))["pipelineInfo"][
                "name"
            ]
        except (yaml.YAMLError, KeyError, TypeError):
            return web.Response(status=400, text="This is no pipeline.")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{3,127}", package):
            return web.Response(status=400, text=f"Invalid package name {package}.")
        tags = [tag for tag in form.get("tags", "").split(",") if tag]
        if len(tags) > 8:
            return web.Response(status=400, text="Too many tags.")
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        self.versions[package, digest] = text
        self.tags.update({(package, tag): digest for tag in tags})
        return web.Response(text=f"{package}/{digest}")

    async def _get_tag(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        package, tag = request.match_info["package"], request.match_info["tag"]
        digest = self.tags.get((package, tag))
        if digest is None:
            return web.Response(status=404, text=f"Tag {tag} not found.")
        root = f"projects/acme-ml/locations/europe-west1/repositories/templates/packages/{package}"
        return web.json_response(
            {"name": f"{root}/tags/{tag}", "version": f"{root}/versions/{digest}"}
        )

    async def _download(self, request: web.Request) -> web.Response:
        package, version = request.match_info["package"], request.match_info["version"]
        digest = self.tags.get((package, version), version)
        if (package, digest) not in self.versions:
            return web.Response(status=404, text=f"Version {version} not found.")
        return web.Response(text=self.versions[package, digest])


def _read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form from a body that is in memory already; aiohttp reads one from the connection only."""
    whole = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(
            decode=True
        ).decode()
        for part in whole.walk()
        if not part.is_multipart()
    }
