"""Places that folders are named by: paths and URIs."""

import re

_NO_BUCKET = re.compile(r"(?!file:|local:|memory:)[a-z][a-z0-9+.-]+:(/(?!/[^/]).*)?", re.IGNORECASE)


def check_place(value: str) -> str:
    """Check the place of a folder.

    Args:
        value: A path, or a URI such as `gs://bucket/folder`.

    Returns:
        The place, without white space around it.

    Raises:
        ValueError: If it is a URI without a bucket, which would be read as a path of this machine.
    """
    place = value.strip()
    if _NO_BUCKET.fullmatch(place):
        scheme = place.partition(":")[0]
        raise ValueError(f"names no bucket; write {scheme}://bucket/folder")
    return place
