"""The component `notify_outcome`."""
