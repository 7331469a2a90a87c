"""Messages over a Unix socket: JSON with its length before it, and file descriptors."""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

HEADER = struct.Struct("!I")
# A task's log and result pipe, and what it needs of a process that was started for it.
MOST_DESCRIPTORS = 8


class DisconnectedError(Exception):
    """The other side is gone."""


def send(connection: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    """Send a message.

    Args:
        connection: A connected Unix stream socket.
        message: Anything that JSON holds.
        descriptors: File descriptors that the other side gets copies of.

    Raises:
        OSError: If the other side is gone.
    """
    content = json.dumps(message).encode()
    socket.send_fds(connection, [HEADER.pack(len(content))], list(descriptors))
    connection.sendall(content)


def receive(
    connection: socket.socket, descriptors: int = MOST_DESCRIPTORS
) -> tuple[Any, list[int]]:
    """Wait for a message.

    Args:
        connection: A connected Unix stream socket.
        descriptors: The most file descriptors that may come with it.

    Returns:
        The message and the descriptors that came with it.

    Raises:
        DisconnectedError: If the other side is gone.
    """
    try:
        # Descriptors come with the first bytes that they were sent with: the header, and nothing
        # beyond it.
        header, received, _, _ = socket.recv_fds(connection, HEADER.size, descriptors)
        if len(header) < HEADER.size:
            header += _read(connection, HEADER.size - len(header))
        (length,) = HEADER.unpack(header)
        return json.loads(_read(connection, length)), list(received)
    except ConnectionError as error:
        raise DisconnectedError from error


def _read(connection: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        block = connection.recv(min(length - len(content), 1 << 20))
        if not block:
            raise DisconnectedError
        content += block
    return bytes(content)
