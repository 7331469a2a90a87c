"""The section of retrain.yaml on runs by cron."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from ....components.lib.errors import RetrainerError
from ..formats.cron import UTC_NAMES, check_cron, expand_cron
from .section import Section


class ScheduleConfig(Section):
    """Runs by cron, on the service that `retrainer schedule apply --to` names."""

    cron: str = Field(
        description="Minute, hour, day of the month, month, day of the week, such as `0 6 * * 1-5`; or `@hourly`, "
        "`@daily`, `@weekly`, `@monthly`, `@yearly`."
    )
    time_zone: str = Field(
        "UTC", description="IANA time zone, such as `Europe/Berlin`. Kubeflow supports UTC only."
    )
    catch_up: bool = Field(
        False,
        description="Whether to start runs that were missed during a pause or an outage. Kubeflow only; on Vertex AI "
        "it is a flag of `schedule resume`.",
    )
    start: datetime | None = Field(
        None,
        description="First time that a run may start, such as `2027-01-01` or `2027-01-01T06:00:00`, in `time_zone` "
        "unless it has an offset; at once if null.",
    )
    end: datetime | None = Field(
        None, description="Last time that a run may start; no end if null."
    )
    max_runs: int | None = Field(
        None,
        ge=1,
        description="Number of runs after which the schedule ends; no limit if null. Vertex AI only.",
    )

    @field_validator("cron")
    @classmethod
    def _expanded(cls, value: str) -> str:
        return expand_cron(value)

    @model_validator(mode="after")
    def _is_possible(self) -> "ScheduleConfig":
        try:
            check_cron(self.cron, self.time_zone)
        except RetrainerError as error:
            raise ValueError(str(error).rstrip(".")) from error
        try:
            start, end = in_zone(self.start, self.time_zone), in_zone(self.end, self.time_zone)
        except OverflowError as error:
            raise ValueError(
                "start and end must be within the years 1 to 9999 in UTC, too"
            ) from error
        if start and end and start >= end:
            raise ValueError(
                f"it starts at {start.isoformat()} and ends before, at {end.isoformat()}"
            )
        return self

    def unfit_for(self, target: str) -> dict[str, str]:
        """Return the settings that a target does not keep, and why.

        Args:
            target: The name of a target.
        """
        if target == "vertex":
            why = "Vertex AI starts missed runs when a schedule is resumed (`schedule resume --catch-up`)"
            return {"catch_up": why} if self.catch_up else {}
        if target != "kubeflow":
            return {}
        reasons = {}
        if self.time_zone not in UTC_NAMES:
            reasons["time_zone"] = (
                "Kubeflow Pipelines reads all schedules in one zone; write it in UTC"
            )
        if self.max_runs:
            reasons["max_runs"] = "Kubeflow Pipelines counts no runs of a schedule; give an end"
        return reasons


def in_zone(moment: datetime | None, time_zone: str) -> datetime | None:
    """Return a moment in UTC, whole seconds; one without an offset is in the time zone."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))
    return aware.astimezone(UTC).replace(microsecond=0)
