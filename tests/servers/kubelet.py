"""Pods of a real Kubernetes API server, run in Docker: what a kubelet makes of a spec, as far as docs/deploy has it.

A pod is taken as the API server returns it, after admission: with the volume of its account's token. Containers share
this machine's network, so that they reach the servers of tests, and none can use another one's port.
"""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests
from servers.kube_apiserver import KubeApiserver
from servers.restricted import docker

START_SECONDS = 120


class Container:
    """A container of a pod.

    Attributes:
        port: Where it listens; 0 until it says so.
    """

    def __init__(self, options: list[str], image: str, command: list[str]) -> None:
        made = docker("run", "--detach", "--network=host", *options, image, *command)
        assert made.returncode == 0, made.stderr
        self._id = made.stdout.strip()
        self.port = 0

    def wait_until_listening(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.log().splitlines():
                if '"port"' in line:
                    self.port = json.loads(line)["port"]
                    return self
            assert self._inspect("{{.State.Running}}") == "true", self.log()
            time.sleep(0.2)
        raise AssertionError(self.log())

    def probe(self, probe: Mapping[str, Any]) -> bool:
        """Ask as a kubelet does, at the port that the container has here."""
        url = f"http://127.0.0.1:{self.port}{probe['httpGet']['path']}"
        return requests.get(url, timeout=60).ok

    def log(self) -> str:
        said = docker("logs", self._id)
        return said.stdout + said.stderr

    def stop(self, seconds: int) -> int:
        """Send SIGTERM, SIGKILL after some seconds, and return the exit code."""
        docker("stop", f"--time={seconds}", self._id)
        return int(self._inspect("{{.State.ExitCode}}"))

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return int(docker("wait", self._id).stdout)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self._id)

    def _inspect(self, what: str) -> str:
        return docker("inspect", f"--format={what}", self._id).stdout.strip()


class Kubelet:
    """Runs pods until it is closed."""

    def __init__(self, server: KubeApiserver, folder: Path, images: Mapping[str, str]) -> None:
        """Take the cluster.

        Args:
            server: The API server.
            folder: Scratch; its parents become readable for the containers' users.
            images: Images of this machine, by the last part of the name that a spec has.
        """
        self._server, self._folder, self._images = server, folder, images
        self._containers: list[Container] = []
        for path in (folder, *folder.parents[:2]):
            path.chmod(0o755)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for container in self._containers:
            container.remove()

    def run(self, pod: Mapping[str, Any], **environment: str) -> list[Container]:
        """Run a pod's containers.

        Args:
            pod: The pod, as the API server returned it.
            environment: What is elsewhere on this machine than in a cluster.
        """
        return [self._start(pod, container, environment) for container in pod["spec"]["containers"]]

    def _start(
        self, pod: Mapping[str, Any], container: Mapping[str, Any], environment: Mapping[str, str]
    ) -> Container:
        host, port = self._server.url.removeprefix("https://").split(":")
        known = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        for variable in container.get("env", []):
            known[variable["name"]] = _value(variable, known, pod)
        options = [f"--env={name}={value}" for name, value in {**known, **environment}.items()]
        options += _security(pod["spec"].get("securityContext", {}), container)
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                options.append(f"--tmpfs={mount['mountPath']}:mode=1777")
            else:
                readonly = ":ro" if mount.get("readOnly") else ""
                source = self._write(pod, volume)
                options.append(f"--volume={source}:{mount['mountPath']}{readonly}")
        name = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0]
        command = [*container.get("command", []), *container.get("args", [])]
        started = Container(options, self._images[name], command)
        self._containers.append(started)
        return started

    def _write(self, pod: Mapping[str, Any], volume: Mapping[str, Any]) -> Path:
        """Write a volume's files into a folder."""
        folder = self._folder / pod["metadata"]["name"] / volume["name"]
        if not folder.exists():
            folder.mkdir(parents=True)
            namespace = pod["metadata"]["namespace"]
            sources = volume["projected"]["sources"] if "projected" in volume else [volume]
            for source in sources:
                for name, content in self._files(source, pod, namespace).items():
                    (folder / name).write_bytes(content)
            for path in (folder.parent, folder):
                path.chmod(0o755)
        return folder

    def _files(
        self, source: Mapping[str, Any], pod: Mapping[str, Any], namespace: str
    ) -> dict[str, bytes]:
        if token := source.get("serviceAccountToken"):
            account = pod["spec"]["serviceAccountName"]
            made = self._server.token(namespace, account, token.get("audience", ""))
            return {token["path"]: made.encode()}
        if "downwardAPI" in source:
            return {
                item["path"]: _field(item["fieldRef"], pod).encode()
                for item in source["downwardAPI"]["items"]
            }
        kind = "ConfigMap" if "configMap" in source else "Secret"
        named = source.get("configMap") or source["secret"]
        metadata = {"name": named.get("name") or named["secretName"], "namespace": namespace}
        obj = self._server.get({"apiVersion": "v1", "kind": kind, "metadata": metadata})
        assert obj, f"{kind}/{metadata['name']} is missing"
        paths = {item["key"]: item["path"] for item in named.get("items", [])}
        return {
            paths.get(key, key): base64.b64decode(text) if kind == "Secret" else text.encode()
            for key, text in obj["data"].items()
            if not paths or key in paths
        }


def _security(of_pod: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    own = container.get("securityContext", {})
    options = [f"--user={of_pod['runAsUser']}:{of_pod['runAsGroup']}"]
    options += [f"--group-add={of_pod['fsGroup']}"] if "fsGroup" in of_pod else []
    options += [f"--cap-drop={its}" for its in own.get("capabilities", {}).get("drop", [])]
    options += ["--read-only"] if own.get("readOnlyRootFilesystem") else []
    if own.get("allowPrivilegeEscalation") is False:
        options.append("--security-opt=no-new-privileges")
    limits = container.get("resources", {}).get("limits", {})
    if memory := limits.get("memory"):
        options.append(f"--memory={memory.removesuffix('i').lower()}")
    if cores := limits.get("cpu"):
        options.append(f"--cpus={cores}")
    return options


def _value(variable: Mapping[str, Any], known: Mapping[str, str], pod: Mapping[str, Any]) -> str:
    if "valueFrom" in variable:
        return _field(variable["valueFrom"]["fieldRef"], pod)
    text: str = variable.get("value", "")
    for name, value in known.items():
        text = text.replace(f"$({name})", value)
    return text


def _field(reference: Mapping[str, str], pod: Mapping[str, Any]) -> str:
    field: str = pod["metadata"][reference["fieldPath"].removeprefix("metadata.")]
    return field
