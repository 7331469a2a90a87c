"""A champion in service, days of predictions, and labels that come for them."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from retrainer.components.join_labels.join import join_labels
from retrainer.components.join_labels.settings import LabelSettings
from retrainer.components.lib.predictions.joined_sets import newest_joined
from retrainer.components.lib.predictions.prediction_sets import list_predictions
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.store import Store
from retrainer.components.monitor_model.checks import labels, realised_quality
from retrainer.components.monitor_model.look import Look
from retrainer.components.monitor_model.windows import read_feed
from tests.servers.served_predictions import push_version, table_of, write_predictions

START = datetime(2026, 3, 1, tzinfo=UTC)


class Reference:
    """Rows that the gate judged on, whose model is calibrated."""

    def __init__(self, rows=20_000):
        random = np.random.default_rng(0)
        self.rows = rows
        self.spans = ("2026-02",)
        self.predictions = random.beta(2, 5, rows)
        self.labels = (random.random(rows) < self.predictions).astype(float)
        self.weights = np.ones(rows)
        self.features = {"carrier": "carrier"}
        self._carriers = pa.array(random.choice(["AA", "UA"], rows))

    def read(self, columns):
        return pa.table({"carrier": self._carriers}).select(columns)


class World:
    """A champion in service, days of predictions, and their labels."""

    def __init__(self, folder):
        self.folder = folder
        self.store = str(folder / "store")
        self.version = push_version(self.store, folder, since=START)
        self.reference = Reference()
        self.evaluation = {}
        self.lists = ()
        self.settings = {"labels": {"delay_seconds": 3600}, "realised_quality": {"alpha": 0.01}}

    def serve(self, day, rows=400, *, wrong=0.0, labelled=1.0, carrier=None, rate=1.0, **options):
        """Write a day of predictions, and labels of which a share is wrong."""
        random = np.random.default_rng(100 + day)
        span = f"{START + timedelta(days=day):%Y-%m-%d}"
        scores = random.beta(2, 5, rows)
        carriers = random.choice(options.pop("carriers", ["AA", "UA"]), rows)
        late = random.random(rows) < scores
        bad = np.ones(rows, bool) if carrier is None else carriers == carrier
        late = np.where((random.random(rows) < wrong) & bad, ~late, late).astype(int)
        late = options.pop("only", late)
        found = write_predictions(
            self.store, span, {"carrier": carriers}, scores, version=options.pop("version", 1),
            sample_rate=rate, **options,
        )  # fmt: skip
        ids = table_of(found)["request_id"].to_pylist()
        kept = random.random(rows) < labelled
        lines = [
            {"request_id": ids[n], "row": n, "late": int(np.broadcast_to(late, rows)[n])}
            for n in range(rows)
            if kept[n]
        ]
        path = self.folder / "labels" / f"{span}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        return span

    def look(self, day):
        """Join and look a day and two hours after a day began."""
        now = START + timedelta(days=day + 1, hours=2)
        join_labels(
            self.store, LabelSettings(str(self.folder / "labels" / "*.jsonl"), "late"), now=now
        )
        champion = Registry(Store(self.store).models_uri).resolve("champion")
        feed = read_feed(list_predictions(self.store), now, 600)
        look = Look(
            self.store, self.settings, now, feed.sets[-1:], feed.sets[:-1], champion, START,
            tuple(newest_joined(self.store)), "late", feed=feed,
            evaluation=self.evaluation, lists=self.lists,
            _shared={("reference",): self.reference},
        )  # fmt: skip
        self.newest = look
        found = [*labels.find_signals(look), *realised_quality.find_signals(look)]
        return {one.subject: one for one in found}
