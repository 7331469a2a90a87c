"""Rows of source files and tables: found, read, cast to their final types."""
