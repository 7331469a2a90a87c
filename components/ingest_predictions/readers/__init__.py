"""Readers of logs, one module for each format.

A reader is made by `open_reader(context)` of its module, see `Reader` in `reader.py`. A new format is its module and a
line here.
"""

READERS = {
    "serve_log": "retrainer.components.ingest_predictions.readers.serve_log",
    "kserve_events": "retrainer.components.ingest_predictions.readers.kserve_events",
    "kserve_parquet": "retrainer.components.ingest_predictions.readers.kserve_parquet",
    "prediction_log": "retrainer.components.ingest_predictions.readers.prediction_log",
    "json_lines": "retrainer.components.ingest_predictions.readers.json_lines",
    "parquet": "retrainer.components.ingest_predictions.readers.parquet",
}
"""The module of each format by its name, as retrain.yaml has it."""
