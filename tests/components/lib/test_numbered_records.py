"""Records follow one another, whether or not each reply arrives."""

import pytest

from retrainer.components.lib import numbered_records
from retrainer.components.lib.numbered_records import NumberedRecords
from retrainer.components.lib.uris import create_exclusive, filesystem


@pytest.fixture(params=["local", "memory"])
def records(request, tmp_path):
    uri = str(tmp_path / "records") if request.param == "local" else f"memory://{tmp_path.name}"
    return NumberedRecords(uri)


def test_a_record_follows_the_newest_and_of_two_writers_one_is_first(records):
    assert records.newest() is None
    first = records.append({"by": "a"}, None)
    assert (first.number, records.newest().content) == (1, {"by": "a"})
    second = records.append({"by": "b"}, first)
    assert records.append({"by": "c"}, first) is None
    assert records.newest() == second


@pytest.mark.parametrize("created", [True, False])
def test_a_write_whose_reply_was_lost_counts_if_the_record_is_there(records, monkeypatch, created):
    def lose(uri, text):
        if created:
            create_exclusive(uri, text)
        raise ConnectionError("the reply was lost")

    monkeypatch.setattr(numbered_records, "create_exclusive", lose)
    if created:
        assert records.append({"by": "a"}, None) == records.newest()
    else:
        with pytest.raises(ConnectionError, match="the reply was lost"):
            records.append({"by": "a"}, None)
        assert records.newest() is None


def test_a_client_that_tried_twice_finds_its_own_record(records, monkeypatch):
    def create_twice(uri, text):
        create_exclusive(uri, text)
        return create_exclusive(uri, text)

    monkeypatch.setattr(numbered_records, "create_exclusive", create_twice)
    assert records.append({"by": "a"}, None) == records.newest()


def test_a_reply_that_was_lost_behind_another_writers_record_is_an_error(records, monkeypatch):
    def come_second(uri, text):
        create_exclusive(uri, '{"by": "another"}')
        raise ConnectionError("the reply was lost")

    monkeypatch.setattr(numbered_records, "create_exclusive", come_second)
    with pytest.raises(ConnectionError):
        records.append({"by": "a"}, None)
    assert records.newest().content == {"by": "another"}


def test_records_are_in_order_whatever_order_a_file_system_lists_them_in(tmp_path, monkeypatch):
    records = NumberedRecords(str(tmp_path / "records"))
    newest = None
    for number in range(1, 4):
        newest = records.append({"n": number}, newest)
    fs = type(filesystem(records.uri)[0])
    names = fs.ls

    def names_newest_first(self, path, detail=True, **options):
        return list(reversed(names(self, path, detail=detail, **options)))

    monkeypatch.setattr(fs, "ls", names_newest_first)
    assert records.numbers() == [1, 2, 3]
    assert records.newest() == newest
