"""The eval rows of each output, in words."""

from ..lib.examples import Examples


def label_words(examples: Examples, output: str) -> str:
    """Name an output's labels in words."""
    columns = " and ".join(examples.outputs[output])
    return f"{columns} (output {output})" if output and columns != output else columns


def output_words(output: str) -> str:
    """Return what follows a model's name to say which output is meant; empty for models with one."""
    return f" (output '{output}')" if output else ""
