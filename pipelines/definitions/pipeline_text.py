"""Writing a compiled pipeline so that each of its readers reads the same: PyYAML, Go's and JavaScript's YAML, JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

KFP_HEADER = "# PIPELINE DEFINITION"
"""What a file begins with that kfp's compiler writes."""
# What YAML 1.2 and Go's gopkg.in/yaml.v3 (resolve.go) take for a number, and YAML 1.1 for text, such as 08 and 1e3.
# Kubeflow's API server reads uploaded files with the one, kfp and Vertex AI's client with the other.
_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?0[oO][0-7_]+|[-+]?0[bB][01_]+|[-+]?0[xX][0-9a-fA-F_]+"
)
# What stands outside ASCII does so within strings, where JSON takes the escape for the character.
_TO_ESCAPE = re.compile("[\x7f-\uffff]")


class _Dumper(yaml.CSafeDumper):
    """Quotes text that any reader could take for something else."""


class _Quoted(str):
    """Text that stands in quotes."""


def to_yaml(*documents: Mapping[str, Any], header: str = "") -> str:
    """Write documents as YAML.

    Args:
        documents: The documents; of more than one, each but the first begins after `---`.
        header: Comments that stand before them.

    Returns:
        The text.
    """
    texts = (
        yaml.dump(_quoted(document), Dumper=_Dumper, sort_keys=True, allow_unicode=False)
        for document in documents
    )
    return header + "---\n".join(texts)


def to_json(document: Mapping[str, Any]) -> str:
    """Write a document as JSON that is YAML, too: kfp and Vertex AI's client read JSON files with PyYAML.

    So a character is escaped if YAML could take it for a line break or refuse it, and one beyond 16 bits, such as an
    emoji, is not: its escape is a pair of surrogates in JSON, which YAML does not join.

    Args:
        document: The document.

    Returns:
        The text, with a line break at its end.
    """
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return _Quoted(value) if _NUMBER.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(inner) for key, inner in value.items()}
    return [_quoted(item) for item in value] if isinstance(value, list) else value


_Dumper.add_representer(
    _Quoted,
    lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="'"),
)
