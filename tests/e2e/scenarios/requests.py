"""Rotate requests that come back, come early, or come twice."""

import json
import time

from harness.runner import check, check_equal, scenario
from harness.subject import ROTATE_REQUESTED, rfc3339
from harness.waiting import eventually


@scenario("a stale rotate request that comes back with a restored policy does nothing")
def stale(world):
    subject = world.subject(world.namespace("requests"), "stale")
    old = subject.current()
    subject.request_rotation()
    subject.wait_rotated(old)
    backup = json.loads(subject.kube.kubectl("-n", subject.namespace, "get", "rotationpolicy", subject.name, "-o", "json"))
    check(ROTATE_REQUESTED in backup["metadata"]["annotations"], "the backup lacks the request")
    second = subject.current()
    subject.request_rotation()
    subject.wait_rotated(second)
    versions = subject.versions()

    subject.delete()
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        backup["metadata"].pop(key, None)
    backup.pop("status", None)
    subject.kube.kubectl("create", "-f", "-", stdin=json.dumps(backup))
    subject.wait_in_sync()
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions after the restore")
    # Nor with the first version's time, nor with one of years ago.
    subject.annotate(ROTATE_REQUESTED, "2019-01-01T00:00:00Z")
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions after an ancient request")


@scenario("a request for the future is waited for")
def future(world):
    subject = world.subject(world.namespace("requests"), "future")
    versions, old = subject.versions(), subject.current()
    at = time.time() + 6
    subject.annotate(ROTATE_REQUESTED, rfc3339(at))
    subject.sync_now()
    if time.time() < int(at):
        check_equal(subject.versions(), versions, "versions before the time")
    subject.wait_rotated(old)
    check(subject.created() >= int(at) - 1, "it rotated before its time")


@scenario("a request that is no time is refused with a word")
def nonsense(world):
    subject = world.subject(world.namespace("requests"), "nonsense")
    versions = subject.versions()
    subject.annotate(ROTATE_REQUESTED, "now")
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions")
    eventually("it is said somewhere", lambda: any(
        ROTATE_REQUESTED in text for text in
        [c.get("message", "") for c in subject.status().get("conditions", [])] + [e.get("note", "") for e in subject.events()]))


@scenario("two requests within the floor: the second is deferred and shown, not dropped")
def floor(world):
    subject = world.subject(world.namespace("requests"), "floor")
    world.operator.configure(minRotationInterval="8s")
    world.operator.stop()
    world.operator.start()
    try:
        old = subject.current()
        subject.request_rotation()
        subject.wait_rotated(old)
        second, made = subject.current(), subject.created()
        subject.request_rotation()
        subject.wait_rotated(second)
        check(subject.created() - made >= 7, "two rotations within the floor")
    finally:
        world.operator.configure(minRotationInterval="1s")
        world.operator.stop()
        world.operator.start()
