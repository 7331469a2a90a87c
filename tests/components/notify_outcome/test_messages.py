"""What a message looks like in each form."""

import json

from retrainer.components.notify_outcome.notification import Notification
from retrainer.components.notify_outcome.pubsub import attributes
from retrainer.components.notify_outcome.slack import slack_content

PUSHED = Notification(
    "flights",
    "run-1",
    "pushed",
    "pushed as version 3, in place of version 2: auc 0.72",
    task="push_model",
    span="2013-12",
    model_version=3,
    champion_version=3,
    metrics={"auc": 0.718249, "example_count": 336776.0},
    run_link="https://console.example.com/run",
    report_link="gs://acme/runs/run-1/report.html",
)


def test_the_json_has_what_the_readme_says():
    content = json.loads(PUSHED.body())
    assert list(content) == [
        *("format", "id", "at", "test", "pipeline", "run", "outcome", "title", "reason", "task"),
        *("span", "model_version", "champion_version", "incident", "metrics", "links"),
    ]
    assert content["title"] == "flights: version 3 is the champion"
    assert content["links"] == {"run": PUSHED.run_link, "report": PUSHED.report_link}
    assert Notification("flights", "run-1", "failed", "why").content()["span"] is None


def test_an_id_is_the_same_each_time_the_same_is_reported():
    again = Notification("flights", "run-1", "pushed", PUSHED.reason)
    assert again.id == PUSHED.id
    assert Notification("flights", "run-1", "pushed", PUSHED.reason, job="another").id != PUSHED.id


def test_slack_shows_what_the_text_says_and_links_only_pages():
    notice = Notification(
        "flights",
        "run-1",
        "failed",
        "train_model: <!channel> & <https://evil.example|click>",
        run_link="https://console.example.com/run",
        report_link="/store/a <b>.html",
    )
    content = slack_content(notice)
    text = json.dumps(content, ensure_ascii=False)
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;" in text
    links = content["blocks"][-1]["elements"][0]["text"]
    assert links == ("<https://console.example.com/run|run>  |  report: `/store/a &lt;b&gt;.html`")
    assert content["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": ":x: flights: the run failed",
    }


def test_slack_takes_the_longest_message():
    notice = Notification("f" * 128, "r" * 128, "failed", "<" * 5000, span="&" * 1000)
    content = slack_content(notice)
    header, reason, facts = content["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(reason["text"]["text"]) <= 3000
    assert all(len(one["text"]) <= 2000 for one in facts["fields"])
    assert len(facts["fields"]) <= 10


def test_a_topics_subscriptions_can_filter_by_outcome():
    assert attributes(PUSHED) == {
        "retrainer-id": PUSHED.id,
        "retrainer-pipeline": "flights",
        "retrainer-run": "run-1",
        "retrainer-outcome": "pushed",
        "retrainer-span": "2013-12",
    }
