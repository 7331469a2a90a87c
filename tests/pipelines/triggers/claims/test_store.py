import logging
import os
import shutil
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.numbered_records import NumberedRecords
from retrainer.components.lib.uris import filesystem
from retrainer.pipelines.targets.errors import UnavailableError
from retrainer.pipelines.triggers.claims import backends
from retrainer.pipelines.triggers.claims.backends import open_claims
from retrainer.pipelines.triggers.claims.files import FileClaims, _written

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["local", "memory"])
def uri(request, tmp_path):
    return str(tmp_path / "claims") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def test_records_follow_one_another(uri):
    claims = open_claims(uri)
    assert claims.read("runs/a") is None
    first = claims.write("runs/a", {"by": "one"}, None)
    second = claims.write("runs/a", {"by": "two"}, first)
    assert (first.number, second.number) == (1, 2)
    assert claims.read("runs/a") == second
    assert claims.read("runs/b") is None


def test_who_has_read_an_old_record_writes_nothing(uri):
    claims = open_claims(uri)
    first = claims.write("runs/a", {"by": "one"}, None)
    assert claims.write("runs/a", {"by": "two"}, None) is None
    claims.write("runs/a", {"by": "one", "again": True}, first)
    assert claims.write("runs/a", {"by": "two"}, first) is None
    assert claims.read("runs/a").content == {"by": "one", "again": True}


def test_a_write_that_is_sent_again_after_a_lost_reply_is_still_ours(uri):
    claims = open_claims(uri)
    assert claims.write("runs/a", {"nonce": "1"}, None)
    assert claims.write("runs/a", {"nonce": "1"}, None)


def test_other_stores_writes_are_seen_at_once(uri):
    one, other = open_claims(uri), open_claims(uri)
    first = one.write("runs/a", {"by": "one"}, None)
    assert other.read("runs/a") == first
    one.write("runs/a", {"by": "one", "again": True}, first)
    assert other.read("runs/a").number == 2


def test_of_many_writers_at_once_one_has_the_record(tmp_path):
    claims = [FileClaims(str(tmp_path)) for _ in range(16)]
    start = threading.Barrier(16)

    def write(number):
        start.wait()
        return claims[number].write("runs/a", {"by": number}, None)

    with ThreadPoolExecutor(16) as pool:
        written = [record for record in pool.map(write, range(16)) if record]
    assert len(written) == 1
    assert FileClaims(str(tmp_path)).read("runs/a") == written[0]


def test_half_written_files_of_a_writer_that_died_are_no_records(tmp_path):
    claims = open_claims(str(tmp_path))
    claims.write("runs/a", {"by": "one"}, None)
    (tmp_path / "runs" / "a" / "00000002.json.0f.tmp").write_text("{")
    assert claims.read("runs/a").number == 1


def test_a_file_system_that_writes_over_files_is_refused_at_start():
    class CarelessFileSystem(MemoryFileSystem):
        protocol = "careless"

        def pipe_file(self, path, value, mode="overwrite", **kwargs):
            return super().pipe_file(path, value, **kwargs)

    fsspec.register_implementation("careless", CarelessFileSystem, clobber=True)
    with pytest.raises(RetrainerError, match=r"careless://claims.*two replicas.*lease://"):
        open_claims("careless://claims")


def test_what_another_process_wrote_is_seen_in_spite_of_a_cached_listing():
    class CachingFileSystem(MemoryFileSystem):
        protocol = "caching"
        listings: ClassVar[dict] = {}

        def ls(self, path, detail=True, **kwargs):
            if path not in self.listings:
                self.listings[path] = super().ls(path, detail=detail, **kwargs)
            return self.listings[path]

        def invalidate_cache(self, path=None):
            self.listings.pop(path, None)

    fsspec.register_implementation("caching", CachingFileSystem, clobber=True)
    claims = open_claims("caching://claims")
    claims.write("runs/a", {"by": "one"}, None)
    assert claims.read("runs/a").number == 1
    fs, path = filesystem("caching://claims/runs/a")
    assert len(fs.ls(path)) == 1
    fs.pipe_file(f"{path}/00000002.json", b'{"by": "two"}')
    assert len(fs.ls(path)) == 1
    for each in (claims, open_claims("caching://claims")):
        assert each.read("runs/a").content == {"by": "two"}


def test_the_check_at_start_can_be_repeated_and_leaves_one_file(tmp_path):
    for _ in range(3):
        open_claims(str(tmp_path))
    assert [file.name for file in (tmp_path / "probe").iterdir()] == ["00000001.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match=r"claims at '.*/file/claims'.*trigger_service"):
        open_claims(str(tmp_path / "file" / "claims"))


@pytest.mark.parametrize(
    "call",
    [
        lambda claims: claims.read("runs/a"),
        lambda claims: claims.write("runs/b", {"by": "one"}, None),
        lambda claims: claims.sweep(NOW),
    ],
    ids=["read", "write", "sweep"],
)
def test_a_store_that_denies_access_is_named_with_its_reason(call):
    class LockedFileSystem(MemoryFileSystem):
        protocol = "locked"

        def deny(self, *arguments, **keywords):
            raise PermissionError("no such grant")

        find = ls = pipe_file = cat_file = info = deny

    fsspec.register_implementation("locked", LockedFileSystem, clobber=True)
    with pytest.raises(
        UnavailableError,
        match=r"claims at 'locked://claims'.* to 'locked://claims.* is denied.*no such grant",
    ):
        call(FileClaims("locked://claims"))


def test_an_unknown_protocol_is_named():
    with pytest.raises(RetrainerError, match="can't open 'ftpx://"):
        open_claims("ftpx://host/claims")


def test_a_record_that_somebody_spoilt_is_named(tmp_path):
    claims = open_claims(str(tmp_path))
    claims.write("runs/a", {"by": "one"}, None)
    (tmp_path / "runs" / "a" / "00000001.json").write_text("{")
    with pytest.raises(RetrainerError, match=r"runs/a/00000001\.json' is not the JSON"):
        claims.read("runs/a")


def test_old_keys_and_records_with_a_successor_are_deleted(tmp_path):
    def write(key, *ages):
        records: list = [None]
        for number, days in enumerate(ages, 1):
            records.append(claims.write(key, {"n": number}, records[-1]))
            file = tmp_path / key / f"{number:08}.json"
            os.utime(file, (NOW.timestamp() - days * 86_400,) * 2)

    claims = FileClaims(str(tmp_path))
    write("runs/old", 46, 46)
    write("runs/new", 44, 44)
    write("triggers/busy", 60, 50, 3, 1, 0)
    write("spans/old", 50)
    # At the bounds they stay.
    write("spans/edge", 45)
    write("triggers/edge", 2, 0)
    assert claims.sweep(NOW) == 2 + 1 + 3 + 1
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    assert left == [
        "runs/new/00000002.json",
        "spans/edge/00000001.json",
        "triggers/busy/00000004.json",
        "triggers/busy/00000005.json",
        "triggers/edge/00000001.json",
        "triggers/edge/00000002.json",
    ]
    # The sequence goes on, for a replica that knew of it and for one that starts.
    for each in (claims, FileClaims(str(tmp_path))):
        newest = each.read("triggers/busy")
        assert each.write("triggers/busy", {"by": id(each)}, newest).number == newest.number + 1
        assert each.read("runs/old") is None
    assert FileClaims(str(tmp_path / "none")).sweep(NOW) == 0


def test_the_newest_record_stays_where_a_file_system_lists_in_another_order(tmp_path, monkeypatch):
    claims, record = FileClaims(str(tmp_path)), None
    for number in (1, 2, 3):
        record = claims.write("triggers/busy", {"n": number}, record)
        file = tmp_path / "triggers" / "busy" / f"{number:08}.json"
        os.utime(file, (NOW.timestamp() - 40 * 86_400,) * 2)
    fs = type(filesystem(str(tmp_path))[0])
    find = fs.find

    def find_newest_first(self, path, **options):
        return dict(reversed(find(self, path, **options).items()))

    monkeypatch.setattr(fs, "find", find_newest_first)
    assert claims.sweep(NOW) == 2
    assert FileClaims(str(tmp_path)).read("triggers/busy") == record


def test_times_of_every_file_system_are_understood():
    named = {"mtime": NOW.timestamp(), "updated": "2026-03-01T12:00:00Z", "LastModified": NOW}
    assert {_written({key: value}) for key, value in named.items()} == {NOW}
    assert _written({"created": NOW.replace(tzinfo=None)}) == NOW
    assert _written({"size": 3}) is None


def test_a_key_that_is_known_is_not_listed_again(uri, monkeypatch):
    one, other = FileClaims(uri), FileClaims(uri)
    record = None
    for number in range(5):
        record = one.write("triggers/t", {"n": number}, record)
    other.read("triggers/t")
    listed: list = []
    monkeypatch.setattr(NumberedRecords, "numbers", lambda its: listed.append(its) or [])
    assert other.read("triggers/t").number == 5
    one.write("triggers/t", {"n": 6}, record)
    assert other.read("triggers/t").number == one.read("triggers/t").number == 6
    assert listed == []


def test_a_key_whose_records_somebody_deleted_starts_again(tmp_path):
    claims = FileClaims(str(tmp_path))
    claims.write("triggers/t", {"n": 1}, None)
    shutil.rmtree(tmp_path / "triggers")
    assert claims.read("triggers/t") is None


def test_only_claims_and_notices_are_deleted_whatever_else_lies_there(tmp_path):
    store = tmp_path / "store"
    others = [
        "runs/june/run.json",
        "runs/june/tasks/push_model.0123456789ab.json",
        "spans/2026-01/ab12/part-0.parquet",
        "models/aliases/champion/000001.json",
        "models/aliases/champion/000002.json",
        "data/00000001.json",
        "runs/a/00000001.json.0f.tmp",
    ]
    notices = [f"notified/orders/waiting-{n:012x}-0123456789ab.json" for n in range(3)]
    for name, days in [*((one, 400) for one in others), *zip(notices, (1, 40, 50), strict=True)]:
        file = store / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        os.utime(file, (NOW.timestamp() - days * 86_400,) * 2)
    assert FileClaims(str(store)).sweep(NOW) == 1
    left = {file.relative_to(store).as_posix() for file in store.rglob("*") if file.is_file()}
    assert left == {*others, *notices[:2]}


def test_a_store_that_does_not_answer_is_named_in_the_log_meanwhile(monkeypatch, tmp_path):
    named, lines, write = threading.Event(), [], FileClaims.write

    class Log(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())
            named.set()

    def late(self, *arguments, **keywords):
        assert named.wait(60)
        return write(self, *arguments, **keywords)

    monkeypatch.setattr(FileClaims, "write", late)
    monkeypatch.setattr(backends, "QUIET_SECONDS", 0.01)
    handler = Log()
    backends._log.addHandler(handler)
    try:
        open_claims(str(tmp_path / "claims"))
    finally:
        backends._log.removeHandler(handler)
    assert lines == [
        f"waiting for an answer from '{tmp_path / 'claims'}', where runs are claimed (trigger_service.claims)."
    ]


def test_a_store_that_answers_is_not_mentioned(monkeypatch, caplog, tmp_path):
    open_claims(str(tmp_path / "claims"))
    assert not caplog.records


def test_what_a_file_system_gives_no_time_of_stays(tmp_path, monkeypatch):
    claims = FileClaims(str(tmp_path))
    claims.write("runs/a", {"by": "a"}, None)
    monkeypatch.setattr("retrainer.pipelines.triggers.claims.files._TIMES", ())
    assert claims.sweep(NOW.replace(year=2100)) == 0
    assert claims.read("runs/a").number == 1
