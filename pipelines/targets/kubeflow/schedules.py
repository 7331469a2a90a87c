"""Schedules on Kubeflow Pipelines: its recurring runs, one to a name."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import kfp_server_api

from ....components.lib.errors import RetrainerError
from ...project.formats.cron import UTC_NAMES, check_cron
from ...project.sections.targets import KubeflowConfig
from ..errors import RefusedError
from ..schedule_changes import check_times, upcoming
from ..types import Schedule, ScheduleRequest, ScheduleState
from .api import Calls, KubeflowClient
from .experiment import Experiment
from .recurring_runs import DISABLE, ENABLE, RecurringRuns, shall_run
from .versions import VersionCheck

# Kubeflow has no labels: a description holds what a schedule was made of, and that retrain.yaml asks for it.
_DESCRIPTION = re.compile(r"retrainer(?P<applied>, applied)?(?:, digest (?P<digest>[0-9a-f]+))?\b")


class KubeflowSchedules:
    """A pipeline's schedules in an experiment; several threads may call it at once."""

    def __init__(
        self,
        client: KubeflowClient,
        experiment: Experiment,
        config: KubeflowConfig,
        pipeline: str,
        spec: dict[str, Any],
        versions: VersionCheck,
    ) -> None:
        """Prepare, without a request.

        Args:
            client: Where.
            experiment: What they belong to.
            config: As whom, and where artifacts go.
            pipeline: Name of the pipeline.
            spec: What is run, as the API takes it.
            versions: Checks whether the service takes it.
        """
        self._client = client
        self._recurring = RecurringRuns(client, experiment, pipeline)
        self._experiment = experiment
        self._config = config
        self._pipeline = pipeline
        self._spec = spec
        self._versions = versions

    def describe(self, request: ScheduleRequest) -> dict[str, Any]:
        """Describe the request that makes a schedule which is not there yet, and where, without sending it."""
        _check(request)
        experiment = self._experiment.known_id or f"<id of experiment '{self._experiment.name}'>"
        return {
            "method": "POST",
            "url": f"{self._client.host}/apis/v2beta1/recurringruns",
            "body": self._client.to_json(self._to_recurring_run(request, experiment)),
        }

    def put(self, request: ScheduleRequest) -> Schedule:
        """Make a schedule, or replace the one of that name; a paused one stays paused.

        Raises:
            RetrainerError: If cron expression or time zone are wrong, or not the service's.
            UnavailableError: If the service was not available until the deadline; the same call again completes
                what is half done.
            RefusedError: If it refuses.
        """
        _check(request)

        before: list[Any] | None = None

        def replace(calls: Calls) -> Schedule:
            nonlocal before
            self._versions.check(calls)
            new = self._to_recurring_run(request, self._experiment.ensure(calls))
            old = self._recurring.named(calls, request.name)
            # A repeated attempt meets what the first one left.
            before = old if before is None else before
            its = self._recurring.replace(calls, new, old, active=shall_run(before))
            return dataclasses.replace(self._to_schedule([its]), updated=bool(before))

        return self._experiment.persist(replace)

    def list_all(self) -> list[Schedule]:
        """List this pipeline's schedules, by name."""
        by_name: dict[str, list[Any]] = {}
        for its in self._experiment.persist(self._recurring.all):
            by_name.setdefault(its.display_name, []).append(its)
        return [self._to_schedule(found) for _, found in sorted(by_name.items())]

    def pause(self, name: str) -> Schedule:
        """Switch a schedule off.

        Raises:
            RefusedError: If the schedule does not exist.
        """

        def switch_off(calls: Calls) -> Schedule:
            *older, newest = self._existing(calls, name)
            self._recurring.delete(calls, older)
            self._recurring.switch(calls, newest, DISABLE)
            return self._to_schedule([newest])

        return self._experiment.persist(switch_off)

    def resume(self, name: str, catch_up: bool) -> Schedule:
        """Switch a schedule on again.

        Kubeflow fixes at its making whether a recurring run catches up, and even one that does not starts the latest
        run it missed as soon as it is switched on. So without `catch_up` a new one takes its place, which has missed
        nothing.

        Args:
            name: Its name.
            catch_up: Whether missed runs are started.

        Raises:
            RefusedError: If the schedule does not exist, or it can't catch up.
        """

        def switch_on(calls: Calls) -> Schedule:
            found = self._existing(calls, name)
            *older, newest = found
            if not older and newest.mode == ENABLE:
                return self._to_schedule(found)
            if not catch_up:
                new = _copy_without_catching_up(newest)
                return self._to_schedule([self._recurring.replace(calls, new, found, active=True)])
            if newest.no_catchup:
                raise RefusedError(
                    f"the schedule '{name}' was made without catch_up, which Kubeflow Pipelines can't change any more. "
                    "Resume it without catching up, and submit what it missed by hand."
                )
            self._recurring.delete(calls, older)
            self._recurring.switch(calls, newest, ENABLE)
            return self._to_schedule([newest])

        return self._experiment.persist(switch_on)

    def delete(self, name: str) -> None:
        """Delete a schedule; its runs stay.

        Raises:
            RefusedError: If the schedule does not exist.
        """
        tried = False

        def remove(calls: Calls) -> None:
            nonlocal tried
            found = self._recurring.named(calls, name)
            if not found and not tried:
                raise self._missing(name)
            tried = True
            self._recurring.delete(calls, found)

        self._experiment.persist(remove)

    def _existing(self, calls: Calls, name: str) -> list[Any]:
        if found := self._recurring.named(calls, name):
            return found
        raise self._missing(name)

    def _missing(self, name: str) -> RefusedError:
        return RefusedError(
            f"there is no schedule '{name}' of pipeline '{self._pipeline}' in experiment '{self._experiment.name}' on "
            f"{self._client.host}. Are targets.kubeflow.experiment and namespace right?"
        )

    def _to_recurring_run(
        self, request: ScheduleRequest, experiment: str
    ) -> kfp_server_api.V2beta1RecurringRun:
        return kfp_server_api.V2beta1RecurringRun(
            display_name=request.name,
            description=_describe(request),
            experiment_id=experiment,
            mode=ENABLE,
            pipeline_spec=self._spec,
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(
                parameters=dict(request.parameters),
                pipeline_root=self._config.pipeline_root or None,
            ),
            service_account=self._config.service_account or None,
            max_concurrency="1",
            no_catchup=not request.catch_up,
            trigger=kfp_server_api.V2beta1Trigger(
                # Its parser wants seconds first.
                cron_schedule=kfp_server_api.V2beta1CronSchedule(
                    cron=" ".join(["0", *request.cron.split()]),
                    start_time=request.start if request.catch_up else upcoming(request.start),
                    end_time=request.end,
                )
            ),
        )

    def _to_schedule(self, found: list[Any]) -> Schedule:
        newest = found[-1]
        active = any(its.mode == ENABLE for its in found)
        clock = newest.trigger.cron_schedule
        end = _to_time(clock.end_time)
        state = ScheduleState.ACTIVE if active else ScheduleState.PAUSED
        about = _DESCRIPTION.match(newest.description or "")
        return Schedule(
            name=newest.display_name,
            reference=newest.recurring_run_id,
            cron=clock.cron.removeprefix("0 "),
            time_zone="UTC",
            # The service leaves it enabled, and starts nothing any more.
            state=ScheduleState.ENDED if end and end <= datetime.now(UTC) else state,
            catch_up=not newest.no_catchup,
            start=_to_time(clock.start_time),
            end=end,
            digest=(about["digest"] or "") if about else "",
            applied=bool(about and about["applied"]),
            url=f"{self._client.host}/#/recurringrun/details/{newest.recurring_run_id}",
        )


def _describe(request: ScheduleRequest) -> str:
    applied = ", applied" if request.applied else ""
    digest = f", digest {request.digest}" if request.digest else ""
    return f"retrainer{applied}{digest}"


def _to_time(moment: datetime | None) -> datetime | None:
    """Return a time in UTC; None for the value that stands for none."""
    return moment.astimezone(UTC) if moment and moment.timestamp() > 0 else None


def _check(request: ScheduleRequest) -> None:
    check_cron(request.cron, request.time_zone)
    check_times(request)
    if request.max_runs:
        raise RetrainerError(
            f"schedule '{request.name}' has max_runs, and Kubeflow Pipelines counts no runs of a schedule. Give it an "
            "end instead."
        )
    if request.time_zone not in UTC_NAMES:
        raise RetrainerError(
            f"the time zone of schedule '{request.name}' is '{request.time_zone}', and Kubeflow Pipelines has none: "
            "its controller reads all cron expressions in one zone (CRON_SCHEDULE_TIMEZONE, UTC unless it is set). "
            "Write the expression in UTC, and leave the zone out."
        )


def _copy_without_catching_up(its: Any) -> kfp_server_api.V2beta1RecurringRun:
    clock = its.trigger.cron_schedule
    # A start that has passed would make it catch up after all.
    clock.start_time = upcoming(_to_time(clock.start_time))
    clock.end_time = _to_time(clock.end_time)
    return kfp_server_api.V2beta1RecurringRun(
        display_name=its.display_name,
        description=its.description,
        experiment_id=its.experiment_id,
        pipeline_spec=its.pipeline_spec,
        runtime_config=its.runtime_config,
        service_account=its.service_account,
        max_concurrency=its.max_concurrency,
        no_catchup=True,
        trigger=its.trigger,
    )
