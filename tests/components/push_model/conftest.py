"""A model with its verdicts, for tests of the push."""

import json

import pytest

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.runs.run_records import TaskRecord
from retrainer.components.lib.verdicts import Blessing, ServingCheck
from retrainer.components.push_model.push import push


@pytest.fixture
def gate(tmp_path):
    """A model with a blessing and a serving check, and a store to push into."""

    class Gate:
        store = str(tmp_path / "store")
        registry = Registry(str(tmp_path / "store" / "models"))

        def model(self, content):
            folder = tmp_path / f"model-{content}"
            folder.mkdir(exist_ok=True)
            (folder / "saved_model.pb").write_text(content)
            return str(folder)

        def judge(self, model, blessed=True, champion=None, ok=True, digest=None):
            digest = digest or digest_folder(model)
            blessing, check = tmp_path / "blessing", tmp_path / "check"
            Blessing(
                blessed,
                () if blessed else ("AUC 0.5 is below 0.8",),
                "blessed: auc 0.9" if blessed else "refused: AUC 0.5 is below 0.8",
                digest,
                champion,
                train_spans=("1", "2"),
                eval_spans=("3",),
            ).write(str(blessing))
            ServingCheck(ok, "" if ok else "does not load", digest).write(str(check))
            return str(blessing), str(check)

        def push(self, model, judged, span="", training=None, **more):
            info = {"run": "r", "span": span} if span else {"run": "r"}
            info |= {"training": training} if training else {}
            self.record = TaskRecord("push_model")
            pushed = str(tmp_path / "pushed")
            verdict = push(model, *judged, self.store, pushed, info, record=self.record, **more)
            return verdict, json.loads((tmp_path / "pushed" / "pushed.json").read_text())

        @property
        def champion(self):
            found = self.registry.resolve("champion")
            return found.version if found else None

    return Gate()
