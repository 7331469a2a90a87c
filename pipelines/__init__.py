"""The continuous training pipeline: its configuration, its runners and its command line."""
