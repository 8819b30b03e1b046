"""elasticacheAuthToken: the real operator and `keyturn secret`, against the sandbox's ElastiCache and its redis-servers, over TLS. A ROTATE while two tokens are
live, one of them AWSCURRENT's, ends the sandbox, and with it the run."""
import json, socket

from caches import RULES, hits
from harness import MARKER, Operator, Subject, check, collection, until
from influxdb import SOON, at_rest
from secret_commands import keyturn, start, wait

SCENARIOS, scenario = collection()


class Group:
    """A replication group of real redis-servers with one token, which begins with the marker."""

    def __init__(self, world, name, shards=1, **spec):
        self.world, self.sandbox, self.name = world, world.sandbox, name
        self.first = f"{MARKER}-first-token-of-{name}"
        self.endpoints = world.sandbox.admin("/elasticache/groups", {"id": f"{name}-cache", "shards": shards, "tokens": [self.first], **spec})["endpoints"]
        self.options = {"replicationGroupId": f"{name}-cache", "pointer": "/token"}
        self.value = {"token": self.first, "note": MARKER}
        self.issued = set()

    def truth(self):
        truth = self.sandbox.admin(f"/elasticache/groups/{self.name}-cache")
        self.issued.update(truth["tokens"])
        return truth

    def logs_in(self, token, endpoint=None):
        host, port = (endpoint or self.endpoints[0]).split(":")
        with socket.create_connection((host, int(port)), timeout=10) as plain, self.sandbox.tls.wrap_socket(plain, server_hostname=host) as tls:
            words = ("AUTH", token)
            tls.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            reply = b""
            while not reply.endswith(b"\r\n"):
                reply += tls.recv(200) or check(False, "the server hung up")
        check(reply == b"+OK\r\n" or reply.startswith(b"-WRONGPASS"), f"Redis answers {reply}")
        return reply == b"+OK\r\n"

    def subject(self, **spec):
        return Subject(self.sandbox, "it", f"token-{self.name}", {"elasticacheAuthToken": self.options}, json.dumps(self.value), **{"retirement": SOON, **spec})

    def store(self, secret):
        self.sandbox.admin("/aws/secrets", {"name": secret, "value": json.dumps(self.value)})

    def says_nothing(self, *done):
        self.truth()
        world = self.world
        for text, where in ((world.operator.text(), "the log"), (json.dumps(world.sandbox.events("it")), "events"), (world.operator.metrics(), "metrics"),
                            (json.dumps(world.sandbox.kube("GET", "/apis/keyturn.dev/v1alpha1/rotationpolicies")), "policies"), *((d.out + d.err, "an output") for d in done)):
            check(not any(secret in text for secret in self.issued), f"a token is in {where}")


def token(world, name):
    return json.loads(world.sandbox.value_of(name))["token"]


def ends_well(group, s, before):
    until("one token is left", lambda: len(group.truth()["tokens"]) == 1, 120)
    until("it rests", lambda: at_rest(s), 60)
    s.one_new_version(before)
    new = token(group.world, s.id)
    check(all(group.logs_in(new, endpoint) for endpoint in group.endpoints), "AWSCURRENT does not log in")
    check(not group.logs_in(group.first), "the first token still logs in")
    check(group.sandbox.data("it", s.name)["token"] == new, "the Secret differs")
    group.says_nothing()
    return new


def moved(s, before):
    until("a rotation", lambda: s.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"], 120)


@scenario
def token_rotates_and_the_old_one_goes_last(world):
    world.operator.read_rules(RULES)
    group = Group(world, "rotates", shards=2)
    s = group.subject()
    s.settle()
    notes = []
    for which in ("first", "second"):
        until("it rests", lambda: at_rest(s))
        before, held = world.sandbox.secret(s.id), token(world, s.id)
        world.sandbox.forget_calls()
        s.request()
        moved(s, before)
        check(json.loads(world.sandbox.value_of(s.id))["note"] == MARKER, "another field was touched")
        ends_well(group, s, before)
        check(not group.logs_in(held), "the old token logs in")
        asked = [c["operation"] for c in world.sandbox.calls() if c["service"] == "elasticache" or c["service"] == "secretsmanager" and s.id in c["resource"]]
        count = {operation: asked.count(operation) for operation in sorted(set(asked))}
        # The second begins without SET: this process has seen that of the first one's retirement taken.
        writes = {"PutSecretValue": 1, "UpdateSecretVersionStage": 4, "ModifyReplicationGroup": 3 if which == "first" else 2}
        check({k: count.get(k) for k in writes} == writes, f"the {which} rotation: {count}")
        notes.append(f"{which}: {count}")
    return "; ".join(notes)


@scenario
def token_groups_that_cannot_are_refused(world):
    world.operator.read_rules(RULES.replace("elasticache:**", "elasticache:*:*:user:*"))
    group = Group(world, "refused")
    s = group.subject()
    s.settle()
    s.request()
    s.says("Stalled", "True", "replicationgroup:refused-cache", reason="NoAccessRule")
    world.operator.read_rules(RULES)
    subjects = [s]
    for which, (spec, reason) in enumerate((({"tls": False}, "NoTls"), ({"users": False, "tokens": []}, "NoAuthToken"), ({"tokens": []}, "HasUserGroups"))):
        s = Group(world, f"unfit-{which}", **spec).subject()
        subjects.append(s)
        s.settle()
        s.request()
        s.says("Stalled", "True", f"unfit-{which}-cache", reason=reason)
    check(not [c for c in world.sandbox.calls("elasticache") if c["operation"] == "ModifyReplicationGroup" and "unfit" in c["resource"]], "something was changed")
    check(not any("AWSPENDING" in world.sandbox.secret(s.id)["labels"] for s in subjects[1:]), "a rotation began that could not go on")


@scenario
def token_dies_with_a_change_under_way(world):
    """The operator dies with the answer outstanding: to the SET before, to ROTATE, to the SET that retires."""
    world.operator.read_rules(RULES)
    for skip in (0, 1, 2):
        group = Group(world, f"dies-{skip}")
        s = group.subject()
        s.settle()
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(id="kill", service="elasticache", operation="ModifyReplicationGroup", resource=f"{group.name}-cache", kind="hold-reply", skip=skip, times=1)
        s.request()
        until("the change", lambda: hits(world) > 0, 120)
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        world.operator = Operator(world.sandbox)
        world.operator.read_rules(RULES)
        moved(s, before)
        ends_well(group, s, before)
        check(group.truth()["rotations"] == 1, f"ROTATE was taken {group.truth()['rotations']} times")


# --- without Kubernetes

def words(group, deadline="500ms"):
    return ("--strategy", "elasticacheAuthToken", "--options", json.dumps(group.options), "--request-deadline", deadline)


@scenario
def secret_token_steps_and_no_way_back(world):
    group, name = Group(world, "alone-steps"), "alone/token-steps"
    group.store(name)
    done = []
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        check(token(world, name) == group.first, "a step before finishSecret moved AWSCURRENT")
        done.append(keyturn(world, "secret", "step", step, name, *words(group), "--force"))
    now = token(world, name)
    check(group.logs_in(now) and group.logs_in(group.first), "both must log in")
    done.append(keyturn(world, "secret", "retire", name, *words(group)))
    check(group.truth()["tokens"] == [now] and not group.logs_in(group.first), "the wrong token was dropped")
    done.append(keyturn(world, "secret", "delete", name, *words(group), "--yes", status=1))
    check("CredentialKept" in done[-1].err or "cannot revoke" in done[-1].err, done[-1].err)
    group.says_nothing(*done)


def at_every_request(world, kind, which, services):
    """The n-th request takes effect and its answer never comes: the command dies, or goes on. The same commands again: one token works, and it is AWSCURRENT's."""
    hit = 0
    for service in services:
        for n in range(1, 80):
            label = f"t{which}-{service[:2]}-{n:02}"
            group, name = Group(world, label), f"alone/{label}"
            group.store(name)
            world.sandbox.fault(id="kill", service=service, kind=kind, skip=n - 1, times=1, resource=f"**{label}**")
            told = []
            for command in ("rotate", "retire"):
                process = start(world, "secret", command, name, *words(group, "250ms"))
                if kind == "hold-reply":
                    until(f"request {n} or the end", lambda: hits(world) > 0 or process.poll() is not None)
                    if hits(world):
                        process.kill()
                told.append(wait(process))
                if hits(world):
                    break
            over = hits(world) == 0
            world.sandbox.admin("/faults", method="DELETE")
            again = wait(start(world, "secret", "rotate", name, *words(group, "250ms")))
            told.append(again)
            if "The attempt was given up" in again.err:  # it died between the decision and ROTATE, which is never made up for
                again = wait(start(world, "secret", "rotate", name, *words(group, "250ms"), "--force"))
            check(again.status == 0 or "two rotations start at least" in again.err, again.err)
            told += [again, keyturn(world, "secret", "retire", name, *words(group, "250ms"))]
            now = token(world, name)
            check(group.truth()["tokens"] == [now], f"{label}: the group has {len(group.truth()['tokens'])} tokens")
            check(group.logs_in(now), f"{label}: AWSCURRENT does not log in")
            labels = set(world.sandbox.secret(name)["labels"])
            check(labels == {"AWSCURRENT", "AWSPREVIOUS", "KEYTURN_LATEST"}, f"{label}: {labels}")
            group.says_nothing(*told)
            world.sandbox.admin(f"/elasticache/groups/{label}-cache/stop", {})
            if over:
                break
            hit += 1
    return hit


@scenario
def secret_token_killed_at_every_request(world):
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    deaths = at_every_request(world, "hold-reply", "dies", ("secretsmanager", "elasticache"))
    check(deaths > 20, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def secret_token_every_reply_lost_once(world):
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    lost = at_every_request(world, "reset-after", "lost", ("elasticache",))
    check(lost > 4, f"only {lost} replies could be lost")
    return f"{lost} replies"
