"""The operator is killed with SIGKILL after its n-th outgoing request, for every n of a rotation.

Two ways: the server did its part but the reply was lost with the operator, and the reply just arrived. Each time a new
process must bring the rotation to its end: exactly one new version, current, in the Secret, nothing else changed and nothing
left over.
"""

import json

from harness.runner import check, check_equal, scenario
from harness.subject import ROTATE_REQUESTED, all_but
from harness.waiting import eventually
from harness.world import OPERATOR_NAMESPACE, RELEASE

# Far above what a rotation costs by the budgets (6 AWS calls, 8 writes, some reads), far below a loop that never ends.
_MOST = 60


def whole(subject, old, at):
    """Whether the rotation asked for at that time is over, as the policy shows it: the request is marked as handled when it begins."""
    policy, current = subject.object(), subject.current()
    status = policy.get("status", {})
    return (current != old and status.get("lastHandledRotateRequest") == at and status.get("currentVersionId") == current
            and "rotation" not in status and not policy["metadata"].get("finalizers"))


def crash_at(world, subject, number, mode, matches=lambda request: True):
    """Rotates under a tripwire; the n-th request if it was reached, None if the rotation was whole before."""
    old, versions, old_text = subject.current(), subject.versions(), subject.value()
    wire = world.wire.arm(number, mode, world.kill_operator, matches)
    at = subject.request_rotation()

    def done():
        return whole(subject, old, at)

    eventually("the operator is killed or done", lambda: wire.tripped_by or done(), 30, every=0.01)
    if not wire.tripped_by:
        subject.wait_in_sync()
    reached = wire.tripped_by
    if reached:
        # Whenever it dies, the Secret holds a value that was current at some time, and never less than all of it.
        held = subject.data()["password"].decode()
        check(held in {json.loads(world.aws.value_of(subject.secret_id, v))["password"] for v in subject.versions()},
              "the Secret holds a value that no version has")
        world.operator.restart_after_kill()
        eventually(f"the rotation ends after a crash at {reached}", done, 45)
        subject.wait_in_sync(45)
        subject.sync_now()
    world.wire.reopen()
    subject.check_one_new_version(versions, old)
    subject.check_default_mapping()
    check_equal(all_but("password", subject.value()), all_but("password", old_text), "every other byte of the secret")
    check_equal(subject.status()["history"][0]["outcome"], "Succeeded", "outcome in the history")
    return reached


def matrix(world, mode):
    namespace = world.namespace(f"crash-{mode}")
    points = []
    for number in range(1, _MOST):
        subject = world.subject(namespace, f"n{number}")
        try:
            reached = crash_at(world, subject, number, mode)
        except AssertionError as failed:
            raise AssertionError(f"n = {number} ({mode}), after {', '.join(points) or 'none'}: {failed}") from failed
        if reached is None:
            break
        points.append(str(reached))
        subject.delete()
    else:
        raise AssertionError(f"a rotation takes more than {_MOST} requests")
    # One life has a request more than another now and then, so that the n-th of each may pass by the ones that matter: those are met by name.
    for needed in ("PutSecretValue", "UpdateSecretVersionStage", "/secrets/"):
        if not any(needed in point for point in points):
            subject = world.subject(namespace, f"named-{len(points)}")
            reached = crash_at(world, subject, 1, mode, lambda request: needed in str(request))
            check(reached is not None, f"no crash at {needed} among {points}")
            points.append(str(reached))
            subject.delete()
    return f"{len(points)} crashes, the last at {points[-1]}"


@scenario("SIGKILL after the n-th request, every n of a rotation, the reply lost: one new version")
def lost(world):
    return matrix(world, "lost")


@scenario("SIGKILL after the n-th request, every n of a rotation, the reply received: one new version")
def answered(world):
    return matrix(world, "answered")


@scenario("SIGKILL after the n-th request of a start that finds a rotation asked for, every n: one new version")
def at_start(world):
    namespace = world.namespace("crash-start")
    crashes = 0
    for number in range(1, _MOST):
        subject = world.subject(namespace, f"n{number}")
        old, versions = subject.current(), subject.versions()
        world.operator.stop()
        at = subject.request_rotation()
        wire = world.wire.arm(number, "lost", world.kill_operator)
        world.operator.start(ready=False)
        eventually("the operator is killed or done", lambda: wire.tripped_by or whole(subject, old, at), 45, every=0.01)
        reached = wire.tripped_by
        if reached:
            crashes += 1
            world.operator.restart_after_kill()
        world.wire.reopen()
        subject.wait_rotated(old, 45)
        eventually("the rotation ends", lambda: whole(subject, old, at), 45)
        subject.check_one_new_version(versions, old)
        subject.check_default_mapping()
        subject.delete()
        if not reached:
            return f"{crashes} crashes"
    raise AssertionError(f"a start takes more than {_MOST} requests")


@scenario("SIGKILL again and again during one rotation: still one new version")
def repeatedly(world):
    namespace = world.namespace("crash-again")
    subject = world.subject(namespace, "again")
    old, versions = subject.current(), subject.versions()
    at = subject.next_request_time()
    world.wire.arm(2, "lost", world.kill_operator)
    subject.annotate(ROTATE_REQUESTED, at)
    kills = 0

    def done():
        return whole(subject, old, at)

    for number in range(3, 30, 2):  # each life gets a little further
        eventually("the operator is killed or done", lambda: not world.operator.running() or done(), 45)
        if world.operator.running():
            break
        kills += 1
        world.wire.drop_connections()
        world.wire.reopen()
        world.wire.arm(number, "lost", world.kill_operator)
        world.operator.start(ready=False)
    world.wire.reopen()
    if not world.operator.running():
        world.operator.restart_after_kill()
    subject.wait_rotated(old, 60)
    subject.sync_now()
    subject.check_one_new_version(versions, old)
    subject.check_default_mapping()
    return f"{kills} kills"


@scenario("two operators at once, the leader killed: the other takes over, one new version")
def two_operators(world):
    world.operator.stop()
    world.operator.configure(leaderElection={"enabled": True, "namespace": OPERATOR_NAMESPACE, "name": RELEASE})  # as the chart says it
    world.operator.start()
    second = world.second_operator()
    second.start(ready=False)
    try:
        subject = world.subject(world.namespace("crash-again"), "two")
        old, versions = subject.current(), subject.versions()
        eventually("there is one leader", lambda: sorted(
            each.metrics().value("keyturn_leader") for each in (world.operator, second)) == [0, 1])
        leader = world.operator if world.operator.metrics().value("keyturn_leader") == 1 else second
        leader.kill()
        subject.request_rotation()
        subject.wait_rotated(old, 60)  # the lease lasts 15 s
        subject.check_one_new_version(versions, old)
        subject.check_default_mapping()
    finally:
        for each in (world.operator, second):
            each.kill()
        world.wire.drop_connections()
        world.operator.configure(leaderElection={"enabled": False})
        world.operator.start()
