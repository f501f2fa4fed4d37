"""Which incident an alert belongs to: the values of the grouping labels."""

from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from tests.world import World
from tocsin.alerts.correlate.grouping import group_of
from tocsin.alerts.models import Incident

BY = ["alertname", "instance"]
LABELS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)


def test_alerts_that_share_the_grouping_labels_belong_together() -> None:
    one = group_of("Down", {"alertname": "Down", "instance": "a", "job": "x"}, BY)
    other = group_of("Down", {"alertname": "Down", "instance": "a", "job": "y"}, BY)
    apart = group_of("Down", {"alertname": "Down", "instance": "b", "job": "x"}, BY)
    assert one == other
    assert one.key != apart.key
    assert (one.title, one.described) == ("Down on a", 'alertname="Down", instance="a"')


def test_a_name_stands_in_for_the_label_alertname() -> None:
    assert group_of("Down", {"instance": "a"}, BY) == group_of(
        "x", {"alertname": "Down", "instance": "a"}, BY
    )


def test_a_missing_label_counts_as_empty() -> None:
    assert group_of("Down", {}, BY) == group_of("Down", {"instance": ""}, BY)
    assert group_of("Down", {}, BY).title == "Down"
    assert group_of("", {}, ["team"]).described == "no grouping label"


def test_values_do_not_run_into_each_other() -> None:
    assert (
        group_of("", {"a": "xy", "b": ""}, ["a", "b"]).key
        != group_of("", {"a": "x", "b": "y"}, ["a", "b"]).key
    )


@given(st.text(), LABELS, st.lists(st.text(max_size=5), max_size=4, unique=True))
def test_any_labels_have_a_group_with_a_title(name: str, labels: dict[str, str], by: list[str]) -> None:
    group = group_of(name, labels, by)
    assert len(group.key) == 32
    assert 0 < len(group.title) <= 255
    assert group == group_of(name, dict(reversed(labels.items())), by)


def test_the_grouping_labels_can_be_chosen(world: World, settings: Settings) -> None:
    settings.GROUP_BY = ["team"]
    for name, team in (("A", "web"), ("B", "web"), ("C", "db")):
        world.fire(name, labels={"team": team})
    world.work()
    assert sorted(Incident.objects.values_list("title", "total")) == [("A on web", 2), ("C on db", 1)]
