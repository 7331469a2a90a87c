"""The section `monitoring.predictions`: where the logs of what serves are."""

from typing import Literal

from pydantic import Field

from ..section import Section


class PredictionLogsConfig(Section):
    """Logs of requests and answers. Without a `uri`, what `predict_batch` wrote is monitored."""

    uri: str | None = Field(
        None,
        description="Folder or URI of the logs; if null, the tables in the store are monitored as they are. A relative "
        "path starts at retrain.yaml's folder.",
    )
    period: Literal["day", "hour"] = Field(
        "day", description="Time that a span of predictions covers, in UTC."
    )
