"""What Kubeflow Pipelines' API takes: bodies, query parameters, pages, filters and cron expressions."""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

import kfp_server_api
from aiohttp import web

_NATIVE = {"str": str, "int": int, "bool": bool, "datetime": str, "object": object}
_CRON_FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_WORDS = (
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
)
_CRON_PART = re.compile(r"([*?]|\w+(-\w+)?)(/[0-9]+)?")


class Refusal(Exception):  # noqa: N818
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


LISTING = ("page_token", "page_size", "sort_by", "filter")


def required(body: dict[str, Any], key: str) -> Any:
    if not body.get(key):
        raise Refusal(400, f"Invalid input error: {key} is empty")
    return body[key]


def read_query(request: web.Request, *known: str) -> dict[str, str]:
    for name in request.query:
        if name not in known:
            raise Refusal(400, f"unknown query parameter {name}")
    return dict(request.query)


def find(
    things: Iterable[dict[str, Any]], key: str, request: web.Request, *known: str
) -> dict[str, Any]:
    read_query(request, *known)
    for its in things:
        if its[key] == request.match_info["id"]:
            return its
    raise Refusal(404, f"{key} {request.match_info['id']} not found.")


async def read_body(request: web.Request, model: str) -> dict[str, Any]:
    read_query(request)
    try:
        data = json.loads(await request.read())
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error
    return parse(data, model, model)


def parse(data: Any, kind: str, where: str) -> Any:
    """Check data against one of KFP's models, and give it without what is null."""
    if kind.startswith("list["):
        return [parse(its, kind[5:-1], where) for its in _is(list, data, where)]
    if kind.startswith("dict("):
        inner = kind[5:-1].partition(", ")[2]
        return {key: parse(its, inner, where) for key, its in _is(dict, data, where).items()}
    if where.endswith(".max_concurrency"):
        # An int64 is a text in JSON; the service takes a number, too.
        return int(data)
    if kind in _NATIVE:
        return _is(_NATIVE[kind], data, where)
    model = getattr(kfp_server_api, kind)
    if hasattr(model, "allowable_values"):
        if data not in model.allowable_values:
            raise Refusal(400, f"{where} is '{data}'")
        return data
    kinds = {name: model.openapi_types[its] for its, name in model.attribute_map.items()}
    parsed = {}
    for key, value in _is(dict, data, where).items():
        if key not in kinds:
            raise Refusal(400, f'unknown field "{key}" in {where}')
        if value is not None:
            parsed[key] = parse(value, kinds[key], f"{where}.{key}")
    return parsed


def _is(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, kind):
        raise Refusal(400, f"{where} is a {type(data).__name__} and not a {kind.__name__}")
    return data


def make_page(field: str, things: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    spec = query.get("filter", "")
    matching = [its for its in things if all(_holds(its, one) for one in _predicates(spec))]
    name, _, order = query.get("sort_by", "").partition(" ")
    if name not in ("", "created_at", "display_name") or order not in ("", "asc", "desc"):
        raise Refusal(400, f"Cannot sort on field {name}.")
    matching.sort(key=lambda its: its[name or "created_at"], reverse=order == "desc")
    criteria = [spec, name, order]
    start = 0
    if token := query.get("page_token"):
        start, *of_token = json.loads(base64.b64decode(token))
        if of_token != criteria and criteria != ["", "", ""]:
            raise Refusal(400, "page token does not match the supplied sort by and/or filter")
    size = min(int(query.get("page_size") or 20) or 20, 200)
    page: dict[str, Any] = {
        field: matching[start : start + size],
        "total_size": len(matching),
    }
    if start + size < len(matching):
        token = json.dumps([start + size, *criteria])
        page["next_page_token"] = base64.b64encode(token.encode()).decode()
    return page


def _predicates(spec: str) -> list[dict[str, Any]]:
    """Read a filter as the service does: unquoted once more, protobuf's JSON with names in either style."""
    if not spec:
        return []
    try:
        data = json.loads(unquote_plus(spec))
    except ValueError as error:
        raise Refusal(400, f'failed to parse valid filter from "{spec}": {error}') from error
    operations = kfp_server_api.V2beta1PredicateOperation.allowable_values
    for predicate in data.get("predicates", []):
        for key in list(predicate):
            predicate[re.sub(r"[A-Z]", lambda its: "_" + its[0].lower(), key)] = predicate.pop(key)
        if isinstance(predicate.get("operation"), int):
            predicate["operation"] = operations[predicate["operation"]]
    predicates = parse(data, "V2beta1Filter", "filter")["predicates"]
    for predicate in predicates:
        if predicate.get("key") not in ("display_name", "name"):
            raise Refusal(400, f"no support for filtering on field {predicate.get('key')}")
        if predicate.get("operation") not in ("EQUALS", "NOT_EQUALS", "IS_SUBSTRING"):
            raise Refusal(400, f"invalid predicate operation: {predicate.get('operation')}")
    return predicates


def _holds(its: dict[str, Any], predicate: dict[str, Any]) -> bool:
    name, value = its["display_name"].lower(), predicate["string_value"].lower()
    return {
        "EQUALS": name == value,
        "NOT_EQUALS": name != value,
        "IS_SUBSTRING": value in name,
    }[predicate["operation"]]


def check_cron(cron: str) -> None:
    """Check an expression as robfig/cron v1 does, which the service has: seconds first, and no time zone."""
    fields = cron.split()
    if len(fields) != len(_CRON_FIELDS):
        raise Refusal(400, f"Expected exactly 6 fields, found {len(fields)}: {cron}")
    words = {word: index + 1 for index, word in enumerate(_CRON_WORDS[0])}
    words |= {word: index for index, word in enumerate(_CRON_WORDS[1])}
    for field, (least, greatest) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            if not _CRON_PART.fullmatch(part):
                raise Refusal(400, f"Failed to parse {part} of {cron}")
            for end in re.findall(r"\w+", part.partition("/")[0]):
                number = int(end) if end.isdigit() else words.get(end.lower(), -1)
                if not least <= number <= greatest:
                    raise Refusal(400, f"{part} of {cron} is out of range [{least}, {greatest}]")
