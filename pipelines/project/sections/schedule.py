"""The section of retrain.yaml on runs by the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from ....components.lib.errors import RetrainerError
from ..formats.cron import UTC_NAMES, check_cron, expand_cron
from .section import Section


class ScheduleConfig(Section):
    """When runs start by the clock, on the service that `retrainer schedule apply --to` names."""

    cron: str = Field(
        description="Minute, hour, day of the month, month, day of the week, such as `0 6 * * 1-5`; or `@hourly`, "
        "`@daily`, `@weekly`, `@monthly`, `@yearly`."
    )
    time_zone: str = Field(
        "UTC", description="Name in the IANA database, such as `Europe/Berlin`. Kubeflow takes UTC."
    )
    catch_up: bool = Field(
        False,
        description="Whether runs missed in a pause or an outage are started later. Kubeflow only; on "
        "Vertex it is a flag of `schedule resume`.",
    )
    start: datetime | None = Field(
        None,
        description="No run starts before, such as `2027-01-01` or `2027-01-01T06:00:00`, in `time_zone` unless it "
        "names its own offset; at once if null.",
    )
    end: datetime | None = Field(None, description="No run starts after; never ends if null.")
    max_runs: int | None = Field(
        None, ge=1, description="It ends after so many runs; no limit if null. Vertex only."
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
