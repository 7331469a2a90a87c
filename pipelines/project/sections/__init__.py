"""The sections of retrain.yaml."""
