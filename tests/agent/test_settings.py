"""What an agent is told by environment and file, and what is said of what cannot be used."""

from pathlib import Path

import pytest

from tocsin.agent import settings
from tocsin.agent.enrolment import Enrolment
from tocsin.agent.settings import Settings
from tocsin.checkers.checks import checkers
from tocsin.core.errors import Misconfigured

HUB = 'hub = "https://hub.example.com/"\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))


def read(tmp_path: Path, text: str, only: list[str] | None = None) -> Settings:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return settings.read(path, only)


def ids(found: Settings) -> list[str]:
    return [check.id for check in found.checks]


def test_without_a_hub_it_names_the_variable() -> None:
    with pytest.raises(Misconfigured, match="HUB_URL is not set"):
        settings.read(None)


def test_checkers_that_run_everywhere_are_found_without_loading_any() -> None:
    assert settings.everywhere() == [name for name in checkers.names() if checkers.get(name).everywhere]
    assert {"cpu", "memory", "disk"} <= set(settings.everywhere())


def test_defaults_and_tables(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        HUB
        + 'interval = 30\n[checks.memory]\nwarning = 50\n[checks.root]\nchecker = "disk"\ninterval = 600\n',
    )
    assert set(ids(found)) == {*settings.everywhere(), "root"}
    by_id = {check.id: check for check in found.checks}
    assert by_id["root"].checker == "disk" and by_id["root"].interval == 600
    assert by_id["memory"].built.config.model_dump()["warning"] == 50
    assert by_id["cpu"].interval == 30
    assert found.hub == "https://hub.example.com"


def test_without_defaults_only_tables_count(tmp_path: Path) -> None:
    assert ids(read(tmp_path, HUB + "defaults = false\n[checks.memory]\n")) == ["memory"]


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_URL", "https://other.example.com")
    monkeypatch.setenv("INSTANCE_ID", "web-7")
    found = read(tmp_path, HUB)
    assert (found.hub, found.instance_id) == ("https://other.example.com", "web-7")


def test_skipped_checkers_and_checks_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKERS_SKIP", "cpu,root,swap")
    found = ids(read(tmp_path, HUB + '[checks.root]\nchecker = "disk"\n[checks.mine]\nchecker = "swap"\n'))
    assert not {"cpu", "root", "mine", "swap"} & set(found) and "memory" in found
    monkeypatch.setenv("CHECKERS_SKIP_ALL", "1")
    assert ids(read(tmp_path, HUB)) == []


def test_some_checkers_only(tmp_path: Path) -> None:
    text = HUB + '[checks.root]\nchecker = "disk"\n'
    assert ids(read(tmp_path, text, ["root", "memory", "root"])) == ["root", "memory"]
    with pytest.raises(Misconfigured, match="no check 'cqu'; known: .*cpu.*root"):
        read(tmp_path, text, ["cqu"])


@pytest.mark.parametrize(("text", "said"), [
    ("hub = ", "is no TOML"),
    ("hub = 3", "agent.toml: hub: expected a text"),
    ("interval = true", "agent.toml: interval: expected a number"),
    ("interval = 0", "agent.toml: interval: expected seconds"),
    ("defaults = 1", "agent.toml: defaults: expected true or false"),
    ("intervall = 3", "agent.toml: intervall: there is no such field"),
    ("checks = 3", "agent.toml: checks: expected tables"),
    ("checks.cpu = 3", r"agent.toml: checks.cpu: expected a table \[checks.cpu\]"),
    ('[checks."a b"]', r"agent.toml: \[checks.a b\]: an id is of"),
    ("[checks.cqu]", r"agent.toml: \[checks.cqu\]: checker: there is no checker 'cqu'; known: .*cpu"),
    ("[checks.cpu]\nwarnung = 3", r"agent.toml: \[checks.cpu\]: cpu: warnung: Extra"),
    ('[checks.cpu]\nwarning = "x"', r"agent.toml: \[checks.cpu\]: cpu: warning: "),
    ("[checks.cpu]\ninterval = -1", r"agent.toml: \[checks.cpu\]: interval: expected seconds"),
    ("[checks.cpu]\nchecker = 7", r"agent.toml: \[checks.cpu\]: checker: expected a text"),
])  # fmt: skip
def test_errors_name_file_table_and_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("HUB_URL", "https://hub.example.com")
    with pytest.raises(Misconfigured, match=said):
        read(tmp_path, text)


def test_a_file_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_AGENT_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(Misconfigured, match=r"none.toml cannot be read"):
        settings.read(None)


def test_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_CLUSTER", "very-secret")
    assert "very-secret" not in repr(read(tmp_path, HUB))


def enrolled(hub: str = "https://hub.example.com") -> None:
    folder = settings.folder()
    folder.mkdir(parents=True)
    kept = Enrolment(hub, "web-9", "its-key")
    (folder / "enrolment.json").write_text(
        f'{{"hub":"{kept.hub}","instance_id":"{kept.instance_id}","key":"{kept.key}"}}'
    )


def test_an_enrolled_agent_knows_its_hub_its_name_and_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled()
    monkeypatch.setenv("INSTANCE_ID", "web-1")
    found = settings.read(None)
    assert (found.hub, found.instance_id, found.key) == ("https://hub.example.com", "web-9", "its-key")
    assert found.remarks == ["INSTANCE_ID=web-1 does not count: enrolled as web-9"]


def test_a_key_is_for_its_own_hub_alone(tmp_path: Path) -> None:
    enrolled("https://elsewhere.example.com")
    found = read(tmp_path, HUB)
    assert found.key == "" and "its key is not used" in found.remarks[0]
