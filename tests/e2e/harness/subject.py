"""One secret, the policy on it and the Kubernetes Secrets it feeds: what nearly every scenario is about."""

import json
import math
import time
from datetime import datetime, timezone

from .kube import POLICIES, decode
from .runner import check, check_equal
from .waiting import eventually

ROTATE_REQUESTED = "keyturn.dev/rotate-requested-at"
SYNC_REQUESTED = "keyturn.dev/sync-requested-at"
MANAGED = "keyturn.dev/managed"
VERSION_ID = "keyturn.dev/version-id"
GENERIC_PASSWORD = {"generic": {"fields": [{"pointer": "/password", "format": "password", "length": 40}]}}


def manifest(namespace, name, secret_id, strategy, targets, **spec):
    """A RotationPolicy. targets: names or whole target objects."""
    return {
        "apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy", "metadata": {"namespace": namespace, "name": name},
        "spec": {"secretId": secret_id, "strategy": strategy, "refreshInterval": "1m",
                 "targets": [{"name": t} if isinstance(t, str) else t for t in targets], **spec},
    }


def rfc3339(seconds):
    """Whole seconds, as people write them."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def raw_members(text):
    """The members of a JSON object as they stand in its text: key → (begin, end) of the value. None where it is no object."""
    decoder, space = json.JSONDecoder(), json.decoder.WHITESPACE

    def skip(at):
        return space.match(text, at).end()

    try:
        if not isinstance(json.loads(text), dict):
            return None
    except ValueError:
        return None
    members, at = {}, skip(skip(0) + 1)
    while text[at] == '"':
        key, at = decoder.raw_decode(text, at)
        begin = skip(skip(at) + 1)  # after the colon
        _, end = decoder.raw_decode(text, begin)
        members[key] = begin, end
        at = skip(end)
        if text[at] == ",":
            at = skip(at + 1)
    return members


def default_mapping(text):
    """What a Secret without `data` holds: strings decoded, every other value as its text stands in the secret, byte for byte."""
    members = raw_members(text)
    if members is None:
        return {"value": text.encode()}
    found = {key: (json.loads(text[begin:end]), text[begin:end]) for key, (begin, end) in members.items()}
    return {key: (value if isinstance(value, str) else raw).encode() for key, (value, raw) in found.items()}


def all_but(key, text):
    """The text of a JSON object without one member's value: what a rotation of that field may not touch."""
    begin, end = raw_members(text)[key]
    return text[:begin] + text[end:]


class Subject:
    """Made by World.subject(). aws is moto's API, kube the API server as admin: neither passes the operator's wire."""

    def __init__(self, kube, aws, namespace, name, secret_id):
        self.kube, self.aws = kube, aws
        self.namespace, self.name, self.secret_id = namespace, name, secret_id

    # ---- what a person does

    def patch(self, spec):
        """Merges into the policy's spec."""
        self.kube.kubectl("-n", self.namespace, "patch", "rotationpolicy", self.name, "--type=merge",
                          "-p", json.dumps({"spec": spec}))

    def annotate(self, key, value):
        self.kube.kubectl("-n", self.namespace, "annotate", "--overwrite", "rotationpolicy", self.name, f"{key}={value}")

    def request_rotation(self):
        """Asks for a rotation; the annotation's value."""
        at = self.next_request_time()
        self.annotate(ROTATE_REQUESTED, at)
        return at

    def next_request_time(self, ahead=0):
        """A time that is newer than the current version, `ahead` seconds from now. One in the future is waited for; without
        `ahead` it may lie up to a second there.

        In moto ListSecretVersionIds says "now" for every version's CreatedDate, so the operator may have learnt a later one.
        """
        learnt = parse_time(self.status().get("currentVersionCreatedAt", "1970-01-01T00:00:00Z"))
        return rfc3339(max(time.time() + ahead, self.created() + 1, math.floor(learnt) + 1))

    def sync_now(self):
        """Asks for a sync and waits until it was handled. Whatever the operator would do about this policy, it has looked."""
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.annotate(SYNC_REQUESTED, at)
        eventually(f"the sync request of {self} is handled",
                   lambda: self.status().get("lastHandledSyncRequest") == at)

    def delete(self):
        self.kube.kubectl("-n", self.namespace, "delete", "rotationpolicy", self.name, "--timeout=30s")

    # ---- what is there

    def object(self):
        found = self.kube.policy(self.namespace, self.name)
        check(found is not None, f"{self} does not exist")
        return found

    def status(self):
        return self.object().get("status", {})

    def condition(self, kind):
        """The condition of that type, {} where there is none."""
        return next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})

    def current(self):
        return self.aws.holder(self.secret_id)

    def value(self):
        return self.aws.value(self.secret_id)

    def fields(self):
        return json.loads(self.value())

    def versions(self):
        return self.aws.versions(self.secret_id)

    def created(self):
        """When the current version was made, by moto's clock, which is ours, in whole seconds."""
        return self.aws.call("GetSecretValue", SecretId=self.secret_id, VersionStage="AWSCURRENT")["CreatedDate"]

    def data(self, target=None):
        return self.kube.secret_data(self.namespace, target or self.name)

    def events(self):
        return self.kube.events(self.namespace, self.name)

    # ---- what must be

    def wait_condition(self, kind, status, *words, reason=None, seconds=30):
        """Waits for a condition with this status whose message has the words; the condition."""

        def probe():
            has = self.condition(kind)
            return (has if has.get("status") == status and reason in (None, has.get("reason"))
                    and has.get("observedGeneration") == self.object()["metadata"]["generation"]
                    and all(word.lower() in has.get("message", "").lower() for word in words)
                    else self.conditions_in_short())

        def settled():
            got = probe()
            check(isinstance(got, dict), got)
            return got

        wanted = f"{kind}={status}" + (f" {reason}" if reason else "") + (f" with {words}" if words else "")
        return eventually(f"{self} is {wanted}", settled, seconds)

    def wait_in_sync(self, seconds=30):
        """Waits until status, targets' annotations and Secrets Manager name the same version and the policy is Ready."""
        eventually(f"{self} is in sync", lambda: self._check_in_sync() or True, seconds)

    def wait_rotated(self, since, seconds=30):
        """Waits until the current version is another than `since` and all is in sync with it."""
        eventually(f"{self} rotates", lambda: self.current() != since, seconds)
        self.wait_in_sync(seconds)

    def wait_at_rest(self, seconds=60):
        """Waits until nothing is under way, the retirement of what was replaced included, and all is in sync."""

        def rests():
            policy = self.object()
            status = policy.get("status", {})
            under_way = {key: status[key] for key in ("rotation", "retiring") if key in status}
            check(not under_way, f"under way: {under_way}; {self.conditions_in_short()}")
            check(not policy["metadata"].get("finalizers"), "the policy has a finalizer")
            return self._check_in_sync() or True

        eventually(f"{self} is at rest", rests, seconds)

    def check_default_mapping(self, *targets):
        """The Secret, read with kubectl, equals AWSCURRENT, read from moto: every top-level field, or `value`."""
        expected = default_mapping(self.value())
        for target in targets or (self.name,):
            shown = self.kube.kubectl("-n", self.namespace, "get", "secret", target, "-o", "json")
            check(decode(json.loads(shown)) == expected, f"Secret {self.namespace}/{target} does not equal AWSCURRENT")

    def check_one_new_version(self, before, from_version):
        """Exactly one version was added; it is current, what it replaced is previous, nothing is pending."""
        added = self.versions() - before
        check_equal(len(added), 1, f"new versions of {self.secret_id}")
        labels = self.aws.labels(self.secret_id)
        check_equal(labels.get("AWSCURRENT"), added, "AWSCURRENT")
        check_equal(labels.get("AWSPREVIOUS"), {from_version}, "AWSPREVIOUS")
        check_equal(labels.get("AWSPENDING", set()), set(), "AWSPENDING")

    def path(self):
        return f"{POLICIES.format(self.namespace)}/{self.name}"

    def __str__(self):
        return f"policy {self.namespace}/{self.name}"

    # ---- inside

    def _check_in_sync(self):
        policy = self.object()
        status, current = policy.get("status", {}), self.current()
        check_equal(status.get("observedGeneration"), policy["metadata"]["generation"], "observedGeneration")
        ready = next((c for c in status["conditions"] if c["type"] == "Ready"), {})
        check(ready.get("status") == "True", self.conditions_in_short())
        check_equal(status.get("currentVersionId"), current, "status.currentVersionId")
        wanted = [target["name"] for target in policy["spec"].get("targets", [])]
        check_equal({t["name"]: t.get("versionId") for t in status.get("targets", [])}, {t: current for t in wanted},
                    "status.targets")
        for target in wanted:
            secret = self.kube.secret(self.namespace, target)
            check(secret is not None, f"Secret {target} does not exist")
            check_equal(secret["metadata"].get("annotations", {}).get(VERSION_ID), current, f"{target}'s version annotation")

    def conditions_in_short(self):
        return "; ".join(f"{c['type']}={c['status']} {c.get('reason')}: {c.get('message')}"
                         for c in self.status().get("conditions", [])) or "no conditions"
