"""A managed Secret is meddled with: it is made whole, at the least cost, and what is none of our business costs nothing."""

import json
import time

from harness.runner import check, check_equal, scenario
from harness.subject import MANAGED, VERSION_ID
from harness.waiting import eventually


def repaired(world, subject, what, damage):
    """Does the damage and waits for the repair; the time from one to the other."""
    expected = subject.data()
    mark = world.wire.mark()
    damage()
    began = time.monotonic()

    def whole():
        secret = subject.kube.secret(subject.namespace, subject.name)
        check(secret is not None, "there is no Secret")
        check_equal(secret["metadata"].get("labels", {}).get(MANAGED), "true", "the managed label")
        check_equal(secret["metadata"].get("annotations", {}).get(VERSION_ID), subject.current(), "the version annotation")
        check(subject.data() == expected, "the data differ")
        return True

    eventually(f"the Secret is whole after {what}", whole, 15, every=0.02)
    took = time.monotonic() - began
    reads = [r for r in world.wire.since(mark, "aws") if r.concerns(subject.secret_id)]
    check([str(r) for r in reads] == ["GetSecretValue"], f"{what} cost {', '.join(map(str, reads)) or 'no AWS call'}, "
          "expected one GetSecretValue")
    return took


def kubectl(subject, *arguments):
    return lambda: subject.kube.kubectl("-n", subject.namespace, *arguments)


@scenario("drift: edited, emptied, relabelled, deleted: whole again for one GetSecretValue each")
def meddled(world):
    subject = world.subject(world.namespace("drift"), "meddled")
    name = subject.name
    encoded = "bWVkZGxlZA=="
    damages = {
        "a changed value": kubectl(subject, "patch", "secret", name, "-p", json.dumps({"data": {"password": encoded}})),
        "a removed key": kubectl(subject, "patch", "secret", name, "--type=json",
                                 "-p", '[{"op":"remove","path":"/data/username"}]'),
        "a removed managed label": kubectl(subject, "label", "secret", name, f"{MANAGED}-"),
        "a removed version annotation": kubectl(subject, "annotate", "secret", name, f"{VERSION_ID}-"),
        "another version annotation": kubectl(subject, "annotate", "--overwrite", "secret", name, f"{VERSION_ID}=none"),
        "deletion": kubectl(subject, "delete", "secret", name),
    }
    slowest = max((repaired(world, subject, what, damage), what) for what, damage in damages.items())
    return f"slowest: {slowest[1]}, {slowest[0]:.2f} s"


@scenario("drift: foreign labels, annotations and keys cost no AWS call and no write")
def foreign(world):
    subject = world.subject(world.namespace("drift"), "foreign")
    mark = world.wire.mark()
    for change in (("label", "secret", subject.name, "owner=me"), ("annotate", "secret", subject.name, "note=mine"),
                   ("label", "secret", subject.name, "owner-")):
        kubectl(subject, *change)()
    # A second policy's whole life after the change: the operator has surely seen the change by then.
    fence = world.subject(subject.namespace, "fence-foreign")
    touched = [r for r in world.wire.since(mark) if r.concerns(subject.secret_id) or r.concerns(f"/{subject.name}")]
    check(not touched, f"it cost {', '.join(map(str, touched))}")
    check(fence.data() is not None, "the fence is not in sync")


@scenario("drift: an old backup of the Secret comes back, by create and by replace; the current value wins")
def restored(world):
    subject = world.subject(world.namespace("drift"), "restored")
    backup = json.loads(subject.kube.kubectl("-n", subject.namespace, "get", "secret", subject.name, "-o", "json",
                                             "--show-managed-fields"))
    old = subject.current()
    subject.request_rotation()
    subject.wait_rotated(old)
    now = subject.data()
    for key in ("uid", "resourceVersion", "creationTimestamp"):
        backup["metadata"].pop(key, None)
    text = json.dumps(backup)

    def by_create():
        subject.kube.kubectl("-n", subject.namespace, "delete", "secret", subject.name)
        try:
            subject.kube.kubectl("create", "-f", "-", stdin=text)
        except AssertionError as exists:  # the operator was faster: then the backup goes over its Secret
            check("exists" in str(exists), str(exists))
            subject.kube.kubectl("replace", "-f", "-", stdin=text)

    for what, restore in (("create", by_create),
                          ("replace", lambda: subject.kube.kubectl("replace", "-f", "-", stdin=text))):
        restore()
        eventually(f"the current value is back after a restore by {what}", lambda: subject.data() == now, 15)
        subject.wait_in_sync()

    # The hard one: an old value under the current version's annotation. Only field ownership tells.
    backup["metadata"]["annotations"][VERSION_ID] = subject.current()
    subject.kube.kubectl("replace", "-f", "-", stdin=json.dumps(backup))
    eventually("an old value under a current annotation is found out", lambda: subject.data() == now, 15)


@scenario("drift: a restart with everything in sync reads no Secret and writes nothing; it lists and watches managed Secrets' metadata alone")
def quiet_restart(world):
    subjects = [world.subject(world.namespace("drift"), f"quiet-{n}") for n in range(5)]
    world.operator.stop()
    mark = world.wire.mark()
    world.operator.start()
    for subject in subjects:
        eventually(f"{subject} is known", lambda s=subject: world.operator.metrics().value(
            "keyturn_policy_ready", namespace=s.namespace, policy=s.name) == 1)
    requests = world.wire.since(mark)
    reads = [r for r in requests if r.operation == "GetSecretValue"]
    touched = [r for r in requests if any(r.concerns(f"/{s.name}") for s in subjects)]
    check(not reads, f"{len(reads)} values were read from Secrets Manager")
    check(not touched, f"asked about them: {', '.join(map(str, touched))}")
    secrets = [r for r in [*requests, *world.wire.watches_since(mark)] if r.path.partition("?")[0] == "/api/v1/secrets"]
    check(any(r.watch for r in secrets) and not all(r.watch for r in secrets), "Secrets are not listed and watched")
    for each in secrets:
        check("as=PartialObjectMetadata" in each.accept, f"{each} asks for Secrets with their data: {each.accept}")
        check("labelSelector=keyturn.dev%2Fmanaged" in each.path, f"{each} asks for Secrets that are not managed: {each.path}")
    return f"{len(requests)} requests: {', '.join(map(str, requests))}"
