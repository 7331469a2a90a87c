"""The commands of `retrainer`, one module for each group."""
