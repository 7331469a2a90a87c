"""Which spans are excluded is remembered in the store, with every reason."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.spans.exclusions import exclude, include, read_exclusions


def test_a_span_is_excluded_and_included_and_the_reasons_stay(tmp_path):
    store = str(tmp_path)
    assert read_exclusions(store) == {}
    exclude(store, "2024-01-02", "sensor broken", "ana")
    exclude(store, "2024/01/03", "sensor broken still", "ana")
    one = read_exclusions(store)["2024-01-02"]
    assert (one.why, one.who, one.when[:2]) == ("sensor broken", "ana", "20")
    assert include(store, "2024-01-02", "ben").why == "sensor broken"
    assert list(read_exclusions(store)) == ["2024/01/03"]
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.rglob("*.json"))]
    assert [(r["change"]["what"], r["change"]["who"]) for r in records] == [
        ("exclude", "ana"),
        ("exclude", "ana"),
        ("include", "ben"),
    ]
    with pytest.raises(RetrainerError, match=r"'2024-01-02' is not excluded.*2024/01/03"):
        include(store, "2024-01-02", "ben")


def test_of_two_people_at_once_neither_is_lost(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: exclude(str(tmp_path), str(i), "wrong", "x"), range(4)))
    assert sorted(read_exclusions(str(tmp_path))) == ["0", "1", "2", "3"]
