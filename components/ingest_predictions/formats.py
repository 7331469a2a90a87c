"""The formats of logs, by the names that retrain.yaml has for them."""

from .readers import READERS

VERTEX = "vertex"
"""A table, which has no reader of files."""
MAPPED = ("json_lines", "parquet")
"""Formats that leave open where records have what."""
WITHOUT_TIMES = ("kserve_parquet", "prediction_log")
"""Formats that have no times of requests."""
FORMATS = (*READERS, VERTEX)
