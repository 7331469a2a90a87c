"""Parsing the settings of validation; errors name the setting's path."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.words import did_you_mean
from .finding_kinds import ERROR, IGNORE, WARNING
from .findings import Severities
from .limits import DEFAULT_THRESHOLDS, MEASURES, Comparators, Domain, Settings


def parse_settings(
    domains: Mapping[str, Any] | None = None,
    drift: Mapping[str, Any] | None = None,
    skew: Mapping[str, Any] | None = None,
    severity: Mapping[str, Any] | None = None,
    **numbers: float,
) -> Settings:
    """Parse settings as a pipeline passes them.

    Args:
        domains: `{column: {min:, max:, values:, min_domain_mass:}}`.
        drift: `{measure: threshold, columns: {column: {measure: threshold}}}`.
        skew: As `drift`.
        severity: `{kind: severity, columns: {column: severity or {kind: severity}}}`.
        **numbers: The numbers of `Settings` by name; the others keep their defaults.

    Raises:
        RetrainerError: If a key is unknown or a value is out of range.
    """
    for name, value in numbers.items():
        check = _CHECKS.get(name)
        if check is None:
            raise RetrainerError(f"validation has no '{name}'. It takes {', '.join(_CHECKS)}.")
        check(f"validation.{name}", value)
    return Settings(
        domains={column: _domain(column, value) for column, value in (domains or {}).items()},
        drift=_comparators("validation.drift", drift or {}),
        skew=_comparators("validation.skew", skew or {}),
        severities=_severities(severity or {}),
        **numbers,
    )


def _domain(column: str, value: Any) -> Domain:
    path = f"validation.domains.{column}"
    _check_keys(path, value, ("min", "max", "values", "min_domain_mass"))
    low, high = value.get("min"), value.get("max")
    for name, bound in (("min", low), ("max", high)):
        if bound is not None and not _is_finite(bound):
            raise RetrainerError(f"{path}.{name} is {bound!r}; set a number.")
    if low is not None and high is not None and low > high:
        raise RetrainerError(f"{path} has min {low:g} above max {high:g}.")
    values = value.get("values")
    values = () if values is None else values
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise RetrainerError(f"{path}.values is {values!r}; set a list of texts.")
    if values and (low is not None or high is not None):
        raise RetrainerError(f"{path} has values and min or max; text has values, numbers a range.")
    if value.get("min_domain_mass") is not None:
        _check_share(f"{path}.min_domain_mass", value["min_domain_mass"])
    return Domain(low, high, tuple(values), value.get("min_domain_mass"))


def _comparators(path: str, value: Mapping[str, Any]) -> Comparators:
    _check_keys(path, value, (*MEASURES, "columns"))
    usual = {name: threshold for name, threshold in value.items() if name != "columns"}
    _check_thresholds(path, usual)
    columns = _columns(path, value)
    for column, own in columns.items():
        _check_keys(f"{path}.columns.{column}", own, MEASURES)
        _check_thresholds(f"{path}.columns.{column}", own)
    return Comparators({**DEFAULT_THRESHOLDS, **usual}, columns, frozenset(usual))


def _severities(value: Mapping[str, Any]) -> Severities:
    if not value:
        return Severities({}, {})
    # Here, since the kinds stand beside their checks, which need more than most settings do.
    from .checks import known_kinds

    names = tuple(known_kinds())
    _check_keys("validation.severity", value, (*names, "columns"))
    kinds = {name: choice for name, choice in value.items() if name != "columns"}
    for name, choice in kinds.items():
        _check_severity(f"validation.severity.{name}", choice)
    columns = _columns("validation.severity", value)
    for column, own in columns.items():
        path = f"validation.severity.columns.{column}"
        if isinstance(own, str):
            _check_severity(path, own)
            continue
        _check_keys(path, own, names)
        for name, choice in own.items():
            _check_severity(f"{path}.{name}", choice)
    return Severities(kinds, columns)


def _columns(path: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    columns = value.get("columns")
    columns = {} if columns is None else columns
    if not isinstance(columns, Mapping):
        raise RetrainerError(f"{path}.columns is {columns!r}; set a mapping by column.")
    return columns


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_keys(path: str, value: Any, known: Iterable[str]) -> None:
    if not isinstance(value, Mapping):
        raise RetrainerError(f"{path} is {value!r}; set a mapping of {', '.join(known)}.")
    for name in value:
        if name not in known:
            hint = did_you_mean(name, known)
            raise RetrainerError(f"{path} has no '{name}'.{hint} It takes {', '.join(known)}.")


def _check_thresholds(path: str, thresholds: Mapping[str, Any]) -> None:
    for name, threshold in thresholds.items():
        if not _is_finite(threshold) or threshold < 0:
            raise RetrainerError(f"{path}.{name} is {threshold!r}; set a number of 0 or more.")


def _check_severity(path: str, choice: Any) -> None:
    if choice not in (ERROR, WARNING, IGNORE):
        raise RetrainerError(f"{path} is {choice!r}; use {ERROR}, {WARNING} or {IGNORE}.")


def _check_share(path: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RetrainerError(f"{path} is {value!r}; set a share between 0 and 1.")


def _check_factor(path: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise RetrainerError(f"{path} is {value!r}; set a number of 1 or more.")


_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "min_domain_mass": _check_share,
    "min_rows_fraction": _check_share,
    "max_label_change": _check_share,
    "max_rows_factor": _check_factor,
    "max_label_factor": _check_factor,
}
