"""A run that has a machine's agent run a command: what it asks, what it waits for, and the ways on."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.test_definitions import NOTIFY, define, node, outputs, run, stages
from tests.world import World
from tocsin.fleet import commands, enrolment, instances
from tocsin.fleet.commands import Ended, Offer
from tocsin.fleet.models import Command, Instance
from tocsin.orchestration import engine, services
from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.graph import graph_of
from tocsin.orchestration.models import PipelineRun
from tocsin.orchestration.nodes import Context
from tocsin.orchestration.retention import thin
from tocsin.orchestration.trial import on_incident

RESTART = Offer("restart", "Restart a service", {"unit": "nginx|php"})
CONFIG = {
    "instance": "{{ alerts[0].labels.instance }}",
    "command": "restart",
    "arguments": {"unit": "{{ alerts[0].labels.unit }}"},
}


class Machine:
    """An instance with a key, and what its agent does."""

    def __init__(self, world: World, name: str = "web-1", *offers: Offer) -> None:
        self.world, self.name = world, name
        token = enrolment.offer(now=world.now)
        enrolment.enrol(token=token, instance_id=name, hostname="", version="", now=world.now)
        commands.listen(self.row, offers or (RESTART,), world.now)

    @property
    def row(self) -> Instance:
        return instances.named(self.name)

    def take(self, agent: str = "a1") -> list[Command]:
        return commands.take(self.row, agent, self.world.now)

    def tell(self, command: Command, state: Any = "done", exit_code: int | None = 0, **told: Any) -> None:
        ended = Ended(command.pk, state, exit_code, **told)
        services.end_command(instance=self.row, told=ended, now=self.world.now)
        self.world.work()


def ask(world: World, unit: str = "nginx", **config: Any) -> Machine:
    """A run that waits for web-1."""
    machine = Machine(world)
    command = node("do", "run_command", "tell", otherwise="else", config=CONFIG | config)
    define(world, command, NOTIFY, node("else", "ingest"))
    world.channel()
    world.fire(labels={"instance": "web-1", "unit": unit})
    world.work()
    return machine


def test_it_asks_waits_and_goes_on_with_what_came_of_it(world: World) -> None:
    machine = ask(world)
    assert (run().state, stages()) == (PipelineRun.WAITING, [("do", "waiting")])
    [command] = machine.take()
    assert (command.name, command.arguments) == ("restart", {"unit": "nginx"})
    assert (command.run_id, command.node, command.trace_id) == (run().run_id, "do", run().trace_id)
    machine.tell(command, output="restarted\n", took_seconds=1.5)
    assert outputs()["do"] == {
        "instance": "web-1", "command": "restart", "state": "done", "exit_code": 0, "output": "restarted\n",
        "took_seconds": 1.5, "reason": "",
    }  # fmt: skip
    assert (run().state, world.kinds()) == (PipelineRun.NOTIFIED, ["firing"])
    assert not machine.take()


@pytest.mark.parametrize(
    ("state", "code"), [("done", 1), ("done", -1), ("failed", None), ("refused", None), ("interrupted", None)]
)
def test_anything_else_goes_on_by_otherwise(state: str, code: int | None, world: World) -> None:
    machine = ask(world)
    machine.tell(machine.take()[0], state, code, reason="why")
    assert stages()[-1] == ("else", "succeeded")
    assert (outputs()["do"]["state"], outputs()["do"]["exit_code"]) == (state, code)


def test_other_exit_codes_may_be_fine(world: World) -> None:
    machine = ask(world, ok_exit_codes=[0, 3])
    machine.tell(machine.take()[0], "done", 3)
    assert world.kinds() == ["firing"]


def test_an_end_is_told_once_and_what_is_repeated_changes_nothing(world: World) -> None:
    machine = ask(world)
    [command] = machine.take()
    machine.tell(command, output="first")
    machine.tell(command, "failed", None, output="second")
    command.refresh_from_db()
    assert (command.state, command.output, len(stages())) == ("done", "first", 3)


def test_a_command_is_of_one_instance_alone(world: World) -> None:
    machine, other = ask(world), Machine(world, "web-2")
    assert not other.take()
    [command] = machine.take()
    other.tell(command, output="forged")
    command.refresh_from_db()
    assert (command.state, command.output, run().state) == ("taken", "", PipelineRun.WAITING)


def test_another_process_of_the_agent_is_not_given_it_again(world: World) -> None:
    machine = ask(world)
    [command] = machine.take("a1")
    assert machine.take("a1") == [command], "its answer may have been lost"
    assert not machine.take("b2"), "it would run it twice"


def test_nobody_takes_it_in_time(world: World) -> None:
    machine = ask(world, seconds=60)
    world.forward(seconds=59)
    assert run().state == PipelineRun.WAITING
    world.forward(seconds=1)
    assert not machine.take()
    assert Command.objects.get().state == Command.EXPIRED
    told = outputs()["do"]
    assert (told["state"], told["reason"]) == ("expired", "nobody took it in time")
    assert stages()[-1] == ("else", "succeeded")


def test_a_result_that_comes_too_late_is_kept_and_changes_nothing_else(world: World) -> None:
    machine = ask(world, seconds=60)
    [command] = machine.take()
    world.forward(seconds=60)
    told, before = outputs()["do"], stages()
    assert (told["state"], told["reason"]) == ("taken", "no result in time")
    machine.tell(command, output="late")
    command.refresh_from_db()
    assert (command.state, command.output) == ("done", "late")
    assert (stages(), outputs()["do"]) == (before, told)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"command": "reboot"}, "web-1 does not allow 'reboot'; it allows restart"),
        ({"instance": "web-9"}, "there is no instance 'web-9'"),
        ({"instance": "\0"}, "there is no instance '\\x00'"),
        ({"arguments": {}}, "the arguments of restart on web-1 are: unit"),
        ({"arguments": {"unit": "nginx", "more": "x"}}, "the arguments of restart on web-1 are: unit"),
        ({"arguments": {"unit": "x" * 1_001}}, "the argument unit is longer than 1000 characters"),
    ],
)
def test_what_cannot_be_done_is_not_asked(config: dict[str, Any], why: str, world: World) -> None:
    ask(world, **config)
    assert (outputs()["do"]["state"], outputs()["do"]["reason"]) == ("refused", why)
    assert stages()[-1] == ("else", "succeeded") and not Command.objects.exists()


def test_without_a_key_in_force_nothing_is_asked(world: World) -> None:
    machine = Machine(world)
    enrolment.revoke(instance_id=machine.name, now=world.now)
    define(world, node("do", "run_command", config=CONFIG))
    world.fire(labels={"instance": "web-1", "unit": "nginx"})
    world.work()
    assert "no key of its own" in outputs()["do"]["reason"]


def test_what_an_alert_says_arrives_as_it_is(world: World) -> None:
    hostile = "nginx; {{ 7*7 }} $(id)\n--x"
    machine = ask(world, unit=hostile)
    assert machine.take()[0].arguments == {"unit": hostile}


def test_a_second_walk_asks_no_second_time(world: World) -> None:
    """As when a worker dies after its commit: its run falls due again."""
    machine = ask(world)
    PipelineRun.objects.update(due_at=world.now)
    world.work()
    assert Command.objects.count() == 1 and len(machine.take()) == 1
    order = commands.Order(machine.row, "restart", {}, run().run_id, "do", "t", world.now)
    commands.ask([order], world.now)
    assert Command.objects.get().arguments == {"unit": "nginx"}


def test_a_run_that_failed_meanwhile_finds_the_end_when_it_is_resumed(world: World) -> None:
    machine = Machine(world)
    world.channel()
    fails = node("fails", "transform", config={"templates": {"x": "{{ nowhere }}"}}, retry={"tries": 1})
    define(world, node("do", "run_command", "tell", config=CONFIG), NOTIFY, fails)
    world.fire(labels={"instance": "web-1", "unit": "nginx"})
    world.work()
    assert run().state == PipelineRun.FAILED
    machine.tell(machine.take()[0], output="restarted")
    assert (run().state, run().due_at, world.kinds()) == (PipelineRun.FAILED, None, [])
    engine.resume(run_id=run().run_id, now=world.now)
    world.work()
    assert (outputs()["do"]["output"], outputs()["do"]["state"]) == ("restarted", "done")
    assert Command.objects.count() == 1


def test_an_approval_goes_before_it(world: World) -> None:
    machine = Machine(world)
    define(
        world,
        node("ask", "approval", "do", config={"question": "Restart?"}),
        node("do", "run_command", config=CONFIG),
    )
    world.fire(labels={"instance": "web-1", "unit": "nginx"})
    world.work()
    assert not machine.take()
    services.approve(run_id=run().run_id, node="ask", approved=True, actor="ann", now=world.now)
    world.work()
    assert len(machine.take()) == 1


def test_to_rehearse_it_asks_for_nothing(world: World) -> None:
    Machine(world)
    world.fire(labels={"instance": "web-1", "unit": "nginx"})
    world.work()
    for command, exit, reason in (
        ("restart", "next", "would ask web-1 for restart"),
        ("reboot", "otherwise", "web-1 does not allow 'reboot'; it allows restart"),
    ):
        spec = node("do", "run_command", config=CONFIG | {"command": command})
        graph = graph_of({"version": "1.0", "nodes": [spec]})
        tried = on_incident(graph, world.incident().pk, Context(world.now, world.checks))
        assert tried.exits == {"do": exit} and tried.stages[0].output["reason"] == reason
    assert not Command.objects.exists()


def test_an_instance_that_goes_takes_its_commands_along(world: World) -> None:
    machine = ask(world, seconds=60)
    instances.remove(instance_id="web-1", now=world.now)
    again = Machine(world)
    assert not again.take(), "whoever has its name now was never meant"
    world.forward(seconds=60)
    assert outputs()["do"]["state"] == "expired"
    assert Command.objects.get().machine == machine.name


def test_long_output_is_kept_by_the_command_and_its_end_by_the_run(world: World) -> None:
    machine = ask(world)
    machine.tell(machine.take()[0], output="a" * 100_000 + "\0the end")
    told = outputs()["do"]["output"]
    assert len(told) == 16_000 and told.endswith("\ufffdthe end")
    assert len(Command.objects.get().output) == commands.LONGEST_OUTPUT


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0}, {"seconds": 86_401}, {"ok_exit_codes": []}, {"command": ""}, {"argv": ["id"]}]
)
def test_what_is_wrong_in_a_definition_is_told(wrong: dict[str, Any], world: World) -> None:
    with pytest.raises(Unsound):
        define(world, node("do", "run_command", config=CONFIG | wrong))


def test_old_commands_go_with_their_runs(world: World) -> None:
    machine = ask(world)
    machine.tell(machine.take()[0])
    thin(world.now + timedelta(days=89))
    assert Command.objects.exists()
    thin(world.now + timedelta(days=91))
    assert not Command.objects.exists()
