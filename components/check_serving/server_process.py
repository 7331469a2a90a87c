"""A process that serves one model: TensorFlow, `served_model.py` and what it names, and nothing else of retrainer.

Its standard input is a socket. It may be started long before there is a model: it imports what serving takes, then
waits for a request, one line of JSON, answers it with another line, and ends. It also ends when the other side closes
the socket, whatever it is doing.
"""

import gc
import importlib
import importlib.util
import json
import os
import queue
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

# Of these names alone, so that no `__init__` of retrainer runs.
PACKAGES = ("served", "served.lib", "served.check_serving")


def _receive(connection: socket.socket, requests: "queue.SimpleQueue[bytes]") -> None:
    received = bytearray()
    try:
        while block := connection.recv(1 << 16):
            received += block
            if received.endswith(b"\n"):
                requests.put(bytes(received))
                received.clear()
    finally:
        os._exit(0)


def _enter_tensorflow() -> None:
    """Let modules of TensorFlow be imported without its `__init__`, which imports the whole of it.

    A model server in C++ needs nothing of that, and this process takes a fifth of the time to start.
    """
    spec = importlib.util.find_spec("tensorflow")
    if spec is not None:
        sys.modules["tensorflow"] = importlib.util.module_from_spec(spec)


def _load_model_module() -> ModuleType:
    """Import `served_model.py` of a package without the packages above it, which are retrainer's."""
    here = Path(__file__).parent
    for name, folder in zip(PACKAGES, (here.parent, here.parent / "lib", here), strict=True):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return importlib.import_module(f"{PACKAGES[-1]}.served_model")


def _main() -> None:
    # The process is short; what it imports stays.
    gc.disable()
    connection = socket.socket(fileno=os.dup(0))
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    _enter_tensorflow()
    answer = _load_model_module().answer
    request = json.loads(requests.get())
    connection.sendall(json.dumps(answer(request)).encode() + b"\n")
    # Unloading TensorFlow takes time.
    os._exit(0)


if __name__ == "__main__":
    _main()
