"""The main job: rotate, sync, and say so everywhere."""

import base64
import json
import re

from harness.runner import check, check_equal, scenario
from harness.subject import ROTATE_REQUESTED, Subject, all_but, manifest, parse_time
from harness.waiting import eventually

# Where the operator asks ListSecretVersionIds, moto's answer (see harness/moto.py) may be this many seconds late.
_LEARNT_LATE = 5


def succeeded(metrics):
    """keyturn_rotations_total of generic with the good outcome, whatever its exact spelling's case."""
    return sum(value for name, labels, value in metrics.samples
               if name == "keyturn_rotations_total" and labels.get("strategy") == "generic"
               and labels.get("outcome", "").lower() == "succeeded")


@scenario("request: the secret rotates, the Secret equals AWSCURRENT, status, events and metrics agree")
def on_request(world):
    subject = world.subject(world.namespace("rotate"), "on-request")
    subject.check_default_mapping()
    old_id, old_text, versions = subject.current(), subject.value(), subject.versions()
    counted = succeeded(world.operator.metrics())
    mark = world.wire.mark()
    at = subject.request_rotation()
    subject.wait_rotated(old_id)
    eventually("the request is marked as handled", lambda: subject.status().get("lastHandledRotateRequest") == at)
    subject.check_default_mapping()
    subject.check_one_new_version(versions, old_id)

    new_text = subject.value()
    new_password = json.loads(new_text)["password"]
    check_equal(len(new_password), 40, "length of the new password")
    check_equal(all_but("password", new_text), all_but("password", old_text), "every other byte of the secret")

    status, entry = subject.status(), subject.status()["history"][0]
    check_equal(entry["versionId"], subject.current(), "newest version in the history")
    check_equal(entry["outcome"], "Succeeded", "its outcome")
    check("request" in entry["trigger"].lower(), f"its trigger is {entry['trigger']!r}")
    check("rotation" not in status, "status.rotation is still there")
    check(abs(parse_time(status["currentVersionCreatedAt"]) - subject.created()) <= _LEARNT_LATE, "currentVersionCreatedAt is off")
    events = [e for e in eventually("an event tells of it", subject.events) if e.get("type") == "Normal"]
    check(events and all(e["reportingController"] and e["reason"] for e in events), "events lack a controller or a reason")

    metrics = world.operator.metrics()
    check_equal(succeeded(metrics) - counted, 1, "keyturn_rotations_total")
    labels = {"namespace": subject.namespace, "policy": subject.name}
    check_equal(metrics.value("keyturn_policy_ready", **labels), 1, "keyturn_policy_ready")
    check_equal(metrics.value("keyturn_policy_last_rotation_timestamp_seconds", **labels),
                parse_time(status["lastRotationTime"]), "last rotation in metrics and status")
    aws = [r for r in world.wire.since(mark, "aws") if r.concerns(subject.secret_id)]
    writes = [r for r in world.wire.since(mark, "kube") if r.write]
    check(len(aws) <= 6, f"{len(aws)} AWS calls for one rotation: {', '.join(map(str, aws))}")
    check(len(writes) <= 8, f"{len(writes)} Kubernetes writes for one rotation: {', '.join(map(str, writes))}")
    return f"{len(aws)} AWS calls, {len(writes)} Kubernetes writes"


@scenario("schedule: rotates by itself, and the next time moves on; a change made in AWS by hand meanwhile is found by the sweep")
def on_schedule(world):
    by_hand = world.subject(world.namespace("rotate"), "by-hand-unasked")
    world.aws.put(by_hand.secret_id, '{"password":"by-hand-111111111111"}')
    subject = world.subject(world.namespace("rotate"), "on-schedule", in_sync=False,
                            schedule={"expression": "rate(1 minute)", "window": "5s"})
    subject.wait_in_sync()
    old_id, versions = subject.current(), subject.versions()
    due = parse_time(subject.status()["nextRotationTime"])
    check(-1 <= due - (subject.created() + 60) <= 5 + _LEARNT_LATE, "nextRotationTime is not a minute on, in the window")
    subject.wait_rotated(old_id, seconds=90)
    subject.check_one_new_version(versions, old_id)
    subject.check_default_mapping()
    check(subject.created() >= due - 1, "it rotated before it was due")
    check("schedule" in subject.status()["history"][0]["trigger"].lower(), "the history does not name the schedule")
    check(parse_time(subject.status()["nextRotationTime"]) >= subject.created() + 58.5, "nextRotationTime did not move on")
    subject.patch({"schedule": None})
    by_hand.wait_in_sync(seconds=60)  # its refreshInterval is a minute, and most of that is over
    by_hand.check_default_mapping()


@scenario("generic: the whole string by default, key pairs and several fields where asked")
def formats(world):
    namespace = world.namespace("rotate")
    bare = world.subject(namespace, "bare", value="just-a-string-of-someone", strategy={"generic": {}})
    old = bare.current()
    bare.request_rotation()
    bare.wait_rotated(old)
    check_equal(len(base64.b64decode(bare.value(), validate=True)), 32, "random bytes in the new value")
    bare.check_default_mapping()

    several = world.subject(
        namespace, "several", value='{"a":"1","b":{"c":"2"},"id":"3","private":"4","public":"5","keep":"6"}',
        strategy={"generic": {"fields": [
            {"pointer": "/a", "format": "hex", "bytes": 16}, {"pointer": "/b/c", "format": "base64url", "bytes": 24},
            {"pointer": "/id", "format": "uuid"},
            {"pointer": "/private", "format": "ed25519", "publicPointer": "/public"}]}})
    old = several.current()
    several.request_rotation()
    several.wait_rotated(old)
    fields = several.fields()
    check(re.fullmatch(r"[0-9a-f]{32}", fields["a"]), "/a is not 16 bytes in hex")
    check(re.fullmatch(r"[A-Za-z0-9_-]{32}=?", fields["b"]["c"]), "/b/c is not 24 bytes in base64url")
    check(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", fields["id"]), "/id is not a UUID")
    derived = world.run("openssl", "pkey", "-pubout", stdin=fields["private"]).stdout
    check_equal(fields["public"].strip(), derived.strip(), "the public key and the private key's own")
    check_equal(fields["keep"], "6", "a field that was not named")


@scenario("templates: previous, nested fields and filters")
def templates(world):
    data = {"NOW": "{{ password }}", "BEFORE": "{{ previous.password }}", "HOST": "{{ db.host }}",
            "URL": "https://{{ user | urlencode }}:{{ password | urlencode }}@{{ db.host }}/", "B64": "{{ user | b64enc }}"}
    subject = world.subject(world.namespace("rotate"), "templated",
                            value='{"user":"a b/c","password":"first-templated-00000000","db":{"host":"h.example"}}',
                            targets=[{"name": "templated", "data": data}])
    old = subject.current()
    subject.request_rotation()
    subject.wait_rotated(old)
    now = subject.fields()["password"]
    got = subject.data()
    check_equal(got["NOW"].decode(), now, "NOW")
    check_equal(got["BEFORE"].decode(), "first-templated-00000000", "BEFORE")
    check_equal(got["HOST"], b"h.example", "HOST")
    check(got["URL"].startswith(b"https://a%20b%2Fc:"), "URL is not encoded")
    check_equal(got["B64"], base64.b64encode(b"a b/c"), "B64")


@scenario("syncOnly: follows its owner at once and never writes to AWS")
def follower(world):
    owner = world.subject(world.namespace("rotate"), "owned")
    reader = world.namespace("reader")
    world.allow(reader, "t-rotate/*")
    world.kube.apply(manifest(reader, "follows", owner.secret_id, {"syncOnly": {}}, ["follows"]))
    follows = Subject(world.kube, world.aws, reader, "follows", owner.secret_id)
    follows.wait_in_sync()
    old = owner.current()
    owner.request_rotation()
    owner.wait_rotated(old)
    follows.wait_in_sync(10)  # far below its refreshInterval
    follows.check_default_mapping()

    versions = follows.versions()
    follows.annotate(ROTATE_REQUESTED, "2020-01-01T00:00:00Z")
    follows.sync_now()
    check_equal(follows.versions(), versions, "versions after a rotate request to a reader")


@scenario("a change made in AWS by hand is synced on request")
def by_hand(world):
    subject = world.subject(world.namespace("rotate"), "by-hand")
    world.aws.put(subject.secret_id, '{"password":"by-hand-000000000000"}')
    subject.sync_now()
    subject.wait_in_sync()
    subject.check_default_mapping()
    check_equal(list(subject.data()), ["password"], "keys after the others went")
