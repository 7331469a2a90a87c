"""What `serving.deploy.kserve` says, as the code here reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class KServeSettings:
    """The section `serving.deploy.kserve`; `pipelines/project/sections/deploy/kserve.py` describes each setting."""

    service: str
    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    mode: str = ""
    config_namespace: str = "kserve"
    store_uri: str = ""
    runtime: str = ""
    runtime_version: str = ""
    protocol_version: str = ""
    service_account: str = ""
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    min_replicas: int = 1
    max_replicas: int | None = None
    request_timeout_seconds: int | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    request_log: Mapping[str, str] = field(default_factory=dict)
    take_over: bool = False
    timeout_seconds: float = 900.0

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "KServeSettings":
        """Read the section's JSON values; null is the default."""
        known = {attribute.name for attribute in fields(cls)}
        return cls(
            **{key: value for key, value in values.items() if key in known and value is not None}
        )
