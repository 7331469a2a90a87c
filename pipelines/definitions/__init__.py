"""The pipelines themselves, and compiling them."""

from ...components.lib.lean_imports import enter_lean

# kfp's client, which compiling does not use, imports all models of it.
enter_lean("kubernetes", "kubernetes.client")
