"""The operator is killed with SIGKILL after its n-th outgoing request of a credential's whole life: rotation, sync, roll-out,
retirement, with a real InfluxDB among the servers that it talks to.

The replies of odd requests are lost with the operator, those of even ones have just arrived. Each time a new process must bring the
life to its end: one new version, the workload restarted for it, the old token gone, no other token of ours left, and nobody refused
meanwhile. Some operators do this side by side, each in a namespace of its own, since a life is mostly waiting.
"""

from concurrent.futures import ThreadPoolExecutor

from harness.lane import Lane
from harness.life import Life
from harness.runner import check, check_equal, scenario
from harness.waiting import eventually
from harness.workloads import wait_running, workload

_LANES = 6
# Far above what a life costs, far below a loop that never ends.
_MOST = 300


def over(life, old_version, old):
    """Whether the life of the old token is over, as everybody shows it."""
    policy, current = life.subject.object(), life.subject.current()
    status = policy.get("status", {})
    return (current != old_version and status.get("currentVersionId") == current and old[1] not in life.authorizations()
            and not {"rotation", "retiring"} & status.keys() and not policy["metadata"].get("finalizers"))


def crash_at(world, lane, influx, namespace, number):
    """One life under a tripwire; the n-th request if it was reached, None if the life was over before."""
    name = f"n{number}"
    life = Life(lane, influx, namespace, name)
    subject = life.subject
    world.kube.apply(workload("Deployment", namespace, name, name, "env"))
    wait_running(world.kube, namespace, name)
    generation = deployment_generation(world, namespace, name)
    with life.readers as readers:
        old, old_version, versions = life.token(), subject.current(), subject.versions()
        wire = lane.wire.arm(number, "lost" if number % 2 else "answered", lane.kill)
        mark = lane.wire.mark()
        subject.request_rotation()
        eventually("the operator is killed or the life is over", lambda: wire.tripped_by or over(life, old_version, old), 90)
        reached = wire.tripped_by
        if reached:
            lane.operator.restart_after_kill()
            eventually(f"the life ends after a crash at {reached}", lambda: over(life, old_version, old), 90)
        lane.wire.reopen()
        subject.wait_at_rest()
        subject.check_one_new_version(versions, old_version)
        check_equal(deployment_generation(world, namespace, name) - generation, 1, "restarts of the workload")
        readers.check_nobody_refused()
        check(not readers.holders(old[0]), "somebody still holds the old token")
    check(not life.works(old), "the old token works")
    check(life.works(life.token()), "the current token does not work")
    # Whenever the answer to a POST does not arrive, by a crash or by a time-out, the token made is nobody's. It carries our mark, by
    # which the clean-up finds it once it is an hour old. There may be no other.
    minted = sum(str(request) == "POST /api/v2/authorizations" for request in lane.wire.since(mark))
    left = life.marked() - {life.token()[1]}
    check(len(left) < minted, f"{minted} tokens were minted, and beside the current one {len(left)} are left")
    world.kube.kubectl("-n", namespace, "delete", "deployment", name, "--wait=false")
    subject.delete()
    return reached, left


def deployment_generation(world, namespace, name):
    return world.kube.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")["metadata"]["generation"]


def crash_lane(world, influx, index):
    """Every _LANES-th n, from index + 1 on: the requests at which it crashed by number, and those that left a token."""
    namespace, points, leaving = f"t-crash-life-{index}", {}, {}
    with Lane(world, f"crash-{index}", influx, [namespace]) as lane:
        for number in range(index + 1, _MOST, _LANES):
            try:
                reached, left = crash_at(world, lane, influx, namespace, number)
            except AssertionError as failed:
                raise AssertionError(f"n = {number}, after {points}: {failed}") from failed
            if reached is None:
                return points, leaving
            points[number] = str(reached)
            if left:
                leaving[number] = str(reached)
    raise AssertionError(f"a life takes more than {_MOST} requests")


@scenario("SIGKILL after the n-th request, every n of a token's whole life: one new version, no orphan, nobody refused")
def matrix(world):
    influx = world.influx()
    world.operator.stop_if_running()
    for index in range(_LANES):
        world.namespace(f"crash-life-{index}")
    points, leaving = {}, {}
    # The kernel ties the life of an operator to the thread that started it: each lane is one thread's from start to end.
    with ThreadPoolExecutor(_LANES) as pool:
        for found, left in pool.map(lambda index: crash_lane(world, influx, index), range(_LANES)):
            points.update(found)
            leaving.update(left)
    for part in ("PutSecretValue", "UpdateSecretVersionStage", "POST /api/v2/authorizations", "DELETE /api/v2/authorizations", "/secrets/",
                 "/deployments/"):
        check(any(part in point for point in points.values()), f"no crash at {part} among {sorted(set(points.values()))}")
    return (f"{len(points)} crashes, the last at {points[max(points)]}; {len(leaving)} lost the answer to a mint, whose marked token the "
            "clean-up revokes when it is an hour old")
