"""The section `monitoring.labels`: where labels that come later are."""

from pydantic import Field

from ..section import Section


class LabelsConfig(Section):
    """Labels of requests, which come later."""

    pattern: str | None = Field(
        None,
        description="URI pattern of the files with labels; if null, no label is joined, and quality is only estimated. "
        "A relative path starts at retrain.yaml's folder.",
    )
