"""Where a person looks at a run, on each target."""

import re
from dataclasses import dataclass

from ..lib.consoles import kubeflow_run_page, vertex_page
from ..lib.runs.run_records import RunKey
from ..lib.store import Store
from ..lib.uris import join

_VERTEX = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/pipelineJobs/(?P<id>[^/]+)"
)
_INDEX = "index.html"


@dataclass(frozen=True)
class RunPage:
    """The values of kfp's placeholders for a run.

    Attributes:
        resource_name: The job's resource name on Vertex AI; elsewhere another name of the run.
        run_uuid: The run's id on Kubeflow.
        kubeflow_url: Address of Kubeflow Pipelines that people open; empty if that is not known.
    """

    resource_name: str = ""
    run_uuid: str = ""
    kubeflow_url: str = ""

    def is_local(self, key: RunKey) -> bool:
        """Check whether the run is one of the local runner, which fills in its name for each placeholder."""
        return self.run_uuid == key.name and self.resource_name in ("", key.name)

    def link(self, store: str, key: RunKey) -> str:
        """Return the link to a run's page.

        Args:
            store: URI of the store, which has the page of a run of the local runner.
            key: The run.

        Returns:
            A URL, or a local path; empty if it is not known.
        """
        if match := _VERTEX.fullmatch(self.resource_name):
            return vertex_page(match["project"], match["region"], "runs", match["id"])
        if self.is_local(key):
            # The runner writes it when the run has ended.
            return join(Store(store).runs_uri, key.folder, _INDEX)
        if not self.kubeflow_url or not self.run_uuid:
            return ""
        return kubeflow_run_page(self.kubeflow_url, self.run_uuid)
