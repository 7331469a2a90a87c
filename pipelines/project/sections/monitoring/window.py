"""The section `monitoring.window`: which predictions a look judges."""

from pydantic import Field

from ..section import Section


class WindowConfig(Section):
    """Spans of predictions that a look judges. A span that is not over yet is never judged."""

    spans: int = Field(
        1, ge=1, le=1000, description="Number of spans that a look judges, the newest included."
    )
    earlier: int = Field(
        60,
        ge=1,
        le=1000,
        description="Maximum number of spans before them that they are compared with.",
    )
    catch_up: int = Field(
        14,
        ge=1,
        le=1000,
        description="Maximum number of windows that one run judges, if several were not judged yet.",
    )
    wait_seconds: int = Field(
        600,
        ge=0,
        description="Seconds after the end of a span, by its name, until it is judged: rows may come late.",
    )
