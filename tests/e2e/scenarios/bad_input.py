"""What people get wrong: each answered by a condition that says what to do, and healed when it is put right."""

import json

from harness.kube import KubectlFailed
from harness.runner import check, check_equal, scenario
from harness.subject import GENERIC_PASSWORD, Subject, manifest
from harness.waiting import eventually

PASSWORD = '{"password":"first-broken-0000000000"}'


def broken(world, name, value=PASSWORD, secret_id=None, strategy=None, targets=None, **spec):
    """A policy that is not waited for."""
    namespace = world.namespace("broken")
    secret_id = secret_id or f"{namespace}/{name}"
    if value is not None:
        world.aws.create(secret_id, value)
    subject = Subject(world.kube, world.aws, namespace, name, secret_id)
    world.kube.apply(manifest(namespace, name, secret_id, strategy or GENERIC_PASSWORD,
                              [name] if targets is None else targets, **spec))
    return subject


@scenario("broken: an unknown secret is named, and found once it exists")
def unknown(world):
    subject = broken(world, "unknown", value=None)
    subject.wait_condition("Ready", "False", subject.secret_id)
    world.aws.create(subject.secret_id, PASSWORD)
    subject.sync_now()
    subject.wait_in_sync()


@scenario("broken: no access rule, no call; the rule that is missing is named, and read without a restart")
def no_rule(world):
    world.aws.create("elsewhere/db", PASSWORD)
    mark = world.wire.mark()
    subject = broken(world, "no-rule", value=None, secret_id="elsewhere/db")
    subject.wait_condition("Ready", "False", "elsewhere/db", reason="NoAccessRule")
    subject.sync_now()
    check(not [r for r in world.wire.since(mark, "aws") if r.operation in ("GetSecretValue", "PutSecretValue")],
          "a denied policy's secret was read")
    for arguments in ((), ("--config", world.operator.config_file)):  # what the operator said, and the rules themselves
        planned = world.keyturn("plan", subject.name, "-n", subject.namespace, *arguments)
        said = planned.stdout + planned.stderr
        check(planned.returncode == 1 and 'secrets: ["elsewhere/db"]' in said, f"keyturn plan does not name what is missing: {said}")
    world.allow(subject.namespace, "elsewhere/db")
    subject.wait_in_sync(60)


@scenario("broken: secrets that Secrets Manager holds in a way that cannot be rotated")
def refused_by_state(world):
    waiting = broken(world, "awaiting-deletion")
    waiting.wait_in_sync()
    world.aws.call("DeleteSecret", SecretId=waiting.secret_id, RecoveryWindowInDays=7)
    waiting.annotate("keyturn.dev/sync-requested-at", "2026-01-01T00:00:00Z")
    waiting.wait_condition("Ready", "False", "delet")
    check(waiting.data() is not None, "the Secret went with a secret that can still be restored")
    world.aws.call("RestoreSecret", SecretId=waiting.secret_id)
    waiting.sync_now()
    waiting.wait_in_sync()

    binary = broken(world, "binary", value=b"\x00\x01binary")
    binary.wait_condition("Ready", "False", "binary")
    # Their values can be synced; that they cannot be rotated is answered when that is asked for.
    for subject in (broken(world, "bare", value="no JSON here"), broken(world, "missing-field", value='{"user":"someone"}')):
        subject.wait_in_sync()
        versions = subject.versions()
        subject.request_rotation()
        subject.wait_condition("Ready", "False", "/password")
        check_equal(subject.versions(), versions, "versions")
        subject.check_default_mapping()
    return "awaiting deletion, binary, no JSON, no such field"


@scenario("broken: a secret that AWS rotates is refused, but may be read")
def rotated_by_aws(world):
    secret_id = f"{world.namespace('broken')}/by-aws"
    world.aws.create(secret_id, PASSWORD)
    world.aws.call("RotateSecret", SecretId=secret_id, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 30})
    versions = world.aws.versions(secret_id)
    subject = broken(world, "by-aws", value=None)
    subject.wait_condition("Ready", "False", reason="RotationManagedByAWS")
    subject.request_rotation()
    subject.sync_now()
    check_equal(subject.versions(), versions, "versions")
    reader = broken(world, "by-aws-reader", value=None, secret_id=secret_id, strategy={"syncOnly": {}})
    reader.wait_in_sync()
    reader.check_default_mapping()


@scenario("broken: a pending version of somebody else is left alone until it is gone")
def foreign_pending(world):
    subject = broken(world, "foreign")
    subject.wait_in_sync()
    old = subject.current()
    foreign = world.aws.put(subject.secret_id, '{"password":"of-somebody-else-000000"}', stages=["AWSPENDING"])
    at = subject.request_rotation()
    eventually("ForeignPending is said", lambda: any(
        "ForeignPending" in (c.get("reason", ""), c.get("message", "")) or foreign in c.get("message", "")
        for c in subject.status().get("conditions", [])))
    check_equal(world.aws.holder(subject.secret_id, "AWSPENDING"), foreign, "AWSPENDING")
    check_equal(subject.current(), old, "AWSCURRENT")
    world.aws.call("UpdateSecretVersionStage", SecretId=subject.secret_id, VersionStage="AWSPENDING",
                   RemoveFromVersionId=foreign)
    subject.sync_now()
    subject.wait_rotated(old)
    eventually("the request is handled", lambda: subject.status().get("lastHandledRotateRequest") == at)


@scenario("broken: a Secret of somebody else is not touched unless adoption is allowed")
def not_ours(world):
    namespace = world.namespace("broken")
    world.kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "theirs"},
                      "stringData": {"password": "theirs", "more": "theirs"}})
    subject = broken(world, "theirs")
    subject.wait_condition("Synced", "False", "theirs", "adopt")
    check_equal(subject.data()["password"], b"theirs", "the value of the Secret that is not ours")
    subject.patch({"targets": [{"name": "theirs", "adopt": True}]})
    subject.wait_in_sync()
    check_equal(subject.data()["password"].decode(), subject.fields()["password"], "the adopted Secret's value")


@scenario("broken: two policies on one target, two owners of one secret: the older wins, the other says so")
def two_of_one(world):
    namespace = world.namespace("broken")
    first = broken(world, "first-owner")
    first.wait_in_sync()
    second = broken(world, "second-owner", value=None, secret_id=first.secret_id)
    second.wait_condition("Stalled", "True", "first-owner", reason="SecretHasAnotherOwner")
    world.aws.create(f"{namespace}/squatter", PASSWORD)
    squatter = broken(world, "squatter", value=None, secret_id=f"{namespace}/squatter", targets=["first-owner"])
    squatter.wait_condition("Synced", "False", "first-owner")
    check_equal(first.data()["password"].decode(), first.fields()["password"], "the older policy's target")
    first.delete()
    second.wait_in_sync()


@scenario("broken: schedules and templates that cannot work say why")
def unworkable(world):
    def answer(name, *words, **spec):
        """Refused by the server, or said by a condition: either way with the words."""
        try:
            subject = broken(world, name, **spec)
        except KubectlFailed as refused:
            missing = [word for word in words if word.lower() not in str(refused).lower()]
            check(not missing, f"{name}: the refusal lacks {missing}: {refused}")
            return
        eventually(f"{name} is answered", lambda: any(
            c["type"] in ("Ready", "Synced") and c["status"] == "False" and
            all(word.lower() in c.get("message", "").lower() for word in words)
            for c in subject.status().get("conditions", [])) or check(False, json.dumps(subject.status().get("conditions"))))

    answer("impossible-cron", "cron(0 0 31 2 ? *)", schedule={"expression": "cron(0 0 31 2 ? *)"})
    answer("no-cron", "61", schedule={"expression": "61 * * * *"})
    answer("long-window", "window", schedule={"expression": "rate(1 day)", "window": "48h"})
    answer("no-zone", "Mars/Olympus", schedule={"expression": "0 3 * * *", "timeZone": "Mars/Olympus"})
    answer("no-field", "nosuch", targets=[{"name": "no-field", "data": {"A": "{{ nosuch }}"}}])
    answer("no-end", "A", targets=[{"name": "no-end", "data": {"A": "{{ password"}}])
    answer("no-filter", "rot13", targets=[{"name": "no-filter", "data": {"A": "{{ password | rot13 }}"}}])


@scenario("odd values: 64 KiB, Unicode and NUL reach the Secret byte for byte")
def odd_values(world):
    namespace = world.namespace("odd")
    wide = world.subject(namespace, "wide", value="x" * 65536, strategy={"syncOnly": {}})
    check_equal(len(wide.data()["value"]), 65536, "bytes in the Secret")
    value = '{"password":"first-odd-0000000000000","nul":"a\\u0000b","smile":"\U0001f600 €"}'
    odd = world.subject(namespace, "odd", value=value)
    old = odd.current()
    odd.request_rotation()
    odd.wait_rotated(old)
    check_equal((odd.data()["nul"], odd.data()["smile"].decode()), (b"a\0b", "\U0001f600 €"), "odd values")
    check('"nul":"a\\u0000b"' in odd.value(), "the escape was rewritten")
