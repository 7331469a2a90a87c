"""Readers of logs, one module for each format.

A reader is made by `open_reader(context)` of its module, see `Reader` in `reader.py`. A new format is its module and a
line here.
"""

READERS = {
    "serve_log": "retrainer.components.ingest_predictions.readers.serve_log",
    "json_lines": "retrainer.components.ingest_predictions.readers.json_lines",
}
"""The module of each format by its name, as retrain.yaml has it."""
