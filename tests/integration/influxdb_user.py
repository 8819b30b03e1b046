"""influxdbUser: the real operator, and `keyturn secret`, against the sandbox's InfluxDB servers, over TLS. One password: forward only."""
import base64, json, urllib.error, urllib.request

from commands import ended, run
from harness import MARKER, Operator, Subject, check, check_untold, collection, until
from influxdb import RULES, Influx, at_rest, rotated
from secret_commands import keyturn, start, wait

SCENARIOS, scenario = collection()

# Waits are three request deadlines long.
USER = ("--strategy", "influxdbUser", "--request-deadline", "500ms")
HASTY = ("--strategy", "influxdbUser", "--request-deadline", "250ms")


class Server(Influx):
    """With a user whose password is rotated, and every password that user ever had."""

    def __init__(self, world, name, version="2.7", **more):
        super().__init__(world, name, version, **more)
        self.id = self.user("orders")
        self.passwords = {self.password()}

    def password(self):
        [user] = [u for u in self.sandbox.admin(f"/influx/instances/{self.name}")["users"] if u["id"] == self.id]
        return user["password"]

    def set_password(self, password):
        self.sandbox.admin(f"/influx/instances/{self.name}/users/{self.id}", {"password": password}, method="PATCH")

    def sessions(self):
        return self.sandbox.admin(f"/influx/instances/{self.name}")["sessions"]

    def signs_in(self, password):
        basic = base64.b64encode(f"orders:{password}".encode()).decode()
        request = urllib.request.Request(self.about["url"] + "/api/v2/signin", data=b"", headers={"Authorization": "Basic " + basic})
        try:
            with urllib.request.urlopen(request, context=self.sandbox.tls):
                return True
        except urllib.error.HTTPError as error:
            check(error.code in (401, 403), f"the server answered {error.code}")
            return False

    def value(self, **fields):
        return {"engine": "timestream-influxdb", "username": "orders", "password": self.password(), "dbIdentifier": self.about["id"], **fields}

    def subject(self, world, name, **spec):
        return Subject(world.sandbox, "it", name, {"influxdbUser": {}}, json.dumps(self.value(note=MARKER)), **spec)

    def check_quiet_about(self, world):
        """No password of this user is in a log, an event, a status or a metric."""
        self.passwords.add(self.password())
        check_untold(world, self.passwords)


def check_works(world, server, s):
    """At rest: the secret, the server and the Kubernetes Secret hold one password."""
    s.settle()
    now = json.loads(world.sandbox.value_of(s.id))
    check(now["password"] == server.password(), "AWSCURRENT is not what the server takes")
    check(world.sandbox.data("it", s.name)["password"] == server.password(), "the Secret is not what the server takes")
    labels = world.sandbox.secret(s.id)["labels"]
    check("AWSPENDING" not in labels and "KEYTURN_BATON" not in labels, f"labels left: {labels}")


@scenario
def influxdb_user_rotates_and_only_moves_lie_in_the_dead_window(world):
    world.operator.read_rules(RULES)
    notes = []
    for version, more in (("2.7", {"strongPasswords": True, "password": MARKER + "-pass:w0rd"}), ("2.9", {})):
        server = Server(world, "user-" + version.replace(".", "-"), version, **more)
        token = server.token(server.id, type="allAccess")["token"]
        s = server.subject(world, server.name)
        s.settle()
        before, old = world.sandbox.secret(s.id), server.password()
        world.sandbox.forget_calls()
        s.request()
        new = rotated(s, before)
        check_works(world, server, s)
        s.one_new_version(before)
        check(not server.signs_in(old) and server.signs_in(new["password"]), "the old password must be dead, and the new one work")
        check(len(new["password"]) == 32 and new["note"] == MARKER and new["username"] == "orders", "another field was touched")
        check(server.works(token), "a token of the user died with its password")
        calls = [f"{c['operation']} {c['resource']}".strip() if c["service"] == "influxdb" else c["operation"]
                 for c in world.sandbox.calls() if c["service"] in ("influxdb", "secretsmanager")]
        at = calls.index("update me/password")
        check(calls[at + 1:at + 7] == ["signout", "signin", "get me", "signout", "UpdateSecretVersionStage", "UpdateSecretVersionStage"], f"in the dead window: {calls[at:]}")
        check(server.sessions() == 1, f"sessions left behind: {server.sessions() - 1}")  # this test's own
        server.check_quiet_about(world)
        notes.append(f"{version}: {len(calls)} requests")
    return "; ".join(notes)


@scenario
def influxdb_user_secret_that_timestream_made(world):
    """It names no server: the policy must. Without, the policy says what to add."""
    world.operator.read_rules(RULES.replace('"{namespace}/*"', '"{namespace}/*", "READONLY-InfluxDB-auth-parameters-*"'))
    server = Influx(world, "user-made", "2.7")
    name = "READONLY-InfluxDB-auth-parameters-" + server.about["id"]
    s = Subject(world.sandbox, "it", "user-made", {"influxdbUser": {}}, secret=name)
    s.settle()
    before = world.sandbox.secret(name)
    s.request()
    s.says("Ready", "False", "spec.strategy.influxdbUser", "dbIdentifier")
    world.sandbox.patch_policy("it", "user-made", {"spec": {"strategy": {"influxdbUser": {"dbIdentifier": server.about["id"]}}}})
    new = rotated(s, before)
    check(set(new) == {"organization", "bucket", "username", "password"} and new["username"] == "admin", f"fields: {set(new)}")
    s.settle()
    [admin] = [u for u in world.sandbox.admin(f"/influx/instances/{server.name}")["users"] if u["name"] == "admin"]
    check(admin["password"] == new["password"], "the server has another password")
    world.operator.read_rules(RULES)


@scenario
def influxdb_user_dies_where_a_password_could_be_lost(world):
    """The operator dies with the answer outstanding: to the change of the password, to the test after it, to each move of a label."""
    world.operator.read_rules(RULES)
    server = Server(world, "user-dies")
    s = server.subject(world, "user-dies")
    s.settle()
    places = [dict(service="influxdb", namespace="user-dies", operation="update"), dict(service="secretsmanager", operation="UpdateSecretVersionStage", resource="**user-dies**"),
              dict(service="secretsmanager", operation="UpdateSecretVersionStage", resource="**user-dies**", skip=1)]
    for place in places:
        until("it rests", lambda: at_rest(s))
        before = world.sandbox.secret(s.id)
        server.passwords.add(server.password())
        world.sandbox.fault(id="kill", kind="hold-reply", times=1, **place)
        s.request()
        until(f"the request {place}", lambda: world.sandbox.hits() > 0, 60)
        server.check_quiet_about(world)
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        taken = server.password()
        world.operator = Operator(world.sandbox)
        world.operator.read_rules(RULES)
        rotated(s, before)
        check_works(world, server, s)
        s.one_new_version(before)
        check(server.password() == taken, "what the server had taken was thrown away")
    server.check_quiet_about(world)


@scenario
def influxdb_user_meets_a_persons_change(world):
    """Of other fields while the server takes the new password: both stand. Of the password, in both places, before that: the person's stands."""
    world.operator.read_rules(RULES)
    server = Server(world, "user-edited")
    s = server.subject(world, "user-edited")
    s.settle()
    world.sandbox.fault(id="kill", service="influxdb", namespace="user-edited", operation="update", kind="hold-reply", times=1)
    s.request()
    until("the change of the password", lambda: world.sandbox.hits() > 0, 60)
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps({**json.loads(world.sandbox.value_of(s.id)), "note": MARKER + "-by-hand"})}, "PUT")
    taken = server.password()
    until("the password is carried", lambda: json.loads(world.sandbox.value_of(s.id))["password"] == taken, 90)
    check_works(world, server, s)
    now = json.loads(world.sandbox.value_of(s.id))
    check(now["note"] == MARKER + "-by-hand" and server.password() == taken, "the edit, or the password that works, was lost")

    until("it rests", lambda: at_rest(s))
    world.sandbox.admin("/faults", method="DELETE")
    before = world.sandbox.secret(s.id)
    s.request()
    until("a new version", lambda: world.sandbox.secret(s.id)["labels"].get("AWSPENDING"))
    server.set_password(MARKER + "-by-a-person")  # while the labels have to stay the same for a while
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps({**now, "password": MARKER + "-by-a-person"})}, "PUT")
    until("the attempt is over", lambda: not {"AWSPENDING", "KEYTURN_BATON"} & set(world.sandbox.secret(s.id)["labels"]), 90)
    check(before["labels"]["AWSCURRENT"] != world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] and server.signs_in(MARKER + "-by-a-person"), "the person's password was replaced")
    server.check_quiet_about(world)


@scenario
def influxdb_user_password_from_before_the_rules(world):
    """An old server takes what a newer one refuses: there it is rotated; on the newer one the policy says what is wrong with it."""
    world.operator.read_rules(RULES)
    for version in ("2.7.5", "2.7"):
        server = Server(world, "user-long-" + version.replace(".", "-"), version)
        server.set_password(MARKER + "x" * 74)
        s = server.subject(world, server.name)
        s.settle()
        before = world.sandbox.secret(s.id)
        s.request()
        if version == "2.7":
            s.says("Ready", "False", "8 to 72 bytes", "store that")
            check(server.password() == MARKER + "x" * 74 and world.sandbox.secret(s.id)["labels"] == before["labels"], "something was changed")
        else:
            rotated(s, before)
            check_works(world, server, s)
        server.check_quiet_about(world)
    ended(run(world, "rollback", "user-long-2-7-5", "-n", "it"), 1, "influxdbUser", "cannot bring an old credential back")


# --- without Kubernetes

def alone(world, server, name):
    world.sandbox.admin("/aws/secrets", {"name": name, "value": json.dumps(server.value(note=MARKER))})
    return world.sandbox.secret(name)


def check_alone(world, server, name, before):
    after = world.sandbox.secret(name)
    new = [v["id"] for v in after["versions"] if v["id"] not in [w["id"] for w in before["versions"]]]
    check(len(new) == 1, f"{len(new)} new versions instead of one")
    check(after["labels"] == {"AWSCURRENT": new[0], "AWSPREVIOUS": before["labels"]["AWSCURRENT"], "KEYTURN_LATEST": new[0]}, f"{after['labels']}")
    check(json.loads(world.sandbox.value_of(name))["password"] == server.password(), "AWSCURRENT is not what the server takes")


@scenario
def secret_influxdb_user_steps_status_and_end(world):
    server, name = Server(world, "user-steps"), "alone/user-steps"
    before = alone(world, server, name)
    keyturn(world, "secret", "step", "createSecret", name, *USER)
    check(server.signs_in(json.loads(world.sandbox.value_of(name))["password"]), "createSecret must only choose")
    for step in ("setSecret", "testSecret", "finishSecret"):
        done = keyturn(world, "secret", "step", step, name, *USER)
        check(server.password() not in done.out + done.err, "a password was printed")
    check_alone(world, server, name, before)
    status = keyturn(world, "secret", "status", name, *USER[:2])
    check(server.password() not in status.out, "a password was printed")
    kept = keyturn(world, "secret", "delete", name, *USER, "--yes", status=1)
    check("influxdbUser cannot revoke" in kept.err and not world.sandbox.secret(name)["deleted"], kept.err)


@scenario
def secret_influxdb_user_killed_at_every_request(world):
    """The n-th request to AWS or to the server takes effect, its answer never comes, and the command dies. The same command again: one new version, and it works."""
    deaths = 0
    for service in ("secretsmanager", "influxdb"):
        for n in range(1, 40):
            server, name = Server(world, f"user-{service[:2]}-{n}"), f"alone/user-{service[:2]}-{n:02}"
            before = alone(world, server, name)
            match = {"resource": f"**{name}**"} if service == "secretsmanager" else {}
            world.sandbox.fault(id="kill", service=service, kind="hold-reply", skip=n - 1, times=1, **match)
            process = start(world, "secret", "rotate", name, *HASTY)
            until(f"request {n} or the end", lambda: world.sandbox.hits() > 0 or process.poll() is not None)
            over = process.poll() is not None
            process.kill()
            process.communicate()
            world.sandbox.admin("/faults", method="DELETE")
            again = wait(start(world, "secret", "rotate", name, *HASTY))
            check(again.status == 0 or "two rotations start at least" in again.err, again.err)
            check(server.password() not in again.out + again.err, "a password was printed")
            check_alone(world, server, name, before)
            world.sandbox.admin(f"/influx/instances/{server.name}", method="DELETE")
            if over:
                break
            deaths += 1
    check(deaths > 15, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def secret_influxdb_user_every_reply_lost_once(world):
    lost = 0
    for service in ("secretsmanager", "influxdb"):
        for n in range(40):
            server, name = Server(world, f"user-lost-{service[:2]}-{n}"), f"alone/user-lost-{service[:2]}-{n:02}"
            before = alone(world, server, name)
            match = {"resource": f"**{name}**"} if service == "secretsmanager" else {}
            world.sandbox.fault(id="kill", service=service, kind="reset-after", skip=n, times=1, **match)
            keyturn(world, "secret", "rotate", name, *HASTY)
            over = world.sandbox.hits() == 0
            world.sandbox.admin("/faults", method="DELETE")
            check_alone(world, server, name, before)
            world.sandbox.admin(f"/influx/instances/{server.name}", method="DELETE")
            if over:
                break
            lost += 1
    check(lost > 15, f"only {lost} replies could be lost")
    return f"{lost} replies"
