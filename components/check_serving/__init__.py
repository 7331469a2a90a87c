"""The component `check_serving`."""
