"""Who runs this program, as records name them."""

import getpass
import os
import socket


def this_user() -> str:
    """Name whoever runs this program: `user@machine`."""
    # In a container the user may have no name; what getpass raises then differs between versions of Python.
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = f"user {os.getuid()}"
    return f"{name}@{socket.gethostname()}"
