"""Schedules on Kubeflow Pipelines: its recurring runs, which can be made, switched and deleted, and never changed.

Changing one therefore means replacing it, in steps that never leave two switched on, nor none where there was one:

1. the new one is made, switched off; its description says if that is how it shall stay;
2. the old one is switched off;
3. the new one is switched on;
4. the old one is deleted.

As long as two bear the same name, steps are missing, and the next call on that name takes them.
"""

from typing import Any

import kfp_server_api

from ...components.lib.errors import RetrainerError
from ..target_config import KubeflowConfig
from .cron import check_cron
from .interface import RefusedError, Schedule, ScheduleRequest, ScheduleState, UnavailableError
from .kubeflow_client import Calls, KubeflowClient, NotFoundError
from .kubeflow_experiment import Experiment, sort_by_age

_ENABLE = kfp_server_api.RecurringRunMode.ENABLE
_DISABLE = kfp_server_api.RecurringRunMode.DISABLE
_UTC = frozenset({"UTC", "Etc/UTC"})
_TO_RUN = "retrainer"
_TO_STAY_PAUSED = "retrainer, made while paused"


class KubeflowSchedules:
    """A pipeline's schedules in an experiment; several threads may call it at once."""

    def __init__(
        self,
        client: KubeflowClient,
        experiment: Experiment,
        config: KubeflowConfig,
        pipeline: str,
        spec: dict[str, Any],
    ) -> None:
        """Prepare, without a request.

        Args:
            client: Where.
            experiment: What they belong to.
            config: As whom, and where artifacts go.
            pipeline: Name of the pipeline.
            spec: What is run, as the API takes it.
        """
        self._client = client
        self._api = client.recurring_runs
        self._experiment = experiment
        self._config = config
        self._pipeline = pipeline
        self._spec = spec

    def describe(self, request: ScheduleRequest) -> dict[str, Any]:
        """Give the request that makes a schedule which is not there yet, and where, without sending it."""
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
            UnavailableError: If the service was not available until the deadline; the same call again mends what is
                half done.
            RefusedError: If it refuses.
        """
        _check(request)

        def replace(calls: Calls) -> Schedule:
            new = self._to_recurring_run(request, self._experiment.ensure(calls))
            return self._replace(calls, new, self._named(calls, request.name))

        return self._experiment.persist(replace)

    def list_all(self) -> list[Schedule]:
        """List this pipeline's schedules, by name."""

        def look(calls: Calls) -> list[Any]:
            experiment = self._experiment.find(calls)
            if not experiment:
                return []
            return self._client.list_all(
                calls,
                self._api.recurring_run_service_list_recurring_runs,
                "recurring_runs",
                experiment_id=experiment,
            )

        by_name: dict[str, list[Any]] = {}
        for its in sort_by_age(filter(self._is_ours, self._experiment.persist(look))):
            by_name.setdefault(its.display_name, []).append(its)
        return [self._to_schedule(found) for _, found in sorted(by_name.items())]

    def pause(self, name: str) -> Schedule:
        """Switch a schedule off.

        Raises:
            RefusedError: If there is no such schedule.
        """

        def switch_off(calls: Calls) -> Schedule:
            *older, newest = self._existing(calls, name)
            self._delete(calls, older)
            self._switch(calls, newest, _DISABLE)
            return self._to_schedule([newest])

        return self._experiment.persist(switch_off)

    def resume(self, name: str, catch_up: bool) -> Schedule:
        """Switch a schedule on again.

        Kubeflow fixes at its making whether a recurring run catches up, and even one that does not starts the latest
        run it missed as soon as it is switched on. So without `catch_up` a new one takes its place, which has missed
        nothing.

        Args:
            name: Its name.
            catch_up: Whether runs that it missed are made up for.

        Raises:
            RefusedError: If there is no such schedule, or it can't catch up.
        """

        def switch_on(calls: Calls) -> Schedule:
            found = self._existing(calls, name)
            *older, newest = found
            if not older and newest.mode == _ENABLE:
                return self._to_schedule(found)
            if not catch_up:
                return self._replace(calls, _copy_without_catching_up(newest), found, active=True)
            if newest.no_catchup:
                raise RefusedError(
                    f"the schedule '{name}' was made without catch_up, which Kubeflow Pipelines can't change any more. "
                    "Resume it without catching up, and submit what it missed by hand."
                )
            self._delete(calls, older)
            self._switch(calls, newest, _ENABLE)
            return self._to_schedule([newest])

        return self._experiment.persist(switch_on)

    def delete(self, name: str) -> None:
        """Delete a schedule; its runs stay.

        Raises:
            RefusedError: If there is no such schedule.
        """
        tried = False

        def remove(calls: Calls) -> None:
            nonlocal tried
            found = self._named(calls, name)
            if not found and not tried:
                raise self._missing(name)
            tried = True
            self._delete(calls, found)

        self._experiment.persist(remove)

    def _replace(
        self,
        calls: Calls,
        new: kfp_server_api.V2beta1RecurringRun,
        old: list[Any],
        active: bool | None = None,
    ) -> Schedule:
        """Put a recurring run in the place of others, in the module's four steps.

        Args:
            calls: Sends the requests.
            new: What shall be.
            old: What bears its name now, oldest first.
            active: Whether it shall be switched on; as the old ones if not given.
        """
        active = _shall_run(old) if active is None else active
        if old:
            new.mode = _DISABLE
            new.description = _TO_RUN if active else _TO_STAY_PAUSED
        calls.write(self._api.recurring_run_service_create_recurring_run, new)
        before = {its.recurring_run_id for its in old}
        # Somebody else may be at this, too: all then take the same one for the newest.
        now = self._named(calls, new.display_name)
        made = [its for its in now if its.recurring_run_id not in before]
        if not made:
            raise UnavailableError(
                f"the schedule '{new.display_name}' was replaced by somebody else just now."
            )
        newest = made[-1]
        others = [its for its in now if its is not newest]
        for other in others:
            self._switch(calls, other, _DISABLE)
        self._switch(calls, newest, _ENABLE if active else _DISABLE)
        self._delete(calls, others)
        return self._to_schedule([newest], updated=bool(old))

    def _named(self, calls: Calls, name: str) -> list[Any]:
        found = self._experiment.named(
            calls, self._api.recurring_run_service_list_recurring_runs, "recurring_runs", name
        )
        return [its for its in found if self._is_ours(its)]

    def _existing(self, calls: Calls, name: str) -> list[Any]:
        if found := self._named(calls, name):
            return found
        raise self._missing(name)

    def _missing(self, name: str) -> RefusedError:
        return RefusedError(
            f"there is no schedule '{name}' of pipeline '{self._pipeline}' in experiment '{self._experiment.name}' on "
            f"{self._client.host}. Are targets.kubeflow.experiment and namespace right?"
        )

    def _switch(self, calls: Calls, its: Any, mode: str) -> None:
        if its.mode == mode:
            return
        method = {
            _ENABLE: self._api.recurring_run_service_enable_recurring_run,
            _DISABLE: self._api.recurring_run_service_disable_recurring_run,
        }[mode]
        try:
            calls.write(method, its.recurring_run_id)
        except NotFoundError as error:
            # Deleted since it was listed: look again.
            raise UnavailableError(str(error)) from error
        its.mode = mode

    def _delete(self, calls: Calls, several: list[Any]) -> None:
        for its in several:
            try:
                calls.write(
                    self._api.recurring_run_service_delete_recurring_run, its.recurring_run_id
                )
            except NotFoundError:
                continue

    def _to_recurring_run(
        self, request: ScheduleRequest, experiment: str
    ) -> kfp_server_api.V2beta1RecurringRun:
        return kfp_server_api.V2beta1RecurringRun(
            display_name=request.name,
            description=_TO_RUN,
            experiment_id=experiment,
            mode=_ENABLE,
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
                    cron=" ".join(["0", *request.cron.split()])
                )
            ),
        )

    def _is_ours(self, its: Any) -> bool:
        spec = its.pipeline_spec or {}
        spec = spec.get("pipeline_spec", spec)
        scheduled = its.trigger and its.trigger.cron_schedule
        return bool(scheduled) and spec.get("pipelineInfo", {}).get("name") == self._pipeline

    def _to_schedule(self, found: list[Any], updated: bool = False) -> Schedule:
        newest = found[-1]
        active = any(its.mode == _ENABLE for its in found)
        return Schedule(
            name=newest.display_name,
            reference=newest.recurring_run_id,
            cron=newest.trigger.cron_schedule.cron.removeprefix("0 "),
            time_zone="UTC",
            state=ScheduleState.ACTIVE if active else ScheduleState.PAUSED,
            url=f"{self._client.host}/#/recurringrun/details/{newest.recurring_run_id}",
            updated=updated,
        )


def _check(request: ScheduleRequest) -> None:
    check_cron(request.cron, request.time_zone)
    if request.time_zone not in _UTC:
        raise RetrainerError(
            f"the time zone of schedule '{request.name}' is '{request.time_zone}', and Kubeflow Pipelines takes none: "
            "its controller reads all cron expressions in one zone (CRON_SCHEDULE_TIMEZONE, UTC unless it is set). "
            "Write the expression in UTC, and leave the zone out."
        )


def _shall_run(found: list[Any]) -> bool:
    """Say whether a schedule is meant to be on, by what bears its name, oldest first."""
    if any(its.mode == _ENABLE for its in found):
        return True
    # Several that are all off were left half replaced; the newest says what was meant.
    return not found or (len(found) > 1 and found[-1].description != _TO_STAY_PAUSED)


def _copy_without_catching_up(its: Any) -> kfp_server_api.V2beta1RecurringRun:
    return kfp_server_api.V2beta1RecurringRun(
        display_name=its.display_name,
        experiment_id=its.experiment_id,
        mode=_ENABLE,
        pipeline_spec=its.pipeline_spec,
        runtime_config=its.runtime_config,
        service_account=its.service_account,
        max_concurrency=its.max_concurrency,
        no_catchup=True,
        trigger=its.trigger,
    )
