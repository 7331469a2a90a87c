"""Components of continuous training, each usable alone in any Kubeflow pipeline.

Importing this package imports kfp alone: a component's libraries load where it runs.
"""
