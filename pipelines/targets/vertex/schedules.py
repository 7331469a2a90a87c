"""Schedules on Vertex AI."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ....components.lib.errors import RetrainerError
from ....components.lib.vertex_api import Options
from ...project.formats.cron import check_cron
from ...project.sections.targets import VertexConfig
from ..errors import RefusedError
from ..schedule_changes import check_times, refuse_removal
from ..types import Schedule, ScheduleRequest, ScheduleState
from .api import VertexCaller
from .requests import (
    APPLIED_LABEL,
    DIGEST_LABEL,
    PIPELINE_LABEL,
    SCHEDULE_FIELDS,
    check_schedule_name,
)
from .settings import console_url, parent

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1


def check_schedule(request: ScheduleRequest) -> None:
    """Check what the service would refuse, or not do.

    Raises:
        RetrainerError: If the cron expression or the time zone is wrong, or missed runs are to be started.
    """
    check_cron(request.cron, request.time_zone)
    check_times(request)
    if request.catch_up:
        raise RetrainerError(
            f"schedule '{request.name}': Vertex AI starts missed runs only when a paused schedule is resumed. "
            "Use --catch-up with 'retrainer schedule resume' instead."
        )


@dataclass(frozen=True)
class VertexSchedules:
    """The schedules of one pipeline, by name.

    Names are not unique on the service. So each call looks its name up first; one that is another pipeline's, or that
    several schedules have, is refused.

    Attributes:
        client: Gives the calling thread's client of the service.
        caller: What calls it.
        config: Where it is.
        owner: Value of the label PIPELINE_LABEL on the pipeline's own schedules.
    """

    client: "Callable[[], aiplatform_v1.ScheduleServiceClient]"
    caller: VertexCaller
    config: VertexConfig
    owner: str

    def put(self, message: "aiplatform_v1.Schedule") -> Schedule:
        """Create a schedule, or change the one of that name.

        A request whose outcome is not known is looked up before it is sent again, so there is one schedule in the end.
        """
        name = message.display_name
        existed: list[bool] = []
        ended: list[str] = []

        def attempt(options: Options) -> "aiplatform_v1.Schedule":
            found = self._look_up(name, options, ended)
            existed.append(found is not None or bool(ended))
            if found is not None and found.state != found.State.COMPLETED:
                answer = self._change(found, message, options)
            else:
                # One that has ended can't be changed any more (types.Schedule.State): the new one takes its place.
                if found is not None:
                    ended.append(found.name)
                answer = self.client().create_schedule(
                    parent=parent(self.config), schedule=message, **options()
                )
            for old in ended:
                self._delete(old, options)
            return answer

        answer = self.caller.call(f"schedule '{name}'", attempt)
        return replace(self._read(answer), updated=existed[0])

    def _change(
        self, found: "aiplatform_v1.Schedule", message: "aiplatform_v1.Schedule", options: Options
    ) -> "aiplatform_v1.Schedule":
        from google.protobuf.field_mask_pb2 import FieldMask

        Message = type(message)  # noqa: N806 - it is a class
        there, wanted = Message.pb(found), Message.pb(message)
        change = Message.pb(Message())
        change.CopyFrom(wanted)
        change.name = there.name
        fields = list(SCHEDULE_FIELDS)
        for field, key in (("end_time", "end"), ("max_run_count", "max_runs")):
            if _is_set(wanted, field):
                fields.append(field)
            elif _is_set(there, field):
                raise refuse_removal(there.display_name, key)
        if wanted.HasField("start_time"):
            fields.append("start_time")
        elif there.start_time.ToDatetime(tzinfo=UTC) > datetime.now(UTC):
            change.start_time.GetCurrentTime()
            fields.append("start_time")
        return self.client().update_schedule(
            schedule=Message.wrap(change), update_mask=FieldMask(paths=fields), **options()
        )

    def list_own(self) -> list[Schedule]:
        """List the pipeline's schedules, by name."""
        found = self.caller.call(
            "schedules", lambda options: self._fetch("create_pipeline_job_request:*", options)
        )
        own = [self._read(one) for one in found if self._is_own(one)]
        return sorted(own, key=lambda one: (one.name, one.reference))

    def pause(self, name: str) -> Schedule:
        """Start no more runs until it is resumed."""

        def pause(one: "aiplatform_v1.Schedule", options: Options) -> None:
            self.client().pause_schedule(name=one.name, **options())

        return self._switch(name, ScheduleState.PAUSED, pause)

    def resume(self, name: str, catch_up: bool) -> Schedule:
        """Start runs again, those that were missed in the pause first if `catch_up` is set."""

        def resume(one: "aiplatform_v1.Schedule", options: Options) -> None:
            self.client().resume_schedule(
                request={"name": one.name, "catch_up": catch_up}, **options()
            )

        return self._switch(name, ScheduleState.ACTIVE, resume)

    def delete(self, name: str) -> None:
        """Delete a schedule. The service may still list it for some seconds."""
        sent: list[str] = []

        def attempt(options: Options) -> None:
            found = self._look_up(name, options)
            if found is None and sent:
                return
            one = found or self._refuse_missing(name, options)
            sent.append(one.name)
            self._delete(one.name, options)

        self.caller.call(f"schedule '{name}'", attempt)

    def _delete(self, reference: str, options: Options) -> None:
        from google.api_core.exceptions import NotFound

        # Somebody else was quicker, or our own request was whose reply got lost.
        with suppress(NotFound):
            self.client().delete_schedule(name=reference, **options())

    def _switch(
        self,
        name: str,
        state: ScheduleState,
        send: Callable[["aiplatform_v1.Schedule", Options], None],
    ) -> Schedule:
        def attempt(options: Options) -> "aiplatform_v1.Schedule":
            one = self._look_up(name, options) or self._refuse_missing(name, options)
            # The service refuses to pause what is paused, and a request whose reply got lost has done its work.
            if self._read(one).state != state:
                send(one, options)
            return self.client().get_schedule(name=one.name, **options())

        return self._read(self.caller.call(f"schedule '{name}'", attempt))

    def _look_up(
        self, name: str, options: Options, without: Sequence[str] = ()
    ) -> "aiplatform_v1.Schedule | None":
        listed = self._fetch(f'display_name="{check_schedule_name(name)}"', options)
        found = [one for one in listed if one.display_name == name and one.name not in without]
        others = [one for one in found if not self._is_own(one)]
        if others:
            page = console_url(self.config, "schedules", others[0].name)
            raise RefusedError(
                f"schedule '{name}' is not of this pipeline ({page}). Take another name, or delete that one."
            )
        if len(found) > 1:
            pages = ", ".join(console_url(self.config, "schedules", one.name) for one in found)
            raise RefusedError(
                f"there are {len(found)} schedules '{name}': {pages}. Delete all but one there."
            )
        return found[0] if found else None

    def _refuse_missing(self, name: str, options: Options) -> "aiplatform_v1.Schedule":
        listed = self._fetch("create_pipeline_job_request:*", options)
        names = sorted(one.display_name for one in listed if self._is_own(one))
        known = f"there is {', '.join(names)}" if names else "this pipeline has none yet"
        raise RefusedError(f"there is no schedule '{name}'; {known}.")

    def _fetch(self, condition: str, options: Options) -> "list[aiplatform_v1.Schedule]":
        request = {"parent": parent(self.config), "filter": condition}
        return [*self.client().list_schedules(request=request, **options())]

    def _is_own(self, message: "aiplatform_v1.Schedule") -> bool:
        labels = message.create_pipeline_job_request.pipeline_job.labels
        return bool(labels.get(PIPELINE_LABEL) == self.owner)

    def _read(self, message: "aiplatform_v1.Schedule") -> Schedule:
        from .status import to_time

        pb = type(message).pb(message)
        zone, _, cron = pb.cron.removeprefix("CRON_").partition(" ")
        if not zone.startswith("TZ="):
            zone, cron = "TZ=UTC", pb.cron
        states = {
            message.State.ACTIVE: ScheduleState.ACTIVE,
            message.State.PAUSED: ScheduleState.PAUSED,
        }
        labels = pb.create_pipeline_job_request.pipeline_job.labels
        return Schedule(
            name=pb.display_name,
            reference=pb.name,
            cron=cron,
            time_zone=zone.removeprefix("TZ="),
            state=states.get(message.state, ScheduleState.ENDED),
            next_run=to_time(pb, "next_run_time"),
            url=console_url(self.config, "schedules", pb.name),
            start=to_time(pb, "start_time"),
            end=to_time(pb, "end_time"),
            max_runs=pb.max_run_count or None,
            runs=pb.started_run_count,
            digest=labels.get(DIGEST_LABEL, ""),
            applied=APPLIED_LABEL in labels,
        )


def _is_set(message: Any, field: str) -> bool:
    return any(known.name == field for known, _ in message.ListFields())
