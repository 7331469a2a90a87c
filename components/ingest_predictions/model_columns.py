"""The columns of the table: what the champion takes, what identifies a row, and what else is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.predictions.prediction_table import table_schema
from ..lib.registry.registry import CHAMPION, ModelVersion, Registry
from ..lib.saved_models.model_signature import OUTPUT, read_signature
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.declared_types import read_schema_types
from ..lib.source_rows.input_types import types_of_inputs
from ..lib.source_rows.pseudonymize import key_digest, read_key
from ..lib.store import Store
from .settings import LogSettings


@dataclass(frozen=True)
class ModelColumns:
    """What is kept of a request's rows.

    Attributes:
        champion: The version that serves.
        features: Names of the columns that it takes.
        types: The type of each column that is kept, in the table's order.
        outputs: How many numbers it returns for a row.
        key: Columns that identify a row.
        hashed: Private columns among them.
        hash_key: Key of the private columns.
    """

    champion: ModelVersion
    features: tuple[str, ...]
    types: Mapping[str, ColumnType]
    outputs: int
    key: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    hash_key: bytes = b""

    @property
    def only(self) -> str:
        """The one column of a model that takes one; empty for others."""
        return self.features[0] if len(self.features) == 1 else ""

    def schema(self) -> pa.Schema:
        """Return the table's schema."""
        inputs = pa.schema(
            [
                pa.field(name, pa.string() if name in self.hashed else _arrow_type(one))
                for name, one in self.types.items()
            ]
        )
        return table_schema(inputs, self.outputs, self.features, self.key)

    def made_of(self) -> list[object]:
        """Return what of it makes other rows."""
        return [
            list(self.features),
            [[name, one.value] for name, one in self.types.items()],
            self.outputs,
            list(self.key),
            list(self.hashed),
            key_digest(self.hash_key) if self.hashed else "",
        ]


def find_columns(store: str, settings: LogSettings, schema_uri: str = "") -> ModelColumns:
    """Find out which columns a table has.

    Args:
        store: URI of the store.
        settings: Of the log.
        schema_uri: A curated schema, which declares types; empty for the one that is frozen in the store.

    Raises:
        RetrainerError: If no model is in service, or there is no key for private columns.
    """
    registry = Registry(Store(store).models_uri)
    champion = registry.resolve(CHAMPION)
    if champion is None:
        raise RetrainerError(
            f"no model is in service in '{registry.uri}', so nothing says which columns the logs have. Train one with "
            "'retrainer run' before its predictions are monitored."
        )
    signature = read_signature(champion.uri)
    output = settings.output or (OUTPUT if OUTPUT in signature.outputs else "")
    if output not in signature.outputs and len(signature.outputs) > 1:
        raise RetrainerError(
            f"version {champion.version} returns {', '.join(sorted(signature.outputs))}, and none of them is called "
            f"'{output or OUTPUT}'. Name the one that counts (monitoring.predictions.output)."
        )
    declared = read_schema_types(store, schema_uri)
    taken = {name: kind for name, kind in signature.inputs.items() if name not in settings.drop}
    of_model = types_of_inputs(taken, declared)
    own = settings.mapping.columns
    names = dict.fromkeys([*settings.key, *taken, *settings.columns, *own])
    types = {
        name: ColumnType.TEXT
        if name in settings.hash
        else of_model.get(name, declared.get(name, ColumnType.TEXT))
        for name in names
        if name not in settings.drop
    }
    hashed = tuple(name for name in types if name in settings.hash)
    return ModelColumns(
        champion,
        tuple(taken),
        types,
        signature.outputs.get(output, next(iter(signature.outputs.values()), 1)),
        tuple(name for name in settings.key if name in types),
        hashed,
        read_key(settings.hash_key_env, settings.hash_key_file) if hashed else b"",
    )


def _arrow_type(one: ColumnType) -> pa.DataType:
    return pa.string() if one == ColumnType.EMPTY else one.arrow_type
