"""The parts of a container image's name."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from ....components.lib.errors import RetrainerError

_DOCKER_HUB = "docker.io"
# The grammar: github.com/distribution/reference, regexp.go. Of digests, registries use sha256 alone.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_TAG, _DIGEST = r"\w[\w.-]{0,127}", "sha256:[a-f0-9]{64}"
_IMAGE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
IMAGE_RULE = "<registry>/<name>:<tag> or <registry>/<name>@sha256:<64 hexadecimal digits>, the name in lower case"


@dataclass(frozen=True)
class ImageName:
    """An image's name, taken apart by Docker's rules (github.com/distribution/reference, normalize.go).

    Attributes:
        whole: The name as it was given.
        repository: The name without tag and digest.
        tag: The tag; empty if there is none.
        digest: `sha256:...`; empty if there is none.
    """

    whole: str
    repository: str
    tag: str
    digest: str

    @property
    def names_registry(self) -> bool:
        """Whether the name may be that of a registry's image; one word alone is a local build."""
        return "/" in self.repository

    @property
    def registry(self) -> str:
        """The registry's host, with its port if there is one."""
        host, _, _ = self.repository.partition("/")
        return host if _is_host(host) else _DOCKER_HUB

    @property
    def path(self) -> str:
        """The repository within the registry."""
        host, _, path = self.repository.partition("/")
        return path if _is_host(host) else self.repository

    @property
    def reference(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag or "latest"


def parse_image(image: str) -> ImageName:
    """Split an image's name.

    Raises:
        RetrainerError: If no registry would take it.
    """
    found = _IMAGE.fullmatch(image)
    if not found:
        raise RetrainerError(f"'{image}' is not an image's name: write {IMAGE_RULE}.")
    return ImageName(image, found["repository"], found["tag"] or "", found["digest"] or "")


def _check(image: str) -> str:
    if not _IMAGE.fullmatch(image):
        raise ValueError(f"not an image's name: write {IMAGE_RULE}")
    return image


Image = Annotated[str, AfterValidator(_check)]
"""An image's name as a setting."""


def _is_host(part: str) -> bool:
    return "." in part or ":" in part or part == "localhost"
