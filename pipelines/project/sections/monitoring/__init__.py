"""The section of retrain.yaml on monitoring, a file for each part of it."""
