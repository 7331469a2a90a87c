import pytest

from retrainer.components.lib.errors import RetrainerError
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
