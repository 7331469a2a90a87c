"""Where runs go: Vertex AI Pipelines and Kubeflow Pipelines behind one small interface."""
