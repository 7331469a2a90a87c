import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from retrainer.components.lib import numbered_records
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.approvals import pending_versions, refuse
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.promotions import promote, roll_back
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.saved_models.scored_rows import ScoredRows
from retrainer.components.lib.uris import read_text, write_atomic
from retrainer.components.lib.verdicts import Blessing, ServingCheck
from retrainer.components.push_model.push import push


def test_a_blessed_model_becomes_the_champion(gate):
    model = gate.model("a")
    verdict, pushed = gate.push(model, gate.judge(model))
    assert verdict == "pushed as version 1: auc 0.9"
    assert pushed == {
        "pushed": True,
        "version": 1,
        "reason": "",
        "verdict": verdict,
        "again": False,
    }
    assert gate.champion == 1
    info = gate.registry.get(1).info
    assert info.pop("pushed_at")
    # Nothing else was handed over.
    assert info == {"run": "r", "train_spans": ["1", "2"], "eval_spans": ["3"]}
    assert digest_folder(gate.registry.get(1).uri) == digest_folder(model)


def test_a_version_keeps_what_the_gate_measured(gate):
    model = gate.model("a")
    judged = gate.judge(model)
    slices = (
        SliceMetrics({}, {"auc": 0.9}, 600, {"auc": 0.8}, {"auc": (0.85, 0.95)}),
        SliceMetrics({"carrier": "UA"}, {"auc": 0.7}, 20),
    )
    EvaluationSummary(slices, verdict="blessed: auc 0.9", champion_version=None).write(judged[0])
    gate.push(model, judged)
    assert gate.registry.evaluation(1) == slices
    assert gate.registry.evaluation_summary(1).verdict == "blessed: auc 0.9"


def test_a_version_keeps_its_data_its_training_and_its_schema(gate):
    model = gate.model("a")
    blessing, check = gate.judge(model)
    data = {"span_versions": {"3": "v3"}, "rows": {"train": 70, "eval": 30}, "data_digest": "data"}
    Blessing(True, (), "blessed", digest_folder(model), None, ("1",), ("3",), **data).write(
        blessing
    )
    schema = 'feature { name: "delay" }\n'
    write_atomic(f"{gate.store}/schema/history/000001.pbtxt", schema)
    write_atomic(f"{gate.store}/schema/schema.pbtxt", "feature {}\n")
    training = {
        "hyperparameters": {"units": 8, "rate": 0.1},
        "settings": {"epochs": 2},
        "code_digest": "code",
        "made_with": {"retrainer": "0.1.0"},
        "schema": hashlib.sha256(schema.encode()).hexdigest(),
    }
    info = {"run": "r", "training": training}
    push(model, blessing, check, gate.store, f"{gate.store}/pushed", info)
    kept = gate.registry.get(1).info
    assert {name: kept[name] for name in data} == data
    assert kept["hyperparameters"] == {"units": 8, "rate": 0.1}
    assert (kept["training"], kept["code_digest"]) == ({"epochs": 2}, "code")
    assert kept["schema"] == {"digest": training["schema"], "number": 1}
    assert read_text(f"{gate.registry.version_uri(1)}/schema.pbtxt") == schema


def test_a_blessing_without_metrics_is_pushed_all_the_same(gate):
    model = gate.model("a")
    gate.push(model, gate.judge(model))
    assert gate.registry.evaluation(1) == ()


def test_an_unblessed_model_is_refused_and_the_champion_stays(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first))
    verdict, pushed = gate.push(second, gate.judge(second, blessed=False, champion=1))
    assert verdict == "refused, version 1 still serves: AUC 0.5 is below 0.8"
    assert pushed["reason"] == "AUC 0.5 is below 0.8"
    assert (gate.champion, len(gate.registry.versions())) == (1, 1)


def test_a_blessing_of_no_words_is_refused_in_words(gate, tmp_path):
    """Another evaluation than `evaluate_model` may write no reason."""
    model = gate.model("a")
    judged = gate.judge(model)
    Blessing(False, (), "refused", digest_folder(model), None).write(judged[0])
    verdict, pushed = gate.push(model, judged)
    assert (pushed["pushed"], pushed["reason"]) == (False, "not blessed")
    assert verdict == "refused, no model serves yet: not blessed"


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


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("nothing", None),
        ("code", "other code"),
        ("rows", "tuesday"),
        ("made_with", {"tensorflow": "2.17"}),
        ("schema", "other schema"),
        ("weights", "other weights"),
        ("of_champion", {"auc": 0.8999999}),
        ("files", "more"),
    ],
)
def test_the_champion_trained_again_is_not_another_version(gate, change, value):
    def push_trained(name, champion, **new):
        made = {
            "code": "code",
            "rows": "monday",
            "made_with": {"tensorflow": "2.16"},
            "schema": "s",
        }
        made |= {"weights": "w", "of_champion": {"auc": 0.9}, "files": "weights"} | new
        model = gate.model(name)
        (Path(model) / "variables").mkdir()
        (Path(model) / "variables" / made["files"]).write_text(made["weights"])
        blessing, check = gate.judge(model, champion=champion)
        digest = digest_folder(model)
        Blessing(True, (), "blessed", digest, champion, data_digest=made["rows"]).write(blessing)
        measured = SliceMetrics({}, {"auc": 0.9}, 600, made["of_champion"] if champion else {})
        EvaluationSummary((measured,), champion_version=champion).write(blessing)
        training = {
            "code_digest": made["code"],
            "schema": made["schema"],
            "made_with": made["made_with"],
        }
        return gate.push(model, (blessing, check), training=training)[0]

    push_trained("a", None)
    verdict = push_trained("b", 1, **({change: value} if value else {}))
    if value:
        assert verdict.startswith("pushed as version 2, in place of version 1")
    else:
        assert (
            verdict
            == "unchanged, already the champion (version 1), trained again with equal weights"
        )
    assert len(gate.registry.versions()) == (2 if value else 1)


def test_a_push_that_died_before_the_alias_moved_is_finished_by_the_next(gate, monkeypatch):
    model = gate.model("a")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "move_alias", die)
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


def test_a_flag_that_is_neither_true_nor_false_pushes_nothing(gate):
    model = gate.model("a")
    with pytest.raises(RetrainerError, match="allow_older is 'perhaps'; it must be true or false"):
        gate.push(model, gate.judge(model), "1", allow_older="perhaps")


def test_a_champion_that_changes_between_look_and_create_pushes_nothing(gate, monkeypatch):
    first, second, third = (gate.model(name) for name in "abc")
    gate.push(first, gate.judge(first))
    gate.push(second, gate.judge(second, champion=1))
    create = numbered_records.create_exclusive

    def be_slower(uri, data):
        create(uri, '{"version": 1, "previous": 2, "id": "somebody"}')
        return create(uri, data)

    monkeypatch.setattr(numbered_records, "create_exclusive", be_slower)
    with pytest.raises(
        RetrainerError, match="compared with version 2, and 'champion' points at version 1 now"
    ):
        gate.push(third, gate.judge(third, champion=2))
    assert gate.champion == 1


def test_two_refusals_are_both_named(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), "4")
    judged = gate.judge(second, blessed=False, champion=1, ok=False)
    verdict, pushed = gate.push(second, judged, "3")
    assert verdict.startswith(
        "refused, version 1 still serves: AUC 0.5 is below 0.8; does not load; span 3 is older than 4"
    )
    assert verdict.endswith(pushed["reason"])
    assert (pushed["pushed"], pushed["version"], gate.champion) == (False, None, 1)


@pytest.mark.parametrize("other", ["blessing", "serving check"])
def test_one_of_two_verdicts_on_another_model_pushes_nothing(gate, other):
    model = gate.model("a")
    blessing, check = gate.judge(model)
    if other == "blessing":
        Blessing(True, (), "blessed: auc 0.9", "0" * 64, None).write(blessing)
    else:
        ServingCheck(True, "", "0" * 64).write(check)
    with pytest.raises(RetrainerError, match=f"the {other} is of another model"):
        gate.push(model, (blessing, check))
    assert gate.registry.versions() == []


def test_verdicts_on_another_model_are_an_error_also_where_nothing_would_be_pushed(gate):
    first, second = gate.model("a"), gate.model("b")
    with pytest.raises(RetrainerError, match="the blessing is of another model"):
        gate.push(second, gate.judge(second, blessed=False, digest=digest_folder(first)))
    gate.push(first, gate.judge(first))
    # Those of the champion do not say that the other model is the champion.
    with pytest.raises(RetrainerError, match="the blessing is of another model"):
        gate.push(second, gate.judge(second, champion=1, digest=digest_folder(first)))
    assert (gate.champion, len(gate.registry.versions())) == (1, 1)


def test_without_a_serving_check_the_blessing_decides_alone(gate):
    model = gate.model("a")
    blessing, _ = gate.judge(model, ok=False)
    assert gate.push(model, (blessing, None))[0].startswith("pushed as version 1")
    other = gate.model("b")
    refused, _ = gate.judge(other, blessed=False, champion=1)
    assert gate.push(other, (refused, None))[0].startswith("refused")


def test_a_version_that_was_rolled_back_is_not_pushed_again_until_a_person_promotes_it(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first))
    gate.push(second, gate.judge(second, champion=1))
    roll_back(gate.registry, {"by": "ann", "why": "too many refunds"})
    verdict, pushed = gate.push(second, gate.judge(second, champion=1))
    assert re.match(
        r"refused, version 1 still serves: version 2 was rolled back by ann on .* UTC \(too many refunds\), so this "
        r"model is held; .* retrainer models promote 2",
        verdict,
    )
    assert (pushed["pushed"], gate.champion) == (False, 1)
    promote(gate.registry, 2, {"by": "ann", "why": "it was the upstream"})
    promote(gate.registry, 1, {"by": "ann", "why": "a try"})
    verdict, _ = gate.push(second, gate.judge(second, champion=1))
    assert verdict.startswith("pushed as version 2, in place of version 1")


def test_the_same_training_again_is_held_though_its_bytes_differ(gate):
    def push_trained(name, champion, rows):
        model = gate.model(name)
        blessing, check = gate.judge(model, champion=champion)
        digest = digest_folder(model)
        Blessing(True, (), "blessed", digest, champion, data_digest=rows).write(blessing)
        info = {"training": {"code_digest": "code", "hyperparameters": {"units": 8}}}
        return push(model, blessing, check, gate.store, f"{gate.store}/pushed", info)

    push_trained("a", None, "monday")
    push_trained("b", 1, "tuesday")
    roll_back(gate.registry, {"by": "ann", "why": "too many refunds"})
    verdict = push_trained("c", 1, "tuesday")
    assert "version 2 was rolled back by ann" in verdict
    assert "an equal training, is held; to put version 2 into service" in verdict
    assert push_trained("d", 1, "wednesday").startswith("pushed as version 3")


def test_a_model_that_needs_approval_waits_beside_the_champion(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first))
    judged = gate.judge(second, champion=1)
    verdict, pushed = gate.push(second, judged, approve=True)
    assert verdict == (
        "pending as version 2, until a person decides (retrainer models approve 2): auc 0.9"
    )
    assert (pushed["pushed"], pushed["version"]) == (False, None)
    assert gate.champion == 1
    assert gate.push(second, judged, approve=True)[0] == verdict
    refuse(gate.registry, 2, {"by": "ann", "why": "too slow"})
    verdict, pushed = gate.push(second, judged, approve=True)
    assert verdict == "refused: this model is version 2, which was refused by ann (too slow)"
    assert gate.champion == 1


def test_nobody_is_asked_about_a_model_that_was_compared_with_an_earlier_champion(gate):
    models = [gate.model(name) for name in "abc"]
    gate.push(models[0], gate.judge(models[0]))
    gate.push(models[1], gate.judge(models[1], champion=1))
    with pytest.raises(RetrainerError, match="compared with version 1, and 'champion' points at"):
        gate.push(models[2], gate.judge(models[2], champion=1), approve=True)
    assert pending_versions(gate.registry) == []


def test_a_model_that_is_not_blessed_is_refused_and_not_asked_about(gate):
    model = gate.model("a")
    verdict, _ = gate.push(model, gate.judge(model, blessed=False), approve=True)
    assert verdict.startswith("refused")
    assert gate.registry.versions() == []


def test_a_push_notes_what_it_decided_and_why(gate):
    models = [gate.model(name) for name in "abc"]

    def notes(number, champion, span="4", approve=False, **judged):
        judgement = gate.judge(models[number], champion=champion, **judged)
        verdict, pushed = gate.push(models[number], judgement, span, approve=approve)
        assert pushed["verdict"] == verdict
        return gate.record.notes

    of_first = {"newest_span": "4", "champion": None}
    assert notes(0, None) == {**of_first, "outcome": "pushed", "version": 1}
    assert notes(0, None) == {**of_first, "outcome": "unchanged", "version": 1}
    refused = notes(1, 1, "3", blessed=False, ok=False)
    assert refused == {
        "newest_span": "3",
        "champion": 1,
        "outcome": "refused",
        "version": None,
        "reasons": ["not_blessed", "not_serving", "older"],
    }
    # Without a span of its own, that of the blessing.
    assert notes(1, 1, "")["newest_span"] == "3"
    notes(1, 1)
    roll_back(gate.registry, {"by": "ann", "why": "too slow"})
    assert notes(1, 1)["reasons"] == ["held"]
    waiting = notes(2, 1, approve=True)
    assert (waiting["outcome"], waiting["version"], waiting["waiting"]) == ("pending", None, 3)
    refuse(gate.registry, 3, {"by": "ann", "why": "too slow"})
    assert notes(2, 1, approve=True)["reasons"] == ["not_approved"]
    newest = gate.registry.alias("champion").moves()[1]
    assert (newest.action, newest.run, newest.version, newest.previous) == ("push", "r", 2, 1)


@pytest.mark.parametrize("who", ["judged", "served"])
def test_rows_that_only_one_of_two_tasks_kept_are_compared_with_nothing(gate, who):
    model = gate.model("a")
    blessing, check = judged = gate.judge(model)
    rows = ScoredRows.of("3/v1/all", {"x": [1.0]}, np.array([0.5]))
    rows.write(blessing if who == "judged" else check)
    assert gate.push(model, judged)[0].startswith("pushed as version 1")


def test_what_is_refused_anyway_is_not_compared_row_by_row(gate):
    model = gate.model("a")
    blessing, check = judged = gate.judge(model, blessed=False)
    for place, prediction in ((blessing, 0.5), (check, 0.75)):
        ScoredRows.of("3/v1/all", {"x": [1.0]}, np.array([prediction])).write(place)
    assert gate.push(model, judged)[1]["reason"] == "AUC 0.5 is below 0.8"
    judged = gate.judge(model)
    assert "predictions differ from those that evaluation judged" in gate.push(model, judged)[0]
