import json

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.files import digest_folder
from retrainer.components.lib.registry import Registry
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

        def push(self, model, judged):
            verdict = push(model, *judged, self.store, str(tmp_path / "pushed"), {"run": "r"})
            return verdict, json.loads((tmp_path / "pushed" / "pushed.json").read_text())

        @property
        def champion(self):
            found = self.registry.resolve("champion")
            return found.version if found else None

    return Gate()


def test_a_blessed_model_becomes_the_champion(gate):
    model = gate.model("a")
    verdict, pushed = gate.push(model, gate.judge(model))
    assert verdict == "pushed as version 1: auc 0.9"
    assert pushed == {"pushed": True, "version": 1, "reason": ""}
    assert gate.champion == 1
    info = {"run": "r", "train_spans": ["1", "2"], "eval_spans": ["3"]}
    assert gate.registry.get(1).info == info
    assert digest_folder(gate.registry.get(1).uri) == digest_folder(model)


def test_an_unblessed_model_is_refused_and_the_champion_stays(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first))
    verdict, pushed = gate.push(second, gate.judge(second, blessed=False, champion=1))
    assert verdict == "refused, version 1 still serves: AUC 0.5 is below 0.8"
    assert pushed["reason"] == "AUC 0.5 is below 0.8"
    assert (gate.champion, len(gate.registry.versions())) == (1, 1)


def test_a_model_that_does_not_serve_is_refused(gate):
    model = gate.model("a")
    verdict, pushed = gate.push(model, gate.judge(model, ok=False))
    assert verdict == "refused, no model serves yet: does not load"
    assert pushed["reason"] == "does not load"
    assert gate.champion is None


def test_a_blessing_of_another_model_pushes_nothing(gate):
    model = gate.model("a")
    with pytest.raises(RetrainerError, match="of another model"):
        gate.push(model, gate.judge(model, digest="0" * 64))
    assert gate.champion is None


def test_a_model_judged_against_a_former_champion_pushes_nothing(gate):
    first, second, third = (gate.model(name) for name in "abc")
    gate.push(first, gate.judge(first))
    gate.push(second, gate.judge(second, champion=1))
    with pytest.raises(
        RetrainerError, match="compared with version 1, and 'champion' points at version 2"
    ):
        gate.push(third, gate.judge(third, champion=1))
    assert gate.champion == 2


def test_pushing_again_changes_nothing(gate):
    model = gate.model("a")
    gate.push(model, gate.judge(model))
    verdict, _ = gate.push(model, gate.judge(model))
    assert verdict == "unchanged, already the champion (version 1)"
    assert len(gate.registry.versions()) == 1


def test_a_push_that_died_before_the_alias_moved_is_finished_by_the_next(gate, monkeypatch):
    model = gate.model("a")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "give_alias", die)
        with pytest.raises(KeyboardInterrupt):
            gate.push(model, gate.judge(model))
    assert gate.champion is None
    assert gate.push(model, gate.judge(model))[0] == "pushed as version 1: auc 0.9"


def test_without_a_blessing_nothing_is_pushed(gate, tmp_path):
    model = gate.model("a")
    with pytest.raises(
        RetrainerError, match=r"no '.*blessing\.json'; it comes from evaluate_model"
    ):
        gate.push(model, (str(tmp_path / "none"), None))
