"""The section of retrain.yaml on what Vertex AI alone takes for a task."""

from typing import Literal

from pydantic import Field

from .section import Section


class VertexTaskConfig(Section):
    """What Vertex AI alone takes. A task with a machine type runs as a custom job; other targets leave it out."""

    machine_type: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$",
        description="Machine type such as `n1-highmem-8`, in place of `cpu` and `memory`.",
    )
    spot: bool = Field(
        False,
        description="Whether it runs on spot machines, which are cheaper and may be taken away: set `retries`, too.",
    )
    boot_disk_gb: int | None = Field(
        None, ge=10, description="Size of the machine's disk in GB; 100 if null."
    )
    boot_disk_type: Literal["pd-ssd", "pd-standard", "hyperdisk-balanced"] | None = Field(
        None, description="Type of that disk; `pd-ssd` if null."
    )
    timeout_seconds: int | None = Field(
        None, ge=1, description="The longest that the task may run, in seconds; seven days if null."
    )

    def needs_machine(self) -> str | None:
        """Return a setting that needs `machine_type`, if that is not set."""
        if self.machine_type:
            return None
        keys = ("spot", "boot_disk_gb", "boot_disk_type", "timeout_seconds")
        return next((key for key in keys if getattr(self, key)), None)
