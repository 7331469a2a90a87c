"""What a service says serves, against what should."""

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
    found = []
    wanted = _traffic(plan, served.splits)
    for version in sorted({*wanted, *served.traffic}):
        should, does = wanted.get(version, 0), served.traffic.get(version, 0)
        if should != does:
            words = (
                f"version {version} gets {does} % of the requests, and should get {should} %"
                if served.splits
                else f"version {version} is {'' if does else 'not '}the one that clients get"
            )
            found.append(words)
    if plan.canary is not None and plan.canary not in {*served.loaded, *wanted}:
        found.append(f"version {plan.canary} should be loaded, and is not")
    return tuple(found)


def _traffic(plan: PlannedVersions, splits: bool) -> dict[int, int]:
    percent = plan.percent if plan.canary is not None and splits else 0
    shares = {plan.canary: percent, plan.stable: 100 - percent}
    return {version: share for version, share in shares.items() if version is not None and share}
