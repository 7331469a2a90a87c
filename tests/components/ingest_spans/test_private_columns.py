"""Private columns leave no trace: neither their values nor their key are anywhere but in the source."""

import base64
import io
import json
import logging
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import IngestSettings, ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.pseudonymize import hash_column
from retrainer.components.lib.statistics.sketch_file import SketchFile, encode_block
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate

KEY = "5fK0qvW8sIbY3nTzR7mXe1LdHcPa9uGj"
ENV = "RETRAINER_TEST_HASH_KEY"
# Every private value holds one of these, at its beginning, so that one that is cut short is found as well.
HASHED, DROPPED = "mailqx", "nameqx"
# No private column has it: where it is not found, the search can't see.
PUBLIC = "cityqx"
HEADER = "id,email,name,city,amount,late\n"


def row(i: int, amount: str = "", label: str | None = None) -> str:
    label = str(i % 2) if label is None else label
    person = f"{HASHED}{i % 40}@priv.example,{DROPPED} Zoë {i}"
    return f"{i},{person},{PUBLIC}{i % 7},{amount or i % 11},{label}\n"


# A row with a cell too many, one without a label, and one that is there twice.
BAD = row(900).rstrip("\n") + ",1\n"
UNLABELLED = row(901, label="")
TWICE = row(603)


def rows(first: int) -> str:
    return "".join(row(i) for i in range(first, first + 300))


@dataclass
class Chain:
    """A project with private columns, and everything that its runs wrote or said."""

    home: Path
    key_file: str = ""
    error: str = ""
    said: str = ""

    @property
    def out(self) -> Path:
        return self.home / "out"

    def span(self, name: str, text: str | bytes, ending: str = "csv") -> None:
        path = self.home / "in" / f"{name}.{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def ingest(self, ending: str = "csv", **settings: object) -> None:
        given = {
            "label": "late",
            "key": ("id",),
            "hash": ("email",),
            "drop": ("name",),
            "hash_key_env": ENV,
        }
        if self.key_file:
            given["hash_key_file"] = self.key_file
        given |= {"max_bad_rows": 0.1, **settings}
        pattern = str(self.home / "in" / f"{{span}}.{ending}")
        ingest(
            pattern, str(self.out / "store"), IngestSettings(**given), str(self.out / "examples")
        )

    def judge(self, **settings: object) -> None:
        out = self.out
        compute(str(out / "examples"), str(out / "statistics"), str(out / "statistics.html"))
        validate(
            str(out / "statistics"),
            str(out / "store"),
            parse_settings(**settings),
            str(out / "anomalies"),
            str(out / "schema"),
            str(out / "validation.html"),
            "",
            str(out / "examples"),
        )

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Everything that was written or said: the bytes as they are, and what binary formats hold."""
        yield "standard output, standard error and logs", self.said.encode()
        yield "the error", self.error.encode()
        for path in sorted(self.out.rglob("*")):
            name = str(path.relative_to(self.out))
            yield f"the name {name}", name.encode()
            if not path.is_file():
                continue
            content = path.read_bytes()
            yield name, content
            if path.suffix == ".parquet":
                yield f"{name}, unpacked", unpacked(content)
            elif path.name.startswith("sketch-"):
                file = SketchFile(lambda start, end, content=content: content[start:end])
                yield f"{name}, statistics", _statistics(file.statistics())
                for columns in file.columns:
                    yield f"{name}, accumulators", encode_block(file.accumulators(columns))
            elif path.name.startswith(("before-", "whole-")):
                kept = json.loads(content)["statistics"]
                yield f"{name}, statistics", _statistics(base64.b64decode(kept))
            elif path.suffix == ".pb" and path.name.startswith("FeatureStats"):
                yield f"{name}, read", _statistics(content)

    def found(self, word: str) -> set[str]:
        """Where a word stands."""
        spellings = [word.encode(), word.encode().hex().encode(), word.encode("utf-16-le")]
        # Base64 of it, wherever in a group of three bytes it begins: the digits that are its alone.
        for lead in range(3):
            digits = base64.b64encode(b"\0" * lead + word.encode())
            first, behind = -(-lead * 8 // 6), (lead + len(word)) * 8 // 6
            spellings.append(digits[first:behind])
        return {place for place, text in self.texts() if any(one in text for one in spellings)}


def unpacked(content: bytes) -> bytes:
    file = pq.ParquetFile(io.BytesIO(content))
    cells = file.read().to_pydict()
    groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    statistics = [
        str(group.column(i).statistics) for group in groups for i in range(group.num_columns)
    ]
    return repr((cells, file.schema_arrow.metadata, file.metadata.metadata, statistics)).encode()


def _statistics(content: bytes) -> bytes:
    return str(statistics_pb2.DatasetFeatureStatisticsList.FromString(content)).encode()


def assert_nothing_leaked(chain: Chain) -> None:
    for word in (HASHED, DROPPED, KEY, KEY[:12]):
        assert chain.found(word) == set(), f"{word} is where it must not be"


@pytest.fixture
def chain(request, tmp_path, monkeypatch):
    made = Chain(tmp_path)
    monkeypatch.delenv(ENV, raising=False)
    if getattr(request, "param", "variable") == "variable":
        monkeypatch.setenv(ENV, KEY)
    else:
        (tmp_path / "secret").write_text(KEY + "\n")
        made.key_file = str(tmp_path / "secret")
    made.span("1", HEADER + rows(0))
    made.span("2", HEADER + rows(300))
    made.span("3", HEADER + rows(600) + BAD + UNLABELLED + TWICE)
    return made


BOTH_KEYS = pytest.mark.parametrize("chain", ["variable", "file"], indirect=True)


@pytest.fixture
def listen(chain, capfd, caplog):
    """A function that runs a step of the chain, and keeps what it says and how it fails."""
    caplog.set_level(logging.DEBUG)

    def run(step, **settings):
        try:
            step(**settings)
        except RetrainerError as error:
            # With its causes, as whoever prints a traceback shows them.
            chain.error += "".join(traceback.format_exception(error))
        captured = capfd.readouterr()
        chain.said += captured.out + captured.err + caplog.text

    return run


@BOTH_KEYS
def test_a_clean_run_reveals_nothing_private(chain, listen):
    listen(chain.ingest)
    listen(chain.judge)
    assert chain.error == ""
    assert_nothing_leaked(chain)


@BOTH_KEYS
def test_a_run_that_fails_validation_reveals_nothing_private(chain, listen):
    listen(chain.ingest)
    listen(chain.judge)
    # New customers, no amounts, half of the labels: all that a report can say of a column is said.
    worse = "".join(row(5_000 + i, amount="-1000000", label="1") for i in range(60))
    chain.span("4", HEADER + worse.replace(f"{HASHED}", f"{HASHED}new") + BAD + UNLABELLED)
    listen(chain.ingest)
    assert chain.error == ""
    listen(
        chain.judge,
        domains={"amount": {"min": 0}, "email": {"values": ["nobody"], "min_domain_mass": 1}},
        severity={"columns": {"email": {"drift": "error"}}},
    )
    assert "email" in chain.error
    assert_nothing_leaked(chain)


def test_the_search_sees_what_is_public_in_every_kind_of_file(chain, listen):
    listen(chain.ingest)
    listen(chain.judge)
    seen = " ".join(chain.found(PUBLIC))
    for kind in (
        "-00000.parquet, unpacked", "unlabelled.parquet, unpacked", "sketch-", "before-", "FeatureStats.pb, read",
        "statistics.html", "validation.html", "schema.pbtxt",
    ):  # fmt: skip
        assert kind in seen, (
            f"no {kind} holds {PUBLIC}, so that {HASHED} would not be found there either"
        )


def test_without_private_columns_all_of_it_would_be_found(chain, listen):
    chain.key_file = ""
    listen(chain.ingest, hash=(), drop=())
    listen(chain.judge)
    assert any("parquet" in place for place in chain.found(DROPPED))
    assert any("html" in place for place in chain.found(HASHED))


def test_private_columns_are_digests_or_gone_in_every_row_that_is_kept(chain, listen):
    listen(chain.ingest)
    digests = hash_column(pa.array([f"{HASHED}{i}@priv.example" for i in range(40)]), KEY.encode())
    tables = [part.read_table() for part in Examples.read(chain.out / "examples").splits["eval"]]
    tables += [pq.read_table(path) for path in (chain.out / "store").rglob("unlabelled.parquet")]
    assert len(tables) == 2
    for table in tables:
        assert "name" not in table.column_names
        assert set(table.column("email").to_pylist()) <= set(digests.to_pylist())
        assert len(table)


def test_the_reports_show_the_beginning_of_a_digest(chain, listen):
    listen(chain.ingest)
    listen(chain.judge)
    digests = hash_column(pa.array([f"{HASHED}{i}@priv.example" for i in range(40)]), KEY.encode())
    for report in ("statistics.html", "validation.html"):
        page = (chain.out / report).read_text()
        labels = re.findall(r">([0-9a-f]{6,})…<", page)
        assert labels
        assert all(any(d.startswith(label) for d in digests.to_pylist()) for label in labels)


def test_a_private_key_of_examples_is_deduplicated_and_shown_as_a_digest(chain, listen):
    listen(chain.ingest, key=("email",))
    listen(chain.judge)
    examples = Examples.read(chain.out / "examples")
    assert examples.rows("eval") == 40
    assert examples.counts["3"]["duplicate"] == 261
    assert_nothing_leaked(chain)


@pytest.mark.parametrize(
    "span",
    [
        HEADER + row(1) + BAD * 5,
        HEADER + row(1, label="yes"),
        HEADER.replace("id", "ident") + row(1),
        HEADER.replace("email", "e_mail") + row(1),
        HEADER.replace("amount", "email") + row(1),
        row(1) + row(2),
        HEADER + row(1).replace(",", ";"),
        (HEADER + row(1)).encode() + f"2,{HASHED}2,{DROPPED} ".encode() + b"\xff\xfe,x,1,0\n",
        (HEADER + row(1)).encode("utf-16"),
        HEADER + f'1,"{HASHED}1,{DROPPED}1\n' + row(2),
        HEADER + row(1).replace(f"{HASHED}1", "\0" + f"{HASHED}1"),
    ],
    ids=[
        "bad rows", "label is text", "no key", "no private column", "column twice", "no header", "one cell",
        "not utf-8", "utf-16", "open quote", "nul",
    ],
)  # fmt: skip
def test_a_faulty_span_is_reported_without_its_private_cells(chain, listen, span):
    chain.span("3", span)
    listen(chain.ingest, max_bad_rows=0.0)
    assert_nothing_leaked(chain)


@pytest.mark.parametrize(
    "span",
    [
        '{"id": 1, "email": "mailqx1", "name": "nameqx1", "city": "x", "amount": 1, "late": 0}\n'
        '{"id": 2, "email": "mailqx2", "name": "nameqx2"\n',
        '{"id": 1, "email": "mailqx1", "name": "nameqx1", "city": "x", "amount": 1, "late": 0}\n'
        '{"id": 2, "email": {"a": "mailqx2"}, "name": ["nameqx2"], "city": "x", "amount": 1, "late": 0}\n',
        '{"id": 1, "email": 7, "name": "nameqx1", "city": "x", "amount": 1, "late": 0}\n'
        '{"id": 2, "email": "mailqx2", "name": 7, "city": "x", "amount": 1, "late": 0}\n',
        'nameqx mailqx\n',
    ],
    ids=["cut off", "nested", "mixed types", "no json"],
)  # fmt: skip
def test_faulty_json_is_reported_without_its_private_cells(chain, listen, span):
    good = (
        '{"id": %d, "email": "mailqx%d", "name": "nameqx", "city": "x", "amount": 1, "late": %d}\n'
    )
    for name in "12":
        chain.span(name, "".join(good % (i, i, i % 2) for i in range(20)), "jsonl")
    chain.span("3", span, "jsonl")
    listen(chain.ingest, ending="jsonl", max_bad_rows=0.0)
    assert_nothing_leaked(chain)


def test_private_columns_of_types_that_do_not_fit_are_reported_without_their_cells(chain, listen):
    def write(name, **columns):
        table = pa.table({"id": [1, 2], "name": ["nameqx1", "nameqx2"], "late": [0, 1], **columns})
        pq.write_table(table, chain.home / "in" / f"{name}.parquet")

    write("1", email=["mailqx1", "mailqx2"])
    write("2", email=pa.array([b"mailqx\xff", b"mailqx2"]))
    write("3", email=[["mailqx1"], ["mailqx2"]])
    listen(chain.ingest, ending="parquet", key=())
    assert "email" in chain.error
    assert_nothing_leaked(chain)
