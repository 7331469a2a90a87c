"""Pinning container images to what they are now."""

from ...components.lib.errors import RetrainerError


def pin_image(image: str) -> str:
    """Name an image by its digest, so that a run can't change under a moved tag.

    The Docker engine is asked, which knows the digest of an image that it has pulled or pushed, and can ask the
    registry with the credentials of `docker login`.

    Args:
        image: Such as `europe-west1-docker.pkg.dev/acme-ml/images/retrainer:1`.

    Returns:
        `<repository>@sha256:...`; the image as it was if no engine is at hand or none knows of it, and if it has
        a digest or no registry.
    """
    repository = _repository(image)
    if "@" in image or "/" not in repository:
        return image
    try:
        import docker
    except ImportError:
        return image
    try:
        engine = docker.from_env(timeout=20)
    except docker.errors.DockerException:
        return image
    try:
        return _known_here(engine, image, repository) or _known_there(engine, image, repository)
    except docker.errors.DockerException:
        return image
    finally:
        engine.close()


def check_image(image: str) -> str:
    """Check an image's name.

    Returns:
        The name.

    Raises:
        RetrainerError: If no registry would take it.
    """
    repository, at, digest = image.partition("@")
    wrong = any(letter.isspace() for letter in image) or repository != repository.strip("/:")
    if wrong or not repository or (at and not digest.startswith("sha256:")):
        raise RetrainerError(
            f"'{image}' is no image: give <registry>/<name>:<tag> or <registry>/<name>@sha256:<digest>."
        )
    return image


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _known_here(engine: object, image: str, repository: str) -> str | None:
    import docker

    try:
        found = engine.images.get(image)  # type: ignore[attr-defined]
    except docker.errors.ImageNotFound:
        return None
    digests = found.attrs.get("RepoDigests") or []
    return next((one for one in digests if one.partition("@")[0] == repository), None)


def _known_there(engine: object, image: str, repository: str) -> str:
    data = engine.images.get_registry_data(image)  # type: ignore[attr-defined]
    return f"{repository}@{data.id}"
