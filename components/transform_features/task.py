"""The task of transform_features: an earlier result for equal inputs, or the analysis.

TensorFlow is loaded for the analysis alone.
"""

import hashlib
from collections.abc import Sequence

from ..lib.features import SCHEMA_FILE
from ..lib.runs.reuse import Result, Work, reuse_or_make
from ..lib.uris import join, read_bytes


def transform_or_reuse(
    examples: str,
    schema: str,
    transform_graph: str,
    module: str,
    module_source: str,
    beam_args: Sequence[str],
    store: str,
    salt: str,
) -> str:
    """Analyse the training split, unless the store has the result of equal inputs.

    Args:
        examples: The examples artifact.
        schema: The schema artifact.
        transform_graph: Folder for the transform graph.
        module: Importable module of the user's code.
        module_source: Text of the user's code, in place of `module`.
        beam_args: Arguments of the Beam pipeline; none runs it in this process.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.

    Returns:
        The verdict.
    """
    work = Work(
        component="transform_features",
        parameters={
            "module": module,
            "module_source": module_source,
            "beam_args": list(beam_args),
        },
        inputs={"examples": examples, "schema": schema},
        outputs={"transform_graph": transform_graph},
        salt=salt,
    )

    def make() -> Result:
        from .transform import transform

        return Result(
            transform(examples, schema, transform_graph, module, module_source, beam_args)
        )

    return reuse_or_make(store, work, make).verdict


def digest_schema(path: str) -> str:
    """Hash the file of a schema artifact.

    Args:
        path: The artifact's folder.

    Returns:
        SHA-256 in hexadecimal digits; empty if there is no file.
    """
    try:
        return hashlib.sha256(read_bytes(join(path, SCHEMA_FILE))).hexdigest()
    except FileNotFoundError:
        return ""
