"""The parts of a container image's name."""

from dataclasses import dataclass

from ...components.lib.errors import RetrainerError

_DOCKER_HUB = "docker.io"


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
    """Take an image's name apart.

    Raises:
        RetrainerError: If no registry would take it.
    """
    named, at, digest = image.partition("@")
    head, slash, last = named.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{head}{slash}{last}"
    wrong = any(letter.isspace() for letter in image) or named != named.strip("/:")
    if wrong or not last or (at and not digest.startswith("sha256:")):
        raise RetrainerError(
            f"'{image}' is not an image's name: write <registry>/<name>:<tag> or <registry>/<name>@sha256:<digest>."
        )
    return ImageName(image, repository, tag, digest)


def _is_host(part: str) -> bool:
    return "." in part or ":" in part or part == "localhost"
