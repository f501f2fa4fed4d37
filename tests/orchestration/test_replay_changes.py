"""Files of changes: what they may say, and all that is wrong in them at once."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management.base import CommandError
from msgspec.structs import replace

from tests.cli.run import tocsin
from tocsin.core.errors import Rejected
from tocsin.notify import services as notify
from tocsin.orchestration.replay import changes, configuration
from tocsin.orchestration.replay.configuration import SETTINGS, ChannelKind, Configuration, Quiet, SourceRules
from tocsin.orchestration.replay.lines import Change
from tocsin.orchestration.replay.relabel import Relabel
from tocsin.orchestration.setup import Setup

ROOT: Final = Path(__file__).parents[2]
SINCE, UNTIL = datetime(2026, 11, 14, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
TELL: Final = {"version": "1.0", "nodes": [{"id": "tell", "type": "notify"}]}


def present() -> Configuration:
    return Configuration(
        settings=dict.fromkeys(SETTINGS, "1"),
        definitions={"default": Setup("default", TELL), "mine": Setup("mine", TELL)},
        sources={"shop": SourceRules(["team"], 5, {"team": "web"})},
        channels={"chat": ChannelKind("slack"), "hook": ChannelKind("webhook", False)},
        silences={"night": Quiet(["a=b"], SINCE, UNTIL)},
    )


def read(folder: Path, content: Any, name: str = "changes.json") -> Configuration:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return changes.read(file, present(), SINCE, UNTIL)


def wrong(folder: Path, content: Any, name: str = "changes.json") -> list[str]:
    with pytest.raises(Rejected) as error:
        read(folder, content, name)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{folder / name}: ") for line in lines), lines
    return [line.removeprefix(f"{folder / name}: ") for line in lines]


def test_nothing_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, {}) == present()


def test_replaced_in_its_place_removed_and_added(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "settings": {"TOCSIN_GROUP_BY": ["alertname", "team"], "NOTIFY_SKIP_ALL": False,
                         "TOCSIN_CLOSE_AFTER": None},
            "definitions": {"default": {"definition": TELL, "priority": 5}, "mine": None},
            "sources": {"shop": None, "bank": {"budget": 0}},
            "channels": {"hook": {"enabled": True}, "mail": {"driver": "email"}, "chat": None},
            "silences": {"day": {"matchers": ["a=b"], "from": "2026-11-15T10:00:00+02:00"}},
        },
    )  # fmt: skip
    assert found.settings == {
        "TOCSIN_GROUP_BY": "alertname,team", "NOTIFY_SKIP_ALL": "0", "TOCSIN_CLOSE_AFTER": "",
        "TOCSIN_SOURCE_BUDGET": "1",
    }  # fmt: skip
    assert [(one.name, one.priority) for one in found.definitions.values()] == [("default", 5)]
    assert found.sources == {"bank": SourceRules(budget=0)}
    assert found.channels == {"hook": ChannelKind("webhook"), "mail": ChannelKind("email")}
    assert list(found.silences) == ["night", "day"]
    assert (found.silences["day"].since, found.silences["day"].until) == (
        datetime(2026, 11, 15, 8, tzinfo=UTC), UNTIL
    )  # fmt: skip


def test_routes_are_replaced_taken_away_and_checked(tmp_path: Path) -> None:
    tree = {"route": {"receiver": "a"}, "receivers": {"a": ["chat"]}}
    given = replace(present(), routing={"route": {}})
    file = tmp_path / "changes.json"
    for changed, expected in (({}, given.routing), ({"routing": None}, None), ({"routing": tree}, tree)):
        file.write_text(json.dumps(changed))
        assert changes.read(file, given, SINCE, UNTIL).routing == expected
    assert wrong(tmp_path, {"routing": {"route": {"receiver": "nobody"}}})[0].startswith("routing: ")


def test_yaml_says_the_same_and_its_lines_are_told(tmp_path: Path) -> None:
    said = """
settings: {TOCSIN_CLOSE_AFTER: 900, TOCSIN_GROUP_BY: [alertname]}
channels:
  chat: null
  hook: {enabled: yes}
definitions:
  mine: {definition: {version: "1.0", nodes: [{id: tell, type: notify}]}, priority: 7}
silences:
  day:
    matchers: [a=b]
    from: 2026-11-15T10:00:00+02:00
"""
    found = read(tmp_path, said, "changes.yaml")
    assert (found.settings["TOCSIN_CLOSE_AFTER"], found.settings["TOCSIN_GROUP_BY"]) == ("900", "alertname")
    assert found.channels == {"hook": ChannelKind("webhook")}
    assert found.definitions["mine"].priority == 7
    assert found.silences["day"].since == datetime(2026, 11, 15, 8, tzinfo=UTC)
    told = wrong(tmp_path, said.replace("yes", "perhaps").replace("matchers", "matcher"), "changes.yml")
    assert [line.rpartition(":")[0] if "known" in line else line for line in told] == [
        "line 5: channels.hook.enabled: Input should be a valid boolean, unable to interpret input",
        "line 9: silences.day.matchers: Field required",
        "line 10: silences.day.matcher: there is no such key; known",
    ]


def test_all_that_is_wrong_is_told_at_once_by_its_place(tmp_path: Path) -> None:
    node = {"id": "tell", "type": "nonsense", "next": "nobody"}
    assert wrong(tmp_path, {"routs": {}, "channels": {"chat": {"url": 1}, "x": {"enabled": "?"}}}) == [
        "channels.chat.url: there is no such key; known: driver, enabled, send_resolved",
        "channels.x.enabled: Input should be a valid boolean, unable to interpret input",
        "routs: there is no such key; known: settings, definitions, sources, channels, silences, routing",
    ]
    found = wrong(
        tmp_path,
        {
            "settings": {"TOCSIN_CLOSE_AFTER": "soon", "TOCSIN_PORT": 1, "NOTIFY_SKIP_ALL": "maybe"},
            "definitions": {"mine": {"name": "yours", "definition": {"version": "1.0", "nodes": [node]},
                                     "matchers": ["x"], "priority": 1}},
            "sources": {"a b": {"labels": {"1": "x"}, "group_by": [""]}},
            "channels": {"new": {}, "chat": {"driver": "pigeon"}},
            "silences": {"night": {"matchers": ["a"], "from": "2026-11-16T00:00:00Z",
                                   "until": "2026-11-15T00:00:00Z"}},
        },
    )  # fmt: skip
    places = [line.partition(": ")[0] for line in found]
    assert places == [
        "settings.TOCSIN_CLOSE_AFTER", "settings.TOCSIN_PORT", "settings.NOTIFY_SKIP_ALL",
        "definitions.mine.name", "definitions.mine", "definitions.mine.definition",
        "definitions.mine.definition", "sources.a b", "sources.a b.labels", "sources.a b.group_by",
        "channels.new.driver", "channels.chat.driver", "silences.night.matchers[0]", "silences.night.until",
    ]  # fmt: skip
    assert "known: TOCSIN_GROUP_BY, TOCSIN_CLOSE_AFTER" in found[1]


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "5", '{"channels": []}', "[" * 100_000, '{"silences": {"a": {}}}',
        '{"settings": {"TOCSIN_GROUP_BY": {}}}', '{"definitions": {"a": true}}',
    ],
)  # fmt: skip
def test_garbage_is_told(tmp_path: Path, content: str) -> None:
    assert wrong(tmp_path, content)


def test_a_file_that_cannot_be_read_or_is_no_yaml(tmp_path: Path) -> None:
    assert wrong(tmp_path, "a: [", "changes.yaml")
    assert wrong(tmp_path, "a: &a [*a, *a]", "changes.yaml")
    assert wrong(tmp_path, "settings:")[0].startswith("it is no JSON; a file of YAML must end in .yaml: ")
    with pytest.raises(Rejected, match="cannot read .*: No such file"):
        changes.read(tmp_path / "none.json", present(), SINCE, UNTIL)


@pytest.mark.django_db
def test_what_is_printed_holds_no_secret_and_can_be_read_again(tmp_path: Path) -> None:
    url = "https://hooks.example/s3cr3t"
    notify.add_channel(name="hook", driver="webhook", given={"url": url}, now=SINCE)
    printed = tocsin("replay", "--print-config")
    assert "s3cr3t" not in printed
    assert json.loads(printed)["channels"]["hook"]["driver"] == "webhook"
    file = tmp_path / "present.json"
    file.write_text(printed)
    found = configuration.present(SINCE, UNTIL)
    assert changes.read(file, found, SINCE, UNTIL) == found


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options",
    [("--since", "soon"), ("--since", "1h", "--until", "2h"), ("--until", "x"), ("--since", "99999999w")],
)
def test_times_that_are_none(options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"--(since|until)"):
        tocsin("replay", "--print-config", *options)


def test_every_setting_that_decides_can_be_changed() -> None:
    """Whoever lets another setting decide over alerts names it here too."""
    places = [*(ROOT / "tocsin/alerts/correlate").glob("*.py"), ROOT / "tocsin/orchestration/nodes/notify.py",
              ROOT / "tocsin/orchestration/services.py", ROOT / "tocsin/orchestration/engine.py"]  # fmt: skip
    source = "\n".join(place.read_text() for place in places)
    read = re.findall(r'config\.(?:text|flag|number|words)\(\s*"([A-Z_]+)"', source)
    read += [f"TOCSIN_{name}" for name in re.findall(r"settings\.(GROUP_[A-Z]+)", source)]
    assert set(read) <= set(SETTINGS)


def test_other_default_labels_take_the_place_of_those_it_bears() -> None:
    labels = '{"team":"web","tier":"1","own":"x"}'
    change = Change(
        1, 1, "f", "fired", "info", "generic", 1, SINCE, SINCE, "t", "shop", "n", labels, "{}", ""
    )
    shop = {"shop": {"team": "web", "tier": "2"}}
    relabelled = Relabel(shop, {"shop": {"team": "shop", "zone": "b", "own": "y"}}).of(change)
    assert json.loads(relabelled) == {"team": "shop", "zone": "b", "own": "x", "tier": "1"}
    assert json.loads(Relabel(shop, {}).of(change)) == {"tier": "1", "own": "x"}
    assert Relabel({}, shop).of(change) == labels
