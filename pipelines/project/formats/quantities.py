"""Cores and bytes of a task, by the rules of kfp's compiler, with what to write in place of what it does not take."""

import re
from decimal import Decimal

# The rules: kubeflow/pipelines, sdk/python/kfp/dsl/pipeline_task.py (_validate_cpu_request_limit,
# _validate_memory_request_limit). Kubernetes takes more (1.5Gi, 1e9), which kfp refuses. The same in 2.13 and 2.16.1.
_MEMORY = re.compile(r"([0-9]+)(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?")
_FRACTION = re.compile(r"([0-9]*\.[0-9]+)([EPTGMK]i)")
_SPELLED = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kKmMgGtTpP])(i?)([bB]?)(?:ytes?)?", re.ASCII)
_CPU = re.compile(r"([0-9]*\.)?[0-9]+|[0-9]+m")
_CORES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:v?cpus?|cores?)", re.IGNORECASE)
_BINARY = "KMGTPE"
LEAST_BYTES = 2**20
"""Less is a number that lacks its unit: no task runs in it."""


def check_memory(text: str) -> str:
    """Check an amount of memory.

    Args:
        text: Bytes, such as `16Gi`.

    Returns:
        The same.

    Raises:
        ValueError: If it can't be compiled, or is too little to mean anything; with what to write.
    """
    if not (found := _MEMORY.fullmatch(text)):
        raise ValueError(f"not a number of bytes that a pipeline takes. {_instead(text)}")
    number, unit = int(found[1]), found[2] or ""
    if number * _factor(unit) < LEAST_BYTES:
        advice = f"write {number or 16}Gi for gibibytes" if not unit else "write such as 16Gi"
        raise ValueError(f"{number * _factor(unit)} bytes, too little for a task; {advice}")
    return text


def check_cpu(text: str) -> str:
    """Check a number of cores.

    Args:
        text: Cores, such as `4`, `0.5` or `500m`.

    Returns:
        The same.

    Raises:
        ValueError: If it can't be compiled, or is none; with what to write.
    """
    if not _CPU.fullmatch(text):
        cores = _CORES.fullmatch(text.strip())
        advice = f"write {cores[1]}" if cores else "write such as 4, 0.5 or 500m (thousandths)"
        raise ValueError(f"not a number of cores; {advice}")
    if not Decimal(text.removesuffix("m")):
        raise ValueError(
            "no core at all; write such as 1 or 500m, or leave it out for the target's own"
        )
    return text


def count_bytes(text: str | None) -> int:
    """Return the bytes of an amount that `check_memory` takes; 0 if there is none."""
    found = _MEMORY.fullmatch(text or "")
    return int(found[1]) * _factor(found[2] or "") if found else 0


def count_cores(text: str | None) -> Decimal:
    """Return the number of cores that `check_cpu` takes; 0 if there is none."""
    value = Decimal((text or "0").removesuffix("m"))
    return value / 1000 if text and text.endswith("m") else value


def _instead(text: str) -> str:
    if fraction := _FRACTION.fullmatch(text):
        smaller = _BINARY["KMGTPE".index(fraction[2][0]) - 1] if fraction[2][0] != "K" else ""
        size = Decimal(fraction[1]) * 1024
        if smaller and size == int(size):
            return f"Write whole units: {int(size)}{smaller}i"
    if (spelled := _SPELLED.fullmatch(text.strip())) and "." not in spelled[1]:
        number, unit, binary = spelled[1], spelled[2].upper(), spelled[3]
        if binary:
            return f"Write {number}{unit}i"
        return f"Write {number}{unit}i, or {number}{unit} for {number} times {_words(unit)} bytes"
    return "Write a whole number and a unit: Ki, Mi, Gi or Ti, such as 16Gi"


def _words(unit: str) -> str:
    return f"{1000 ** (_BINARY.index(unit) + 1):,}"


def _factor(unit: str) -> int:
    if not unit:
        return 1
    base = 1024 if unit.endswith("i") else 1000
    return int(base ** (_BINARY.index(unit[0]) + 1))
