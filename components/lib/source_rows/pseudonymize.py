"""Private columns: their values are replaced by keyed hashes."""

import hmac
import os

import pyarrow as pa

from ..canonical_text import distinct_texts
from ..errors import RetrainerError
from ..uris import read_bytes

MIN_KEY_BYTES = 16
_HASH = "sha256"
_MAKE_ONE = "Make one with 'openssl rand -hex 32'"


def read_key(env: str, file: str) -> bytes:
    """Read the key of private columns.

    The key is the text there, as bytes: hexadecimal digits are not decoded. One line end after it is ignored,
    so that a secret is the same key whether it is mounted as a variable or as a file.

    Args:
        env: Name of an environment variable that may hold the key; empty for none.
        file: URI of a file that holds the key, such as a mounted secret; empty for none.

    Returns:
        The key, at least 16 bytes.

    Raises:
        RetrainerError: If there is no key or there are two, the file can't be read, or the key is too short.
    """
    from_env = os.fsencode(os.environ.get(env, "")) if env else b""
    if from_env and file:
        raise RetrainerError(
            f"there are two keys for private columns, in the environment variable {env} and in '{file}'. Keep one: "
            f"unset {env}, or leave data.hash.key_file out."
        )
    if file:
        place, content = f"'{file}'", _read(file)
    else:
        place, content = f"the environment variable {env}", from_env
        if not content:
            raise RetrainerError(
                f"columns are to be hashed, and there is no key: {place} is empty or not set, and no "
                f"data.hash.key_file is named. {_MAKE_ONE}, and set the variable or name a file that holds it."
            )
    key = content.removesuffix(b"\n").removesuffix(b"\r")
    if len(key) < MIN_KEY_BYTES:
        raise RetrainerError(
            f"the key of private columns in {place} has {len(key)} bytes; with less than {MIN_KEY_BYTES} it can be "
            f"guessed. {_MAKE_ONE}."
        )
    return key


def hash_column(column: pa.Array | pa.ChunkedArray, key: bytes) -> pa.Array:
    """Replace cells by the HMAC-SHA-256 (RFC 2104) of their text.

    The text is the same for one value whatever type the source has it in: see `distinct_texts`. Each distinct value of
    a chunk is hashed once.

    Args:
        column: n cells, of the Arrow type of a `ColumnType`.
        key: From `read_key`.

    Returns:
        n cells of 64 hexadecimal digits; null where the cell is missing.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    hashed = [_hash(chunk, key) for chunk in chunks]
    return pa.concat_arrays(hashed) if hashed else pa.array([], pa.string())


def key_digest(key: bytes) -> str:
    """Digest a key without revealing it: another key makes other rows.

    Args:
        key: From `read_key`.

    Returns:
        64 hexadecimal digits.
    """
    return hmac.new(key, b"retrainer span version", _HASH).hexdigest()


def _hash(column: pa.Array, key: bytes) -> pa.Array:
    texts, indices = distinct_texts(column)
    # A copy of a keyed hash costs two thirds of a new one.
    keyed = hmac.new(key, digestmod=_HASH)
    digests: list[str | None] = []
    for text in texts:
        if text is None:
            digests.append(None)
            continue
        one = keyed.copy()
        one.update(text)
        digests.append(one.hexdigest())
    return pa.array(digests, pa.string()).take(pa.array(indices, mask=indices < 0))


def _read(file: str) -> bytes:
    try:
        content = read_bytes(file)
    except RetrainerError:
        raise
    except Exception as error:
        # Every file system of fsspec has errors of its own: a bucket's are no OSError.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RetrainerError(
            f"the key of private columns can't be read from '{file}' (data.hash.key_file): {reason}. Mount or copy the "
            "secret there, and grant the task's account read access to it."
        ) from error
    if not content.strip():
        raise RetrainerError(
            f"'{file}' (data.hash.key_file) is empty and should hold the key of private columns. {_MAKE_ONE}."
        )
    return content
