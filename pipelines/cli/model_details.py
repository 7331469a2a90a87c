"""Everything that the store knows of one version, for `retrainer models show`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.registry.aliases import AliasMove, Hold
from ...components.lib.registry.approvals import Approval, ApprovalState, approval_of, standing
from ...components.lib.registry.evaluation_summary import EvaluationSummary
from ...components.lib.registry.model_versions import CARD_PAGE, Incomplete, ModelVersion
from ...components.lib.registry.registry import CHAMPION, Registry
from ...components.lib.store import Store
from ...components.lib.uris import exists, join
from ...components.lib.version_uses import version_uses


@dataclass(frozen=True)
class ModelDetails:
    """A version with all that is known of it.

    Attributes:
        version: The version.
        is_champion: Whether it is in service.
        hold: Why it is held; None if it is not.
        approval: What a person decided, or has to decide; None if nobody was asked.
        uses: What uses it, one clause each.
        evaluation: What the gate measured.
        moves: Every move of the champion's alias to it or away from it, newest first.
    """

    version: ModelVersion
    is_champion: bool
    hold: Hold | None
    approval: Approval | None
    uses: tuple[str, ...]
    evaluation: EvaluationSummary
    moves: tuple[AliasMove, ...]

    @property
    def card_uri(self) -> str:
        """Where the page of its model card is.

        Raises:
            RetrainerError: If there is none.
        """
        page = join(self.version.uri.rpartition("/")[0], CARD_PAGE)
        if not exists(page):
            raise RetrainerError(
                f"version {self.version.version} has no model card: it was pushed before cards were written."
            )
        return page

    @property
    def state(self) -> str:
        """`champion`, `held`, `pending`, `superseded`, `refused`, or empty."""
        if self.is_champion or self.hold:
            return "champion" if self.is_champion else "held"
        is_open = self.approval and self.approval.state != ApprovalState.APPROVED
        return str(self.approval.state) if self.approval and is_open else ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        moves = [
            {name: value for name, value in asdict(move).items() if name != "held"}
            for move in self.moves
        ]
        return {
            **asdict(self.version),
            "champion": self.is_champion,
            "held": asdict(self.hold) if self.hold else None,
            "approval": asdict(self.approval) if self.approval else None,
            "uses": list(self.uses),
            "evaluation": self.evaluation.to_json(),
            "history": moves,
        }


def model_details(store: str, version: int | str) -> ModelDetails:
    """Read everything that a store knows of a version.

    Args:
        store: URI of the store.
        version: Its number, or `champion`.

    Raises:
        RetrainerError: If there is no complete version of this number.
    """
    registry = Registry(Store(store).models_uri)
    number = version_number(registry, version)
    found = registry.examine(number)
    if isinstance(found, Incomplete):
        raise RetrainerError(_no_version(registry, found))
    moves = registry.alias(CHAMPION).moves()
    newest = moves[-1] if moves else None
    hold = next((one for one in newest.held if one.covers(found.digest)), None) if newest else None
    return ModelDetails(
        found,
        newest is not None and newest.version == number,
        hold,
        standing(approval_of(registry, number), newest.version if newest else None),
        tuple(one.what for one in version_uses(store, number)),
        registry.evaluation_summary(number),
        tuple(one for one in reversed(moves) if number in (one.version, one.previous)),
    )


def version_number_in(store: str, version: int | str) -> int:
    """Return a version's number in a store; `champion` is the one in service."""
    return version_number(Registry(Store(store).models_uri), version)


def version_number(registry: Registry, version: int | str) -> int:
    """Return a version's number; `champion` is the one in service.

    Raises:
        RetrainerError: If no model is in service.
    """
    if isinstance(version, int):
        return version
    number = registry.version_of(CHAMPION)
    if number is None:
        raise RetrainerError(
            f"no model is in service in '{registry.uri}'; name a version's number."
        )
    return number


def _no_version(registry: Registry, found: Incomplete) -> str:
    if found.deleted:
        return (
            f"version {found.version} of '{registry.uri}' was deleted{_by_and_why(found.deleted)}."
        )
    if found.version not in registry.numbers():
        known = ", ".join(str(one.version) for one in registry.versions()) or "none"
        return f"there is no version {found.version} in the registry '{registry.uri}' (there are: {known})."
    return (
        f"version {found.version} of '{registry.uri}' is incomplete: {found.reason}. To remove what is there: "
        f"retrainer models delete {found.version}."
    )


def _by_and_why(note: Mapping[str, Any]) -> str:
    by = f" by {note['by']}" if note.get("by") else ""
    moment = str(note.get("at") or "")[:16].replace("T", " ")
    why = f" ({note['why']})" if note.get("why") else ""
    return f"{by}{f' on {moment} UTC' if moment else ''}{why}"
