"""The result of a push, for the tasks after it."""

from dataclasses import asdict, dataclass, fields

from ..lib.errors import RetrainerError
from ..lib.uris import join, read_json, write_json

PUSHED_FILE = "pushed.json"


@dataclass(frozen=True)
class Pushed:
    """What became of a push.

    Attributes:
        pushed: Whether the model is in service now.
        version: Its version; None if it is not in service.
        reason: Why it is not; empty if it is.
        verdict: The push's verdict.
        again: Whether the model must be judged again, against another champion.
    """

    pushed: bool
    version: int | None
    reason: str = ""
    verdict: str = ""
    again: bool = False

    def write(self, path: str) -> None:
        """Write it into the artifact's folder, which is made if missing."""
        write_json(join(path, PUSHED_FILE), asdict(self))

    @classmethod
    def read(cls, path: str) -> "Pushed":
        """Read it.

        Raises:
            RetrainerError: If it is not there.
        """
        uri = join(path, PUSHED_FILE)
        try:
            content = read_json(uri)
        except FileNotFoundError as error:
            raise RetrainerError(
                f"there is no '{uri}'; it comes from push_model. Pass the output of the earlier push on."
            ) from error
        return cls(
            **{
                attribute.name: content[attribute.name]
                for attribute in fields(cls)
                if attribute.name in content
            }
        )
