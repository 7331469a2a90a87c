"""The section of retrain.yaml on a task's settings for Vertex AI."""

from typing import Literal

from pydantic import Field

from .section import Section


class VertexTaskConfig(Section):
    """Settings for Vertex AI only. A task with a machine type runs as a custom job."""

    machine_type: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$",
        description="Machine type such as `n1-highmem-8`, in place of `cpu` and `memory`.",
    )
    spot: bool = Field(
        False,
        description="Whether to use spot machines, which are cheaper and may be preempted; set `retries`, too.",
    )
    boot_disk_gb: int | None = Field(None, ge=10, description="Disk size in GB; 100 if null.")
    boot_disk_type: Literal["pd-ssd", "pd-standard", "hyperdisk-balanced"] | None = Field(
        None, description="Disk type; `pd-ssd` if null."
    )
    timeout_seconds: int | None = Field(
        None, ge=1, description="Maximum run time of the task, in seconds; seven days if null."
    )

    def needs_machine(self) -> str | None:
        """Return a setting that needs `machine_type`, if that is not set."""
        if self.machine_type:
            return None
        keys = ("spot", "boot_disk_gb", "boot_disk_type", "timeout_seconds")
        return next((key for key in keys if getattr(self, key)), None)
