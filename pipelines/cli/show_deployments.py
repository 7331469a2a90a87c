"""Services and what they serve, as `retrainer deploy` shows and changes them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ...components.lib.errors import RetrainerError
from ...components.lib.serving.deployments import Deployment, Deployments, DeploymentState
from ...components.lib.serving.plan import follow_plan, read_plan
from ...components.lib.serving.reconcile import Reconciled, Reconciler
from ...components.lib.serving.rollout_ends import complete_rollout
from ...components.lib.serving.services import SERVICES
from ...components.lib.serving.status import ServiceStatus, read_service_status
from ...components.lib.words import did_you_mean, one_of
from ..project.sections.retrain import RetrainConfig
from .tables import local_time, open_console
from .users import this_user


def chosen_services(config: RetrainConfig, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of the services that a command is for.

    Args:
        config: The configuration.
        names: Names of services; none for all that the file has.

    Returns:
        Settings by service.

    Raises:
        RetrainerError: If the file has none, or not that one.
    """
    configured = config.serving.deploy.services()
    if not configured:
        raise RetrainerError(
            "serving.deploy names no service, so there is nothing to deploy to. Set serving.deploy."
            f"{one_of(list(SERVICES))} in retrain.yaml."
        )
    for name in names:
        if name not in configured:
            raise RetrainerError(
                f"serving.deploy has no '{name}'.{did_you_mean(name, configured, 'It has')}"
            )
    return {name: configured[name] for name in names or configured}


def deploy_services(
    config: RetrainConfig, services: Mapping[str, Mapping[str, Any]], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Bring services to what should serve.

    Args:
        config: The configuration.
        services: Settings by service.
        say: Called with a line for what takes long.

    Returns:
        The result of each service, as JSON values.
    """

    def plan() -> Any:
        return follow_plan(config.store, _rollout(config), this_user())

    reconciler = Reconciler(config.store, config.name, plan, this_user(), on_wait=say)
    results = [reconciler.reconcile(name, of) for name, of in services.items()]
    if config.serving.rollout and services.keys() == config.serving.deploy.services().keys():
        complete_rollout(config.store, results, this_user())
    return [_as_json(one) for one in results]


def _rollout(config: RetrainConfig) -> dict[str, Any]:
    rollout = config.serving.rollout
    return rollout.model_dump(mode="json", exclude_none=True) if rollout else {}


def _as_json(result: Reconciled) -> dict[str, Any]:
    return {
        "service": result.service,
        "plan": vars(result.plan) if result.plan else None,
        "words": result.plan.describe() if result.plan else "",
        "changed": result.changed,
        "address": result.served.address if result.served else "",
        "notes": list(result.served.notes) if result.served else [],
        "error": result.error,
        "transient": result.transient,
    }


def read_status(
    config: RetrainConfig, services: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Ask services what they serve.

    Args:
        config: The configuration.
        services: Settings by service.

    Returns:
        For each service what should serve, what does, and the last deployment, as JSON values.
    """
    plan = read_plan(config.store, _rollout(config))
    return [
        _status_as_json(
            read_service_status(config.name, name, settings, plan),
            Deployments(config.store, name).newest(),
        )
        for name, settings in services.items()
    ]


def _status_as_json(status: ServiceStatus, last: Deployment | None) -> dict[str, Any]:
    served = status.served
    return {
        "service": status.service,
        "plan": vars(status.plan),
        "should": status.plan.describe(),
        "served": served and {**vars(served), "traffic": dict(served.traffic)},
        "differences": list(status.differences),
        "error": status.error,
        "last": last
        and {
            "state": str(last.state),
            "plan": vars(last.plan),
            "at": last.at,
            "by": last.by,
            "error": last.error,
        },
    }


def print_deployments(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the result of each service.

    Args:
        rows: As `deploy_services` returns them.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    for row in rows:
        if row["error"]:
            console.print(f"{row['service']}: not deployed: {row['error']}", markup=False)
            continue
        did = "now serves" if row["changed"] else "already serves"
        at = f" at {row['address']}" if row["address"] else ""
        console.print(f"{row['service']}: {did} {row['words']}{at}", markup=False)
        for note in row["notes"]:
            console.print(f"  {note}", markup=False)


def print_status(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print a table of services, and below it what differs.

    Args:
        rows: As `read_status` returns them.
        console: Where to; standard output if not given.
    """
    console = console or open_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "should serve", "serves", "last deployment", "state"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for row in rows:
        last = row["last"] or {}
        table.add_row(
            row["service"],
            row["should"],
            _served_words(row["served"]),
            local_time(last.get("at", "")) + (" failed" if last.get("error") else ""),
            _state(row),
        )
    console.print(table)
    for row in rows:
        served, last = row["served"] or {}, row["last"] or {}
        lines = [
            *([row["error"]] if row["error"] else []),
            *row["differences"],
            *(
                [f"the last deployment failed: {last['error']}"]
                if last.get("error") and not row["error"]
                else []
            ),
            *(
                [f"not retrainer's: {', '.join(served['foreign'])}"]
                if served.get("foreign")
                else []
            ),
            *([f"clients ask {served['address']}"] if served.get("address") else []),
            *served.get("notes", ()),
        ]
        for line in dict.fromkeys(lines):
            console.print(f"{row['service']}: {line}", markup=False)
    if any(row["differences"] for row in rows):
        console.print("'retrainer deploy' deploys what should serve.")


def _state(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return "unknown"
    if not row["differences"]:
        return "as it should be"
    last = row["last"]
    # The plan may be newer than what was asked.
    return "deploying" if last and last["state"] == DeploymentState.ASKED else "differs"


def _served_words(served: Mapping[str, Any] | None) -> str:
    if served is None:
        return "?"
    shares = {int(version): share for version, share in served["traffic"].items()}
    if not shares:
        return "nothing"
    if not served["splits"]:
        return ", ".join(f"version {version}" for version in sorted(shares))
    return ", ".join(f"version {version}: {shares[version]} %" for version in sorted(shares))
