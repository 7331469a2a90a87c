"""What of a retrain.yaml this machine alone has, and tasks elsewhere would miss."""

from collections.abc import Iterator

from ..components.lib.files import is_local
from ..components.lib.image import IMAGE
from .config import LoadedConfig


def local_only(loaded: LoadedConfig) -> Iterator[str]:
    """Name the settings that point at something on this machine.

    Args:
        loaded: The configuration.

    Yields:
        A line for each, with its line in retrain.yaml where it stands there.
    """
    config, places = loaded.config, loaded.places
    for place, uri in (
        (("data", "pattern"), config.data.pattern),
        (("store",), config.store),
        (("validation", "schema_uri"), config.validation.schema_uri),
        (("data", "hash", "key_file"), config.data.hash.key_file),
    ):
        # The braces of {span} would be taken for part of a protocol.
        if uri and is_local(uri.replace("{", "").replace("}", "")):
            parameter = place[-1]
            instead = (
                f", or give the run's parameter '{parameter}'"
                if parameter in ("pattern", "store")
                else ""
            )
            yield (
                f"{places.locate(place)}: {'.'.join(place)} is '{uri}' on this machine, which tasks on a cluster can't "
                f"reach. Name a bucket (gs://, s3://){instead}."
            )
    image = config.image or IMAGE
    host = image.partition("/")[0]
    if "/" not in image or not ("." in host or ":" in host):
        yield (
            f"{places.locate(('image',))}: image is '{image}', which names no registry, so that only machines that "
            "have built it can run it. Push it to one and name it with that, in retrain.yaml or with --image."
        )
