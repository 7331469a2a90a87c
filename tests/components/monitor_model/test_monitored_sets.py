"""Which tables of predictions are monitored."""

from retrainer.components.lib.predictions.prediction_sets import INGEST_PREDICTIONS, RECORD_FILE
from retrainer.components.lib.uris import join, read_json, write_json
from retrainer.components.monitor_model.monitored_sets import (
    monitored_joined,
    monitored_predictions,
)

from .checks.realised_world import World


def test_tables_with_all_outputs_are_left_out_where_one_output_is_judged(tmp_path):
    world = World(tmp_path)
    for day in range(2):
        world.serve(day)
        world.look(day)
    batch, log = monitored_predictions(world.store, "")
    record = join(log.uri, RECORD_FILE)
    write_json(record, read_json(record) | {"writer": INGEST_PREDICTIONS})
    assert [one.span for one in monitored_predictions(world.store, "late")] == [log.span]
    assert [one.span for one in monitored_joined(world.store, "late")] == [log.span]
    assert [one.span for one in monitored_joined(world.store, "")] == [log.span, batch.span]
