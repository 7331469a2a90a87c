"""Kubeflow Pipelines as a target."""
