"""Vertex AI Pipelines as a target."""
