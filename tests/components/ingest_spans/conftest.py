"""A project of three small spans, and how to ingest it."""

import pytest

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.settings import IngestSettings

HEADER = "id,city,amount,label\n"


@pytest.fixture
def project(tmp_path):
    """A folder with `span(name, text)` to write a source and `run(...)` to ingest."""

    class Project:
        pattern = str(tmp_path / "in" / "{span}.csv")
        store = str(tmp_path / "store")

        def span(self, name, text):
            path = tmp_path / "in" / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

        def run(self, window=3, span="latest", eval_spans=1, min_spans=0, marker="", **settings):
            output = tmp_path / "examples"
            verdict = ingest(
                self.pattern,
                self.store,
                IngestSettings(**{"label": "label", **settings}),
                str(output),
                span=span,
                window=window,
                eval_spans=eval_spans,
                min_spans=min_spans,
                marker=marker,
            ).verdict
            return Examples.read(output), verdict

    made = Project()
    for name in "123":
        made.span(name, HEADER + "".join(f"{name}{i},Ulm,{i}.5,{i % 2}\n" for i in range(10)))
    return made
