"""The pipelines themselves, and compiling them."""
