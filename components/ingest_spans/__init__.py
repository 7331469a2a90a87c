"""The component `ingest_spans`."""
