"""The experiment that runs and schedules belong to on Kubeflow Pipelines, and what bears a name in it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import kfp_server_api

from ..errors import UnavailableError
from .api import Calls, ConflictError, KubeflowClient, NotFoundError, Result


class Experiment:
    """An experiment, by its name.

    Attributes:
        name: Its name.
        known_id: What the service calls it; empty until it was asked.
    """

    def __init__(self, client: KubeflowClient, name: str, namespace: str) -> None:
        self.name = name
        self.known_id = ""
        self._client = client
        self._namespace = namespace

    def find(self, calls: Calls) -> str:
        """Look its id up, once.

        Returns:
            The id, or an empty text if it does not exist.
        """
        if not self.known_id:
            query: dict[str, Any] = {"filter": _is_named(self.name)}
            if self._namespace:
                query["namespace"] = self._namespace
            found = calls.read_all(
                self._client.experiments.experiment_service_list_experiments,
                "experiments",
                **query,
            )
            ids = [its.experiment_id for its in found if its.display_name == self.name]
            self.known_id = ids[0] if ids else ""
        return self.known_id

    def ensure(self, calls: Calls) -> str:
        """Make it if it is missing.

        Returns:
            The id.
        """
        if not self.find(calls):
            body = kfp_server_api.V2beta1Experiment(
                display_name=self.name, namespace=self._namespace or None
            )
            try:
                made = calls.write(
                    self._client.experiments.experiment_service_create_experiment, body
                )
            except ConflictError as error:
                # Somebody else made it since; if it can't be seen even now, the next attempt will.
                if not self.find(calls):
                    raise UnavailableError(str(error)) from error
            else:
                self.known_id = made.experiment_id
        return self.known_id

    def persist(self, action: Callable[[Calls], Result]) -> Result:
        """Do something in it as `KubeflowClient.persist` does, and once more if it was deleted and its id with it.

        Both share one deadline: whoever claims a run relies on how long submitting it takes.
        """

        def act(calls: Calls) -> Result:
            try:
                return action(calls)
            except NotFoundError:
                if not self.known_id:
                    raise
                self.known_id = ""
                return action(calls)

        return self._client.persist(act)

    def named(self, calls: Calls, method: Callable[..., Any], field: str, name: str) -> list[Any]:
        """List what bears a name in it, oldest first; names need not be unique.

        Args:
            calls: Sends the requests.
            method: The API's method that lists.
            field: Where its answer holds the things.
            name: The name.
        """
        experiment = self.find(calls)
        if not experiment:
            return []
        found = calls.read_all(method, field, experiment_id=experiment, filter=_is_named(name))
        # The service compares without regard to case.
        return sort_by_age(thing for thing in found if thing.display_name == name)


def sort_by_age(things: Any) -> list[Any]:
    """Sort runs or recurring runs, oldest first; the service's clock counts in seconds."""
    return sorted(
        things,
        key=lambda its: (
            its.created_at,
            getattr(its, "run_id", None) or getattr(its, "recurring_run_id", ""),
        ),
    )


def _is_named(name: str) -> str:
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    # The service unquotes a filter once more than HTTP does.
    return quote(json.dumps({"predicates": [predicate]}))
