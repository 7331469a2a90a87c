"""The component `ingest_predictions`."""
