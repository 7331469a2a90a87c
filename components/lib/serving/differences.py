"""What a service says serves, against what should."""

from collections.abc import Iterable

from .deployments import PlannedVersions
from .interface import Served


def find_differences(plan: PlannedVersions, served: Served) -> tuple[str, ...]:
    """Compare what serves with what should.

    Args:
        plan: What should serve.
        served: What the service says.

    Returns:
        A sentence for each difference; empty if there is none. What others deployed there is no difference.
    """
    wanted = _traffic(plan, served.splits)
    if served.splits:
        found = [
            f"version {version} gets {does} % of the requests, and should get {should} %"
            for version in sorted({*wanted, *served.traffic})
            if (should := wanted.get(version, 0)) != (does := served.traffic.get(version, 0))
        ]
    elif wanted.keys() != served.traffic.keys():
        found = [f"clients get {_name(served.traffic)}, and should get {_name(wanted)}"]
    else:
        found = []
    if plan.canary is not None and plan.canary not in {*served.loaded, *wanted}:
        found.append(f"version {plan.canary} should be loaded, and is not")
    return tuple(found)


def _name(versions: Iterable[int]) -> str:
    return ", ".join(f"version {version}" for version in sorted(versions)) or "no version"


def _traffic(plan: PlannedVersions, splits: bool) -> dict[int, int]:
    percent = plan.percent if plan.canary is not None and splits else 0
    shares = {plan.canary: percent, plan.stable: 100 - percent}
    return {version: share for version, share in shares.items() if version is not None and share}
