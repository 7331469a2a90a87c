"""A pipeline's recurring runs on Kubeflow Pipelines, which can be made, switched and deleted, and never changed.

Changing one therefore means replacing it, in steps that never leave two switched on:

1. the new one is made, switched off; its description says if that is how it shall stay;
2. the old one is switched off;
3. the new one is switched on;
4. the old one is deleted.

As long as two bear the same name, steps are missing, and the next change to that name takes them.
"""

import contextlib
from typing import Any

import kfp_server_api

from ..errors import UnavailableError
from .api import Calls, KubeflowClient, NotFoundError
from .experiment import Experiment, sort_by_age

ENABLE = kfp_server_api.RecurringRunMode.ENABLE
DISABLE = kfp_server_api.RecurringRunMode.DISABLE
_TO_STAY_PAUSED = ", made while paused"
_FIELD = "recurring_runs"


class RecurringRuns:
    """The recurring runs of a pipeline in an experiment, oldest first where several are returned."""

    def __init__(self, client: KubeflowClient, experiment: Experiment, pipeline: str) -> None:
        """Prepare, without a request.

        Args:
            client: Where.
            experiment: What they belong to.
            pipeline: The pipeline's name.
        """
        self._client = client
        self._api = client.recurring_runs
        self._list = self._api.recurring_run_service_list_recurring_runs
        self._experiment = experiment
        self._pipeline = pipeline

    def all(self, calls: Calls) -> list[Any]:
        """List all."""
        experiment = self._experiment.find(calls)
        if not experiment:
            return []
        found = calls.read_all(self._list, _FIELD, experiment_id=experiment)
        return sort_by_age(filter(self._is_ours, found))

    def named(self, calls: Calls, name: str) -> list[Any]:
        """List those of a name: one, unless a replacement is going on or broke off."""
        return [
            its
            for its in self._experiment.named(calls, self._list, _FIELD, name)
            if self._is_ours(its)
        ]

    def switch(self, calls: Calls, its: Any, mode: str) -> None:
        """Switch one on or off.

        Raises:
            NotFoundError: If it was deleted since it was listed.
        """
        if its.mode == mode:
            return
        switches = {
            ENABLE: self._api.recurring_run_service_enable_recurring_run,
            DISABLE: self._api.recurring_run_service_disable_recurring_run,
        }
        calls.write(switches[mode], its.recurring_run_id)
        its.mode = mode

    def delete(self, calls: Calls, several: list[Any]) -> None:
        """Delete some; those that are gone are no error."""
        for its in several:
            with contextlib.suppress(NotFoundError):
                calls.write(
                    self._api.recurring_run_service_delete_recurring_run, its.recurring_run_id
                )

    def replace(
        self,
        calls: Calls,
        new: kfp_server_api.V2beta1RecurringRun,
        old: list[Any],
        active: bool,
    ) -> Any:
        """Put a recurring run in the place of others, in the module's four steps.

        Args:
            calls: Sends the requests.
            new: What shall be.
            old: What bears its name now.
            active: Whether it shall be switched on.

        Returns:
            The one that is there now.

        Raises:
            UnavailableError: If somebody else did the same at the same time, and theirs stayed.
        """
        name = new.display_name
        new.mode = DISABLE if old or not active else ENABLE
        meant = (new.description or "").removesuffix(_TO_STAY_PAUSED)
        new.description = meant if active else meant + _TO_STAY_PAUSED
        calls.write(self._api.recurring_run_service_create_recurring_run, new)
        before = {its.recurring_run_id for its in old}
        now = self.named(calls, name)
        made = [its for its in now if its.recurring_run_id not in before]
        if not made:
            raise _outrun(name)
        newest = made[-1]
        others = [its for its in now if its is not newest]
        for other in others:
            with contextlib.suppress(NotFoundError):
                self.switch(calls, other, DISABLE)
        self.switch(calls, newest, ENABLE if active else DISABLE)
        self.delete(calls, others)
        # Whoever deletes last sees here if the others deleted theirs.
        if newest.recurring_run_id not in {its.recurring_run_id for its in self.named(calls, name)}:
            raise _outrun(name)
        return newest

    def _is_ours(self, its: Any) -> bool:
        spec = its.pipeline_spec or {}
        spec = spec.get("pipeline_spec", spec)
        scheduled = its.trigger and its.trigger.cron_schedule
        return bool(scheduled) and spec.get("pipelineInfo", {}).get("name") == self._pipeline


def shall_run(found: list[Any]) -> bool:
    """Return whether what has a name should be enabled, oldest first; what does not exist yet should."""
    if any(its.mode == ENABLE for its in found):
        return True
    # Several that are all off are a replacement that broke off; the newest says what was meant.
    return not found or (
        len(found) > 1 and not (found[-1].description or "").endswith(_TO_STAY_PAUSED)
    )


def _outrun(name: str) -> UnavailableError:
    return UnavailableError(f"the schedule '{name}' was replaced by somebody else at this moment.")
