"""The base class of every section of retrain.yaml."""

from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A section of retrain.yaml: immutable, and no key that it does not know."""

    # A validator is built for the section that is read, once, with all that is in it, and not for each class.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    empty_is_a_value: ClassVar[frozenset[str]] = frozenset()
    """Keys in which an empty text says something else than null."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, value: Any) -> Any:
        """Treat null as a missing key, and an empty text, too, where a setting may be unset.

        A section whose lines are all comments is null to YAML, and empty is what an unset environment variable gives.
        """
        if not isinstance(value, dict):
            return value
        kept = {}
        for key, one in value.items():
            field = cls.model_fields.get(key) if isinstance(key, str) else None
            if field is not None and one == "" and cls.empty_is_unset(key):
                one = None
            # A null of one task stands against the value that holds for all of them.
            if field is None or one is not None or may_be_unset(field):
                kept[key] = one
        return kept

    @classmethod
    def empty_is_unset(cls, key: str) -> bool:
        """Return whether a key's empty text is read as null."""
        return may_be_unset(cls.model_fields[key]) and key not in cls.empty_is_a_value


def may_be_unset(field: FieldInfo) -> bool:
    """Return whether a key's value may be null: every optional setting without a default."""
    return not field.is_required() and field.default is None


def without_null(kind: Any) -> Any:
    """Return a field's type without null and without rules."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kinds = [one for one in get_args(kind) if one is not NoneType]
        if get_origin(kind) is not Annotated and len(kinds) > 1:
            return kind
        kind = kinds[0]
    return kind


def is_section(kind: Any) -> bool:
    """Return whether a type is a section."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def with_text_keys(value: Any) -> Any:
    """Convert the keys of mappings to text at any depth, as in JSON."""
    if isinstance(value, dict):
        return {str(key): with_text_keys(inner) for key, inner in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value
