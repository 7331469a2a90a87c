"""The formats of logs, by the names that retrain.yaml has for them."""

from .readers import READERS

VERTEX = "vertex"
"""A table, which has no reader of files."""
FORMATS = (*READERS, VERTEX)
