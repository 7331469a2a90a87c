"""A project's settings: reading, checking and migrating retrain.yaml, and starting a project."""
