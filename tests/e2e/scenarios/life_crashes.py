"""The operator is killed with SIGKILL after its n-th outgoing request of a credential's whole life: rotation, sync, roll-out,
retirement, with a real InfluxDB among the servers that it talks to.

The replies of odd requests are lost with the operator, those of even ones have just arrived. Which request is the n-th differs a
little from one life to the next, so those that matter most are met by name as well. Each time a new process must bring the
life to its end: one new version, the workload restarted for it, the old token gone, no other token of ours left, and nobody refused
meanwhile. Some operators do this side by side, each in a namespace of its own, since a life is mostly waiting.
"""

import re
from concurrent.futures import ThreadPoolExecutor

from harness.lane import Lane
from harness.life import Life
from harness.runner import check, check_equal, scenario
from harness.subject import ROTATE_REQUESTED
from harness.waiting import eventually
from harness.workloads import wait_running, workload

_LANES = 8
# The first lanes begin with one each.
_POINTS = (("lost", "POST /api/v2/authorizations"), ("answered", "POST /api/v2/authorizations"), ("lost", "PutSecretValue"),
           ("lost", "PATCH /apis/apps/v1/"), ("lost", "PATCH /api/v2/authorizations"), ("lost", "DELETE /api/v2/authorizations"))
# Far above what a life costs, far below a loop that never ends.
_MOST = 300


def over(life, old_version, old):
    """Whether the life of the old token is over, as everybody shows it; the cheapest to ask first."""
    policy = life.subject.object()
    status = policy.get("status", {})
    return (status.get("currentVersionId") != old_version and not {"rotation", "retiring"} & status.keys()
            and not policy["metadata"].get("finalizers") and life.subject.current() == status.get("currentVersionId")
            and old[1] not in life.authorizations())


def crash_at(world, lane, influx, namespace, name, number, mode, matches=lambda request: True):
    """One life under a tripwire; the request that it was killed at, None if it was over before."""
    life = Life(lane, influx, namespace, name)
    subject = life.subject
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    world.kube.send("POST", deployment, workload("Deployment", namespace, name, name, "env"))
    wait_running(world.kube, namespace, name)
    generation = world.kube.get(f"{deployment}/{name}")["metadata"]["generation"]
    with life.readers as readers:
        old, old_version, versions = life.token(), subject.current(), subject.versions()
        mark, wire = lane.wire.mark(), lane.wire.arm(number, mode, lane.kill, matches)
        world.kube.send("PATCH", subject.path(), {"metadata": {"annotations": {ROTATE_REQUESTED: subject.next_request_time()}}})
        eventually("the operator is killed or the life is over", lambda: wire.tripped_by or over(life, old_version, old), 90, every=0.1)
        reached = wire.tripped_by
        if reached:
            lane.operator.restart_after_kill()
            eventually(f"the life ends after a crash at {reached}", lambda: over(life, old_version, old), 90, every=0.1)
        lane.wire.reopen()
        subject.wait_at_rest()
        subject.check_one_new_version(versions, old_version)
        check_equal(world.kube.get(f"{deployment}/{name}")["metadata"]["generation"] - generation, 1, "restarts of the workload")
        readers.check_nobody_refused()
        check(not readers.holders(old[0]), "somebody still holds the old token")
    check(not life.works(old), "the old token works")
    check(life.works(life.token()), "the current token does not work")
    # Whenever the answer to a POST does not arrive, by a crash or by a time-out, the token made is nobody's. It carries our mark, by
    # which the clean-up finds it once it is an hour old. There may be no other.
    minted = sum(str(request) == "POST /api/v2/authorizations" for request in lane.wire.since(mark))
    left = life.marked() - {life.token()[1]}
    check(len(left) < minted, f"{minted} tokens were minted, and beside the current one {len(left)} are left")
    for path in (f"{deployment}/{name}", subject.path()):
        world.kube.send("DELETE", path)
    return reached, left


def crash_lane(world, influx, index):
    """The lane's point, and every _LANES-th n from index + 1 on: where it crashed, and which crashes left a token."""
    namespace, points, leaving = f"t-crash-life-{index}", {}, {}
    tries = [*(("named", 1, mode, lambda request, point=point: point in str(request)) for mode, point in _POINTS[index:index + 1]),
             *((f"n{n}", n, "lost" if n % 2 else "answered", lambda request: True) for n in range(index + 1, _MOST, _LANES))]
    with Lane(world, f"crash-{index}", influx, [namespace]) as lane:
        for name, number, mode, matches in tries:
            try:
                reached, left = crash_at(world, lane, influx, namespace, name, number, mode, matches)
            except AssertionError as failed:
                raise AssertionError(f"lane {index}, {name} ({mode}), after {points}: {failed}") from failed
            if reached is None:
                check(name != "named", f"no request was one of {_POINTS[index:index + 1]}")
                return points, leaving
            points[name, index] = str(reached)
            if left:
                leaving[name, index] = str(reached)
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
    kinds = len({re.sub(r"[-a-z0-9]*[0-9][-a-z0-9]*", "", point) for point in points.values()})
    return (f"{len(points)} crashes at {kinds} kinds of request; {len(leaving)} lost the answer to a mint, whose marked token the clean-up "
            "revokes when it is an hour old")
