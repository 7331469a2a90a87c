"""The real kube-apiserver on loopback, with etcd: Kubernetes' own storage, validation and server-side apply.

It has no controllers, nodes or admission webhooks. Its API is open to the token `secret`.
"""

import shutil
import socket
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests
from servers import go_programs

_TOKEN = {"Authorization": "Bearer secret"}


class KubeApiserver:
    """A running API server, and its etcd.

    Attributes:
        url: Its address; the certificate is its own.
    """

    def __init__(self, folder: Path) -> None:
        etcd = shutil.which("etcd")
        if etcd is None:
            pytest.skip("needs etcd (Debian's package etcd-server)")
        program = go_programs.build(Path(__file__).parent / "kube_apiserver")
        client, peer, port = _free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        (folder / "tokens.csv").write_text('secret,admin,1,"system:masters"\n')
        key = folder / "sa.key"
        command = ["openssl", "genrsa", "-out", str(key), "2048"]
        subprocess.run(command, check=True, capture_output=True)
        peers = f"http://127.0.0.1:{peer}"
        self._log = (folder / "log").open("wb")
        self._processes = [
            self._start(
                [
                    etcd,
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls=http://127.0.0.1:{client}",
                    f"--advertise-client-urls=http://127.0.0.1:{client}",
                    f"--listen-peer-urls={peers}",
                    f"--initial-advertise-peer-urls={peers}",
                    f"--initial-cluster=default={peers}",
                    "--unsafe-no-fsync",
                ]
            ),
            self._start(
                [
                    str(program),
                    f"--etcd-servers=http://127.0.0.1:{client}",
                    f"--secure-port={port}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    f"--cert-dir={folder / 'certificates'}",
                    f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}",
                    "--service-account-issuer=https://kubernetes",
                    f"--token-auth-file={folder / 'tokens.csv'}",
                    "--authorization-mode=AlwaysAllow",
                    "--service-cluster-ip-range=10.0.0.0/24",
                    "--disable-admission-plugins=ServiceAccount",
                    "--endpoint-reconciler-type=none",
                ]
            ),
        ]
        self._wait(lambda: self.send("GET", "/readyz").ok, folder / "log")

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._log.close()

    def define(self, definition: Path, plural: str, group: str) -> None:
        """Create a custom resource definition from its file, and wait until the resource is served."""
        root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        made = self.send("POST", root, definition.read_bytes(), "application/yaml")
        assert made.ok, made.text
        self._wait(lambda: self.send("GET", f"/apis/{group}/namespaces/x/{plural}").ok, definition)

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        kind: str = "application/json",
        **query: Any,
    ) -> requests.Response:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return requests.request(
                    method,
                    self.url + path,
                    params=query,
                    data=body,
                    headers={**_TOKEN, "Content-Type": kind},
                    verify=False,
                    timeout=30,
                )
            except requests.ConnectionError:
                away = requests.Response()
                away.status_code = 503
                return away

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def _wait(self, ready: Any, log: Path) -> None:
        deadline = time.monotonic() + 120
        while not ready():
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
