"""Digests of files, folders and values, by which equal content is known again."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def digest_file(path: str | os.PathLike[str]) -> str:
    """Hash a local file's content.

    Returns:
        SHA-256 in hexadecimal digits.
    """
    with open(path, "rb", buffering=0) as file:
        # It reads into one buffer: a new one for each block costs more than hashing it.
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder(path: str | os.PathLike[str]) -> str:
    """Hash a local folder by its files' relative names and contents (a file: by its content).

    Returns:
        SHA-256 in hexadecimal digits; equal for equal content wherever the folder stands.
    """
    root = Path(path)
    if root.is_file():
        return digest_file(root)
    digest = hashlib.sha256()
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(digest_file(file).encode() + b"\n")
    return digest.hexdigest()


def digest_value(value: Any) -> str:
    """Hash a JSON-able value, independent of the order of its keys.

    Returns:
        SHA-256 in hexadecimal digits.
    """
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()
