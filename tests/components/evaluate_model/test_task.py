"""The second evaluation of a run, where a push has settled the matter."""

import sys

from retrainer.components.evaluate_model.task import evaluate_or_reuse
from retrainer.components.lib.verdicts import Blessing, Champion


def test_nothing_is_judged_where_a_push_has_settled_the_matter(tmp_path):
    Champion(settled="pushed as version 4").write(str(tmp_path / "champion"))
    places = [str(tmp_path / name) for name in ("evaluation", "blessing", "report.html")]
    loaded = "tensorflow_model_analysis" in sys.modules
    verdict = evaluate_or_reuse(
        "no examples",
        "no model",
        str(tmp_path / "champion"),
        *places,
        settings={},
        log_metric=print,
        store="",
        salt="",
        training=None,
    )
    assert verdict == "not needed: pushed as version 4"
    assert "not needed: pushed as version 4" in (tmp_path / "report.html").read_text()
    assert ("tensorflow_model_analysis" in sys.modules) is loaded
    # It opens no gate.
    blessing = Blessing.read(places[1])
    assert (blessing.blessed, blessing.model_digest) == (False, "")
