import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.model_versions import ModelVersion
from retrainer.components.lib.uris import read_json, write_json
from retrainer.components.lib.verdicts import Blessing, Champion, ServingCheck

WRITTEN = [
    Champion(),
    Champion(3, "models/3", "d3", ("1", "2"), ("3",)),
    Blessing(False, ("auc 0.5 is below 0.8",), "refused: auc 0.5 is below 0.8", "d1", None),
    Blessing(True, (), "blessed: auc 0.9", "d1", 3, ("1", "2"), ("3",)),
    Blessing(True, (), "blessed: auc 0.9", "d1", 3, (), (), {"3": "v3"}, {"eval": 7}, "data"),
    ServingCheck(True, "", "d1", 64, 1.5, {"p50": 2.0, "p95": 3.0}, ("slow",)),
]


@pytest.mark.parametrize("written", WRITTEN)
def test_an_artifact_is_read_as_it_was_written(written, tmp_path):
    written.write(str(tmp_path))
    assert type(written).read(str(tmp_path)) == written


@pytest.mark.parametrize(
    ("kind", "file", "source"),
    [
        (Champion, "champion.json", "resolve_champion"),
        (Blessing, "blessing.json", "evaluate_model"),
        (ServingCheck, "serving_check.json", "check_serving"),
    ],
)
def test_a_missing_artifact_names_the_component_that_writes_it(kind, file, source, tmp_path):
    with pytest.raises(RetrainerError, match=f"no '.*{file}'; it comes from {source}"):
        kind.read(str(tmp_path))


def test_an_artifact_of_another_format_is_refused(tmp_path):
    Champion().write(str(tmp_path))
    file = str(tmp_path / "champion.json")
    write_json(file, {**read_json(file), "format": 2})
    with pytest.raises(RetrainerError, match=r"has format 2, .* Run resolve_champion again"):
        Champion.read(str(tmp_path))
    write_json(file, {"version": 1})
    with pytest.raises(RetrainerError, match="has format None"):
        Champion.read(str(tmp_path))


def test_a_blessing_without_its_digest_is_refused_and_unknown_keys_are_ignored(tmp_path):
    Blessing(True, (), "blessed: auc 0.9", "d1", None).write(str(tmp_path))
    file = str(tmp_path / "blessing.json")
    content = read_json(file)
    write_json(file, {**content, "colour": "green"})
    assert Blessing.read(str(tmp_path)).blessed
    del content["model_digest"]
    write_json(file, content)
    with pytest.raises(RetrainerError, match=r"lacks 'model_digest'\. Run evaluate_model again"):
        Blessing.read(str(tmp_path))


def test_a_champion_is_what_the_registry_knows_of_its_version():
    info = {
        "train_spans": ["1", "2"],
        "eval_spans": ["2", "3"],
        "span_versions": {"1": "a", "3": "c"},
        "rows": {"train": 9, "eval": 7},
    }
    assert Champion.of(ModelVersion(4, "models/4", "d", info)) == Champion(
        4, "models/4", "d", ("1", "2"), ("2", "3"), {"3": "c"}, 7
    )
    unknown = Champion.of(ModelVersion(4, "models/4", "d", {}))
    assert unknown == Champion(4, "models/4", "d", (), (), {}, None)
    assert Champion.of(None) == Champion()


def test_a_champion_is_named_and_so_is_its_absence():
    assert (Champion().name, Champion().absence) == ("champion", "no champion yet")
    third = Champion(3)
    assert (third.name, third.absence) == ("champion version 3", "champion version 3 not compared")
    assert [one.exists for one in (third, Champion(3, "models/3"))] == [False, True]


def test_the_newest_span_of_a_blessing_is_the_last_one_that_it_was_judged_on():
    def newest(train, evaluated):
        return Blessing(True, (), "blessed: auc: 0.9", "d", None, train, evaluated).newest_span

    assert [newest(("1", "2"), ("3", "4")), newest(("1", "2"), ()), newest((), ())] == [
        "4",
        "2",
        "",
    ]
    assert Blessing(True, (), "blessed: auc: 0.9", "d", None).summary == "auc: 0.9"


def test_what_is_passed_on_has_format_1(tmp_path):
    """A task of another version of retrainer reads it."""
    Champion().write(str(tmp_path))
    assert read_json(str(tmp_path / "champion.json"))["format"] == 1


def test_what_an_older_version_did_not_write_has_its_default(tmp_path):
    Champion(3, "models/3", "d3").write(str(tmp_path))
    file = str(tmp_path / "champion.json")
    kept = {name: read_json(file)[name] for name in ("format", "version", "uri", "digest")}
    write_json(file, kept)
    assert Champion.read(str(tmp_path)) == Champion(3, "models/3", "d3")
