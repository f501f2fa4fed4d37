"""One instance with a file of its own: what becomes of a group in Slack."""

from pathlib import Path

from tests.fakes import slack as fake
from tests.fakes.receiver import Answer
from tests.fakes.slack import Slack
from tests.threader.instances import Instance, Webhooks, alert, by_bot, headline, shown, waiting


def test_a_group_from_its_first_alert_to_its_end_and_on(
    threader: Instance, slack: Slack, group: Webhooks
) -> None:
    for told in (
        group(alert("web-1")),
        group(alert("web-1"), alert("web-2", 3)),
        group(alert("web-1", 0, 5), alert("web-2", 3)),
        group(alert("web-2", 3, 9)),
        group(alert("web-1", 12)),
    ):
        assert threader.post(told) == 200
        threader.wait_idle()
        if told["status"] == "resolved":
            [(_, head)] = slack.heads.items()
            assert headline(head) == "[RESOLVED] HighCPU"
            assert shown(head).count("· resolved") == 2
    [(at, head)] = slack.heads.items()
    assert headline(head) == "[FIRING] HighCPU"
    assert "Alertmanager: http://alertmanager:9093" in shown(head)
    replies = slack.replies[at]
    assert [headline(reply) for reply in replies] == [
        "[FIRING] HighCPU (2 firing)",
        "[FIRING] HighCPU",
        "[RESOLVED] HighCPU",
        "[FIRING] HighCPU",
    ]
    assert ["web-2" in shown(reply) for reply in replies] == [True, False, True, False]
    assert slack.calls.count("chat.update") == 2, "the head is marked at the end, and when it is not over"


def test_what_repeats_or_comes_late_says_nothing(threader: Instance, slack: Slack, group: Webhooks) -> None:
    fired, over = group(alert("web-1"), alert("web-2")), group(alert("web-1", 0, 5), alert("web-2", 0, 5))
    partly = group(alert("web-1"), alert("web-2", 0, 4))
    before = threader.get("/stats")[1]["webhooks"]["repeated"]
    for told in (fired, fired, over, fired, over, partly):
        assert threader.post(told) == 200
    threader.wait_idle()
    assert slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert threader.get("/stats")[1]["webhooks"]["repeated"] == before + 4


def test_groups_have_threads_of_their_own(threader: Instance, slack: Slack, group: Webhooks) -> None:
    for name in ("DiskFull", "HighCPU", "DiskFull"):
        assert threader.post(group(alert("web-1", name=name), group=name)) == 200
    threader.wait_idle()
    assert sorted(map(headline, slack.heads.values())) == ["[FIRING] DiskFull", "[FIRING] HighCPU"]


def test_what_was_kept_outlasts_the_process(threader: Instance, slack: Slack, group: Webhooks) -> None:
    slack.answers += [Answer(503)] * 200
    assert threader.post(group(alert("web-1"))) == 200
    assert threader.post(group(alert("web-1", 0, 7))) == 200
    threader.kill()
    slack.answers.clear()
    threader.start()
    threader.wait_idle()
    assert threader.post(group(alert("web-1", 0, 7))) == 200
    threader.wait_idle()
    assert [headline(head) for head in slack.heads.values()] == ["[RESOLVED] HighCPU"]


def test_killed_between_two_changes_it_goes_on_in_the_same_thread(
    threader: Instance, slack: Slack, group: Webhooks
) -> None:
    threader.post(group(alert("web-1")))
    threader.wait_idle()
    threader.kill()
    threader.start()
    threader.wait_idle()
    threader.post(group(alert("web-1", 0, 7)))
    threader.wait_idle()
    [replies] = slack.replies.values()
    assert (len(slack.heads), len(replies)) == (1, 1)


def test_slack_asks_to_wait_and_the_newest_state_is_told_then(
    slack: Slack, group: Webhooks, tmp_path: Path
) -> None:
    with Instance(tmp_path, by_bot(slack)) as threader:
        threader.post(group(alert("web-1")))
        threader.wait_idle()
        slack.answers.append(Answer(429, b"", {"Retry-After": "1"}))
        for number in range(2, 8):
            assert threader.post(group(*(alert(f"web-{n}", n) for n in range(1, number + 1)))) == 200
        threader.wait_idle()
    [replies] = slack.replies.values()
    assert [headline(reply) for reply in replies] == ["[FIRING] HighCPU (7 firing)"]
    assert all(f"web-{number}" in shown(replies[0]) for number in range(2, 8))
    assert len(slack.requests) == 3, "nobody asked before it was time"


def test_slack_fails_for_a_while(threader: Instance, slack: Slack, group: Webhooks) -> None:
    lost = threader.said.count("threader.slack_back")
    slack.answers += [Answer(500), Answer(200, b'{"ok": false, "error": "internal_error"}')]
    threader.post(group(alert("web-1")))
    threader.wait(lambda: threader.get("/health")[1]["status"] == "degraded", "the failure to be told")
    assert "threader_health_status 0.0" in threader.get("/metrics")[1]
    threader.wait_idle()
    assert len(slack.heads) == 1
    assert threader.get("/health")[1]["status"] == "ok"
    assert "threader_health_status 1.0" in threader.get("/metrics")[1]
    assert threader.said.count("threader.slack_back") == lost + 1


def test_one_group_that_slack_refuses_holds_up_no_other(
    slack: Slack, group: Webhooks, tmp_path: Path
) -> None:
    slack.answers.append(Answer(200, b'{"ok": false, "error": "invalid_blocks"}'))
    with Instance(tmp_path, by_bot(slack)) as threader:
        threader.post(group(alert("web-1", name="DiskFull"), group="DiskFull"))
        threader.post(group(alert("web-1")))
        threader.wait(lambda: slack.heads, "the other", 5)
        assert list(map(headline, slack.heads.values())) == ["[FIRING] HighCPU"]
        threader.wait(lambda: waiting(threader) == 1, "the first to be left alone")


def test_a_head_that_somebody_removed_is_posted_anew(
    threader: Instance, slack: Slack, group: Webhooks
) -> None:
    threader.post(group(alert("web-1")))
    threader.wait_idle()
    slack.heads.clear()
    threader.post(group(alert("web-1"), alert("web-2", 2)))
    threader.wait_idle()
    threader.post(group(alert("web-1", 0, 5), alert("web-2", 2, 5)))
    threader.wait_idle()
    assert list(map(headline, slack.heads.values())) == ["[RESOLVED] HighCPU"]


def test_an_incoming_webhook_gets_each_change_once(slack: Slack, tmp_path: Path, group: Webhooks) -> None:
    with Instance(tmp_path, {"SLACK_WEBHOOK_URL": slack.url}) as threader:
        for told in (group(alert("web-1")), group(alert("web-1")), group(alert("web-1", 0, 5))):
            threader.post(told)
        threader.wait_idle()
    assert list(map(headline, slack.messages)) == ["[FIRING] HighCPU", "[RESOLVED] HighCPU"]


def test_text_from_outside_stays_text(threader: Instance, slack: Slack, group: Webhooks) -> None:
    told = group(alert("<!channel> <https://evil.example|here>"), group="<@U1> & co")
    assert threader.post(told) == 200
    threader.wait_idle()
    [head] = slack.heads.values()
    for text in [headline(head), shown(head)]:
        assert "<!channel>" not in text.replace("&lt;!channel&gt;", "")
    fake.check(head)


def test_asked_to_end_it_writes_down_what_it_was_about_to(
    threader: Instance, slack: Slack, group: Webhooks
) -> None:
    slack.answers.append(Answer(200, b'{"ok": true, "ts": "1.1"}', delay=0.5))
    threader.post(group(alert("web-1")))
    threader.wait(lambda: slack.requests, "Slack to be asked")
    assert threader.stop() == 0
    threader.start()
    threader.wait_idle()
    assert len(slack.requests) == 1
