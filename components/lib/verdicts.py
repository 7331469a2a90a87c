"""What components pass on about models: the champion, the blessing and the serving check.

Each is an artifact's folder with one JSON file, which has a format number: a component raises an error for another
format.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import RetrainerError
from .record_format import check_format
from .uris import join, read_json, write_json

if TYPE_CHECKING:
    from .registry.model_versions import ModelVersion

FORMAT = 1

Artifact = TypeVar("Artifact", bound="_Artifact")


@dataclass(frozen=True)
class _Artifact:
    """An artifact of one file.

    Attributes:
        file: Name of the file, which each subclass sets.
        source: The component that writes it, which each subclass sets.
    """

    file: ClassVar[str]
    source: ClassVar[str]

    @classmethod
    def read(cls: type[Artifact], path: str) -> Artifact:
        """Read the artifact.

        Args:
            path: Its folder.

        Returns:
            The artifact; unknown keys are ignored.

        Raises:
            RetrainerError: If the file is missing, has another format, or lacks a key.
        """
        source = cls.source
        uri = join(path, cls.file)
        try:
            content = read_json(uri)
        except FileNotFoundError as error:
            raise RetrainerError(
                f"there is no '{uri}'; it comes from {source}. Run {source} first, and pass its output on."
            ) from error
        fix = f"Run {source} again with the same version as this component."
        check_format(content, FORMAT, f"'{uri}'", fix)
        known = {attribute.name: attribute for attribute in fields(cls)}
        needed = [name for name, one in known.items() if not _has_default(one)]
        missing = [name for name in needed if name not in content]
        if missing:
            raise RetrainerError(f"'{uri}' lacks '{missing[0]}'. Run {source} again.")
        values = {name: content[name] for name in known if name in content}
        # JSON has lists only.
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def write(self, path: str) -> None:
        """Write the artifact.

        Args:
            path: Its folder, which is made if missing.
        """
        write_json(join(path, self.file), {"format": FORMAT, **asdict(self)})


def _has_default(one: Any) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


@dataclass(frozen=True)
class Champion(_Artifact):
    """The model in service when a run started, if there is one.

    Attributes:
        version: Its number in the registry; None if no model is in service.
        uri: Folder of its SavedModel; None if no model is in service.
        digest: SHA-256 of the SavedModel's content.
        train_spans: The spans that it trained on, oldest first; empty if unknown.
        eval_spans: The spans that it was judged on, oldest first; empty if unknown.
        eval_versions: The version of each of these spans then; empty if unknown.
        eval_rows: How many rows they had in the eval split; None if unknown.
        settled: Why no model needs to be judged against it any more: the verdict of a push; otherwise empty.
    """

    version: int | None = None
    uri: str | None = None
    digest: str | None = None
    train_spans: tuple[str, ...] = ()
    eval_spans: tuple[str, ...] = ()
    eval_versions: Mapping[str, str] = field(default_factory=dict)
    eval_rows: int | None = None
    settled: str = ""

    file: ClassVar[str] = "champion.json"
    source: ClassVar[str] = "resolve_champion"

    @classmethod
    def of(cls, version: "ModelVersion | None") -> "Champion":
        """Describe a version of the registry; None for no model in service."""
        if version is None:
            return cls()
        info = version.info
        spans = tuple(info.get("eval_spans") or ())
        versions = info.get("span_versions") or {}
        return cls(
            version.version,
            version.uri,
            version.digest,
            train_spans=tuple(info.get("train_spans") or ()),
            eval_spans=spans,
            eval_versions={span: versions[span] for span in spans if span in versions},
            eval_rows=(info.get("rows") or {}).get("eval"),
        )

    @property
    def exists(self) -> bool:
        """Whether a model is in service."""
        return self.uri is not None

    @property
    def name(self) -> str:
        """Its name in messages, such as `champion version 3`."""
        return "champion" if self.version is None else f"champion version {self.version}"

    @property
    def absence(self) -> str:
        """Why nothing was compared, if there is no `uri`."""
        return "no champion yet" if self.version is None else f"{self.name} not compared"


@dataclass(frozen=True)
class Blessing(_Artifact):
    """Whether a model may go into service.

    Attributes:
        blessed: Whether it may.
        reasons: Why not, one sentence for each reason.
        verdict: The verdict in one sentence, which starts with `blessed: ` or `refused: `.
        model_digest: SHA-256 of the judged SavedModel's content, so that no other model is pushed.
        champion_version: Version of the champion that it was compared with and replaces; None for no champion.
        train_spans: The spans that the model trained on, oldest first.
        eval_spans: The spans that it was judged on, oldest first.
        span_versions: The version of each of these spans.
        rows: Number of rows by split, `train` and `eval`.
        data_digest: SHA-256 of the spans' versions and of how they were split; empty if unknown.
    """

    blessed: bool
    reasons: tuple[str, ...]
    verdict: str
    model_digest: str
    champion_version: int | None
    train_spans: tuple[str, ...] = ()
    eval_spans: tuple[str, ...] = ()
    span_versions: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    data_digest: str = ""

    file: ClassVar[str] = "blessing.json"
    source: ClassVar[str] = "evaluate_model"

    @property
    def newest_span(self) -> str:
        """The newest span that the model trained on or was judged on; empty if unknown."""
        return (self.eval_spans or self.train_spans or ("",))[-1]

    @property
    def summary(self) -> str:
        """The verdict without its first word: the numbers, or the reasons in short."""
        return self.verdict.partition(": ")[2]


@dataclass(frozen=True)
class ServingCheck(_Artifact):
    """Whether a model serves.

    Attributes:
        ok: Whether it does.
        reason: Why not; empty if it does.
        model_digest: SHA-256 of the checked SavedModel's content.
        rows: How many rows were sent.
        load_seconds: How long loading took, in seconds; None if it failed.
        latency_ms: Percentiles of single-row requests in milliseconds, `p50`, `p95` and `p99`; None if none was timed.
        warnings: What does not stop the model, one sentence each.
        latency_ms_by_batch: The same percentiles by batch size.
        memory_mb: Memory of the server in MiB: `loaded`, `before` and `after` a number of `requests`, and the `growth`
            of what is allocated meanwhile; None if it was not measured.
        tolerance: How far equal predictions may be apart, relative to them; see `Tolerance`.
    """

    ok: bool
    reason: str
    model_digest: str
    rows: int = 0
    load_seconds: float | None = None
    latency_ms: Mapping[str, float] | None = None
    warnings: tuple[str, ...] = field(default=())
    latency_ms_by_batch: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory_mb: Mapping[str, float] | None = None
    tolerance: float = 1e-4

    file: ClassVar[str] = "serving_check.json"
    source: ClassVar[str] = "check_serving"
