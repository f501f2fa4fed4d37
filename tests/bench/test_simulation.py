"""The simulation keeps the laws that every line of waiting things keeps."""

from dataclasses import replace

import pytest

from bench import shard as simulated
from bench.cluster import Burst, Cluster, Machines, Traffic, shard_of, shares
from bench.model import Host, Lags, Lock, Process, Queue, Simulation, Some
from bench.scenarios import Scenario
from bench.shard import DELIVERY_LEASE, Cost, Costs, Plant, Spent
from bench.simulation import busiest, capacities
from tocsin.alerts.intake import committer
from tocsin.notify import sending
from tocsin.notify import services as notify
from tocsin.orchestration import progress, worker

STEP = Spent(Cost(0.001, 0.000_2), Cost(0.001, 0.000_2))
COSTS = Costs(
    post=0.000_1, read=0.000_01, commit=STEP, repeat=STEP * 0.1, note=STEP * 0.1, decide=STEP, walk=STEP,
    send=Cost(0.000_5, 0.000_1), finish=STEP, claim=STEP, disk=0.002,
)  # fmt: skip
CALM = Scenario("calm", 2, Traffic(400, 0.5, per_post=8), seconds=10, machines=Machines(2, 2))
LOADED = replace(CALM, traffic=Traffic(9_000, 0.9), plant=Plant(queue=500), seconds=5)


def _changes_are_all_there(cluster: Cluster) -> None:
    for shard in cluster.shards:
        assert shard.offered == shard.stored.count + shard.refused + sum(web.waiting for web in shard.webs)
        assert shard.changed == shard.told.count + shard.waiting


@pytest.mark.parametrize("scenario", [CALM, LOADED], ids=["calm", "loaded"])
def test_nothing_is_lost_or_made(scenario: Scenario) -> None:
    cluster = scenario.run(COSTS)
    _changes_are_all_there(cluster)
    assert sum(shard.told.count for shard in cluster.shards) > 100


def test_what_came_is_told_of_once_nothing_more_comes() -> None:
    cluster = replace(CALM, rest=20).run(COSTS)
    assert [shard.waiting for shard in cluster.shards] == [0, 0]
    assert all(shard.told.count == shard.changed > 0 for shard in cluster.shards)


def test_a_full_queue_refuses_and_what_was_refused_comes_again() -> None:
    cluster = replace(LOADED, rest=60).run(COSTS)
    refused = sum(shard.refused for shard in cluster.shards)
    assert refused > 0
    _changes_are_all_there(cluster)
    assert all(shard.waiting == 0 for shard in cluster.shards)


@pytest.mark.parametrize("scenario", [CALM, LOADED], ids=["calm", "loaded"])
def test_nobody_is_busier_than_always(scenario: Scenario) -> None:
    cluster = scenario.run(COSTS)
    assert all(0 < busy <= 1 + 1e-9 for busy in busiest(cluster).values())


@pytest.mark.parametrize("scenario", [CALM, LOADED], ids=["calm", "loaded"])
def test_length_is_rate_times_wait(scenario: Scenario) -> None:
    """Little's law, for those that have left and those that are still there."""
    cluster = scenario.run(COSTS)
    for shard in cluster.shards:
        assert shard.journal.came == shard.journal.left + shard.journal.length > 0
        waited = shard.journal.waited + shard.journal.still_waiting()
        assert shard.journal.area == pytest.approx(waited)


def test_one_decides_however_many_workers_there_are() -> None:
    told = []
    for workers in (1, 2, 6):
        scenario = replace(LOADED, shards=1, plant=Plant(workers=workers), machines=Machines(32, 32))
        cluster = scenario.run(COSTS)
        told.append(sum(shard.decided.count for shard in cluster.shards))
    bound = capacities(COSTS, Plant())["correlation"] * LOADED.seconds
    assert told[0] < told[1] <= told[2] * 1.05
    assert told[2] <= bound


def test_more_shards_carry_more() -> None:
    few = replace(LOADED, shards=1).run(COSTS)
    many = replace(LOADED, shards=4).run(COSTS)
    assert sum(s.told.count for s in many.shards) > 3 * sum(s.told.count for s in few.shards)


def test_what_a_dead_worker_held_is_told_once_its_lease_ends() -> None:
    scenario = replace(CALM, shards=1, fault=lambda cluster: cluster.at(5, cluster.shards[0].workers[0].die))
    early = replace(scenario, rest=1).run(COSTS)
    late = replace(scenario, rest=DELIVERY_LEASE + 5).run(COSTS)
    _changes_are_all_there(early)
    assert early.shards[0].leased == early.shards[0].waiting > 0
    assert late.shards[0].waiting == 0


def test_while_a_database_is_away_posts_are_refused_and_nothing_else_is() -> None:
    scenario = replace(
        CALM, fault=lambda cluster: cluster.at(3, lambda: cluster.shards[0].base.stop(3)), rest=30
    )
    struck, other = scenario.run(COSTS).shards
    assert struck.refused > 0 == other.refused
    assert struck.waiting == other.waiting == 0


def test_the_same_seed_gives_the_same_story() -> None:
    first, again, other = (CALM.run(COSTS, seed).shards[0].told.percentile(0.99) for seed in (7, 7, 8))
    offered = [CALM.run(COSTS, seed).shards[0].offered for seed in (7, 7, 8)]
    assert first == again
    assert offered[0] == offered[1] != offered[2]


def test_a_burst_comes_and_goes() -> None:
    traffic = Traffic(100, 0.02, burst=Burst(10, 20, times=3, changing=0.5))
    assert [traffic.at(now) for now in (9.9, 10, 19.9, 20)] == [
        (100, 0.02),
        (300, 0.5),
        (300, 0.5),
        (100, 0.02),
    ]


def test_groups_by_zipfs_law_make_one_shard_hot() -> None:
    assert shares(4, 0.0) == [0.25] * 4
    skewed = shares(4, 1.0)
    assert sum(skewed) == pytest.approx(1)
    assert skewed[0] > 0.3 > skewed[-1]


def test_a_group_is_always_the_same_shards() -> None:
    found = [shard_of(f"group {number}", 8) for number in range(2_000)]
    assert found == [shard_of(f"group {number}", 8) for number in range(2_000)]
    assert all(200 < found.count(shard) < 300 for shard in range(8))


def test_processes_share_a_core_in_turns() -> None:
    simulation = Simulation()
    host, ended = Host(simulation, "app", 1), []
    for name, seconds in (("long", 1.0), ("short", 0.1)):
        Process(host).work(seconds, lambda name=name: ended.append((name, simulation.now)))  # type: ignore[misc]
    simulation.run(10)
    assert ended == [("short", pytest.approx(0.2)), ("long", pytest.approx(1.1))]
    assert host.busy == pytest.approx(1.1)


def test_half_a_core_takes_twice_as_long() -> None:
    simulation = Simulation()
    host, ended = Host(simulation, "app", 0.5), []
    Process(host).work(1.0, lambda: ended.append(simulation.now))
    simulation.run(10)
    assert ended == [pytest.approx(2)]


def test_a_lock_is_ones_at_a_time() -> None:
    simulation = Simulation()
    lock, had = Lock(simulation), []

    def have(name: str) -> None:
        had.append((name, simulation.now))
        simulation.after(2, lock.give)

    for name in "ab":
        lock.take(lambda name=name: have(name))  # type: ignore[misc]
    simulation.run(10)
    assert had == [("a", 0), ("b", 2)]
    assert lock.busy == 4


def test_a_queue_gives_in_order_and_cuts_what_is_too_much() -> None:
    queue = Queue(Simulation())
    queue.put([Some(1.0, 3), Some(2.0, 0), Some(3.0, 2)])
    assert queue.take(4) == [Some(1.0, 3), Some(3.0, 1)]
    assert queue.take(4) == [Some(3.0, 1)]
    assert (queue.came, queue.left, queue.length, queue.longest) == (5, 5, 0, 5)


def test_percentiles_are_near_what_was_put_in() -> None:
    lags = Lags()
    for number in range(1, 101):
        lags.add(number / 100, 10)
    assert lags.percentile(0.5) == pytest.approx(0.5, rel=0.07)
    assert lags.percentile(0.99) == pytest.approx(0.99, rel=0.07)
    assert Lags().percentile(0.5) == 0


def test_its_bounds_are_the_programs() -> None:
    assert simulated.ALERTS_PER_COMMIT == committer.ALERTS_PER_COMMIT
    assert simulated.MOST_ENTRIES == worker.MOST_ENTRIES
    assert simulated.RUNS_PER_TURN == worker.RUNS_PER_TURN
    assert simulated.SWEEP_SECONDS == worker.SWEEP_SECONDS
    assert simulated.ROOM_PER_SENDER == sending.ROOM_PER_SENDER
    assert progress.LEASE.total_seconds() == simulated.RUN_LEASE
    assert notify.LEASE.total_seconds() == simulated.DELIVERY_LEASE
