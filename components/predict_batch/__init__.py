"""The component `predict_batch`."""
