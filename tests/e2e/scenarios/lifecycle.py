"""A policy is suspended, edited and deleted."""

import threading

from harness.runner import check, check_equal, scenario
from harness.subject import manifest
from harness.waiting import eventually


@scenario("suspended: no rotation starts, sync goes on; resumed, the waiting request is done once")
def suspended(world):
    subject = world.subject(world.namespace("life"), "suspended")
    old, versions = subject.current(), subject.versions()
    subject.patch({"suspend": True})
    at = subject.request_rotation()
    subject.sync_now()
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions while suspended")
    check(subject.status().get("lastHandledRotateRequest") != at, "the request was dropped rather than deferred")
    world.kube.kubectl("-n", subject.namespace, "delete", "secret", subject.name)
    eventually("the deleted Secret is back though suspended", subject.data)

    subject.patch({"suspend": False})
    subject.wait_rotated(old)
    eventually("the request is handled", lambda: subject.status().get("lastHandledRotateRequest") == at)
    subject.sync_now()
    subject.check_one_new_version(versions, old)


@scenario("edited: keys, targets, type and metadata follow the spec")
def edited(world):
    subject = world.subject(world.namespace("life"), "edited")
    subject.patch({"targets": [{"name": "edited", "data": {"PW": "{{ password }}"},
                                "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}}]})
    subject.wait_in_sync()
    eventually("the keys follow", lambda: list(subject.data()) == ["PW"])
    meta = subject.kube.secret(subject.namespace, "edited")["metadata"]
    check_equal((meta["labels"].get("team"), meta["annotations"].get("note")), ("a", "b"), "label and annotation")

    subject.patch({"targets": [{"name": "edited"}, {"name": "edited-too", "type": "kubernetes.io/basic-auth"}]})
    subject.wait_in_sync()
    subject.check_default_mapping("edited", "edited-too")
    check("team" not in subject.kube.secret(subject.namespace, "edited")["metadata"]["labels"], "the label stayed")

    # The type of a Secret cannot be changed; ours may be made anew.
    subject.patch({"targets": [{"name": "edited-too", "type": "Opaque"}]})
    eventually("the Secret was recreated with its new type",
               lambda: (subject.kube.secret(subject.namespace, "edited-too") or {}).get("type") == "Opaque")
    subject.wait_in_sync()
    check(subject.data("edited") is not None, "a target with deletionPolicy Retain went with its entry")


@scenario("edited: a schedule added to an old secret does not rotate at once, and can be taken away")
def rescheduled(world):
    subject = world.subject(world.namespace("life"), "rescheduled")
    versions = subject.versions()
    subject.patch({"schedule": {"expression": "cron(0 8 1 * ? *)", "window": "1h"}})
    eventually("the next rotation is shown", lambda: subject.status().get("nextRotationTime"))
    subject.patch({"schedule": {"expression": "30 2 * * 1", "timeZone": "Europe/Berlin"}})
    subject.wait_in_sync()
    subject.patch({"schedule": None})
    eventually("the next rotation is gone", lambda: "nextRotationTime" not in subject.status())
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions")


@scenario("deleted: Retain leaves the Secret, Delete takes it along, nothing hangs")
def deleted(world):
    namespace = world.namespace("life")
    subject = world.subject(namespace, "deleted", targets=[{"name": "kept"}, {"name": "gone", "deletionPolicy": "Delete"}])
    check(not subject.object()["metadata"].get("finalizers"), "a resting policy has a finalizer")
    versions = subject.versions()
    subject.delete()
    eventually("the garbage collector took the Secret", lambda: subject.kube.secret(namespace, "gone") is None, 60)
    check(subject.kube.secret(namespace, "kept") is not None, "the Secret with Retain is gone")
    check_equal(subject.versions(), versions, "versions in Secrets Manager")

    # A new policy takes up where the old one left: it may, since the Secret says whose it is.
    world.kube.apply(manifest(namespace, "deleted", subject.secret_id, {"syncOnly": {}}, ["kept"]))
    subject.wait_in_sync()
    subject.check_default_mapping("kept")


@scenario("deleted in the middle of a rotation: it ends, leaves no label behind, and the policy goes")
def deleted_midway(world):
    return "; ".join(delete_after(world, number) for number in (2, 5, 6))


def delete_after(world, number):
    """Deletes the policy while the operator waits after its n-th request of a rotation."""
    subject = world.subject(world.namespace("life"), f"midway-{number}")
    old, before = subject.current(), subject.versions()
    reached, go_on = threading.Event(), threading.Event()

    def hold():
        reached.set()
        go_on.wait(60)
        world.wire.reopen(held="pass")

    held = world.wire.arm(number, "answered", hold)
    subject.request_rotation()
    check(reached.wait(30), "no request came")
    subject.kube.kubectl("-n", subject.namespace, "delete", "rotationpolicy", subject.name, "--wait=false")
    begun = subject.versions() != before
    go_on.set()
    eventually("the policy is gone", lambda: subject.kube.policy(subject.namespace, subject.name) is None, 60)
    # Wherever it was held, the rotation is whole: either done, or not begun.
    if begun:
        subject.check_one_new_version(before, old)
        eventually("the Secret follows", lambda: subject.data()["password"].decode() == subject.fields()["password"])
    else:
        check(not world.aws.labels(subject.secret_id).get("AWSPENDING"), "AWSPENDING was left behind")
        check(len(subject.versions() - before) <= 1, "more than one version was made")
    return f"after {held.tripped_by} {'finished' if begun else 'not begun'}"


@scenario("a namespace with policies is deleted and does not hang")
def namespace_deleted(world):
    namespace = world.namespace("doomed")
    subjects = [world.subject(namespace, f"doomed-{n}") for n in range(3)]
    for subject in subjects:
        subject.request_rotation()
    world.kube.kubectl("delete", "namespace", namespace, "--wait=false")
    eventually("the namespace is gone", lambda: world.kube.get(f"/api/v1/namespaces/{namespace}") is None, 90)
    eventually("the operator forgot its policies", lambda: not any(
        labels.get("namespace") == namespace for _, labels, _ in world.operator.metrics().samples))


@scenario("a secret recreated under the same name is followed")
def recreated(world):
    subject = world.subject(world.namespace("life"), "recreated")
    old_arn = subject.status()["secretArn"]
    world.aws.call("DeleteSecret", SecretId=subject.secret_id, ForceDeleteWithoutRecovery=True)
    world.aws.create(subject.secret_id, '{"password":"second-life-0000000000"}')
    subject.sync_now()
    subject.wait_in_sync()
    subject.check_default_mapping()
    check(subject.status()["secretArn"] != old_arn, "the ARN in status is the old one")
    check(any(e.get("type") == "Warning" for e in subject.events()), "no warning event")
