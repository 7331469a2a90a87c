"""Work items, shared out by an engine's own means, after a check that a worker of another Python can still make."""

import pickle

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.testing.util import assert_that, equal_to

from retrainer.components.lib.engine import work_items
from retrainer.components.lib.engine.pipelines import pipeline_options
from retrainer.components.lib.engine.work_items import WorkItems, versions
from retrainer.components.lib.errors import RetrainerError


def test_each_item_is_worked_on_once():
    items = [("a", 1), ("a", 1), ("b", 2)]
    with beam.Pipeline(options=pipeline_options()) as pipeline:
        assert_that(pipeline | WorkItems(items), equal_to(items))


def test_no_byte_code_stands_before_the_check_of_versions():
    pipeline = beam.Pipeline(options=pipeline_options())
    _ = pipeline | "Items" >> WorkItems([1])
    proto = pipeline.to_runner_api()
    payloads = [
        beam_runner_api_pb2.ParDoPayload.FromString(one.spec.payload).do_fn.payload
        for one in proto.components.transforms.values()
        if one.spec.urn == "beam:transform:pardo:v1"
    ]
    assert len(payloads) == 2
    for payload in payloads:
        plain = beam.internal.pickler.loads(payload)
        assert type(plain[0]).__module__ == work_items.__name__
        # Python's own pickle has no byte code.
        pickle.dumps(plain)


def test_workers_of_other_versions_stop_before_any_item(monkeypatch):
    pipeline = beam.Pipeline(options=pipeline_options())
    monkeypatch.setattr(work_items, "versions", lambda: {"Python": "3.9", "Beam": "2.50"})
    _ = pipeline | WorkItems([1]) | beam.Map(print)
    monkeypatch.setattr(work_items, "versions", versions)
    with pytest.raises(
        RetrainerError, match=r"workers run Python 3\.\d+, Beam .* task Python 3\.9"
    ):
        pipeline.run()
