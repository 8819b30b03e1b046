"""influxdbToken: the real operator against the sandbox's Timestream and InfluxDB servers, over TLS."""
import json, time, urllib.error, urllib.request

from commands import ended, run
from harness import MARKER, Operator, Subject, check, check_untold, collection, until

SCENARIOS, scenario = collection()

SOON = {"after": "Sync", "gracePeriod": "0s"}  # spec.retirement: no workload reads these Secrets
RULES = 'access: [{namespaces: ["*"], secrets: ["{namespace}/*"], resources: ["arn:aws:timestream-influxdb:**"], backends: ["127.0.0.1:*"]}]'


class Influx:
    """One server, its administrator's secret, and clients that hold tokens."""

    def __init__(self, world, name, version, admin_secret="", **more):
        self.sandbox, self.name, self.issued = world.sandbox, name, set()
        self.about = world.sandbox.admin("/influx/instances", {"name": name, "version": version, "org": "shop", "bucket": "orders", "username": "admin",
                                                               "password": MARKER + "-pass:word", "tls": True, "setUp": True, **more})
        self.admin_secret = admin_secret or f"it/{name}-admin"
        world.sandbox.admin("/aws/secrets", {"name": self.admin_secret, "value": json.dumps({"username": "admin", "password": MARKER + "-pass:word"})})
        self.admin_arn = world.sandbox.secret(self.admin_secret)["arn"]

    def user(self, name):
        return self.sandbox.admin(f"/influx/instances/{self.name}/users", {"name": name, "password": MARKER + "-of-" + name, "orgID": self.about["orgID"], "role": "member"})["id"]

    def token(self, user, description="", **what):
        made = self.sandbox.admin(f"/influx/instances/{self.name}/authorizations", {"orgID": self.about["orgID"], "userID": user, "description": description, **what})
        self.issued.add(made["token"])
        return made

    def truth(self):
        tokens = self.sandbox.admin(f"/influx/instances/{self.name}")["authorizations"]
        self.issued.update(t["token"] for t in tokens if t["token"])
        return {t["id"]: t for t in tokens}

    def works(self, token):
        """Asks as a reader does: the list of buckets is empty for a token that is inactive, and 401 for one that is gone."""
        request = urllib.request.Request(self.about["url"] + "/api/v2/buckets", headers={"Authorization": "Token " + token})
        try:
            with urllib.request.urlopen(request, context=self.sandbox.tls) as reply:
                return bool(json.load(reply)["buckets"])
        except urllib.error.HTTPError as error:
            check(error.code == 401, f"the server answered {error.code}")
            return False

    def secret(self, kind, token, **fields):
        return {"engine": "timestream-influxdb", "org": "shop", "type": kind, "token": token, "dbIdentifier": self.about["id"], **fields}

    def says_nothing(self, world):
        """No token that this server ever had is in a log, an event, a status or a metric."""
        self.truth()
        check_untold(world, self.issued)


def rotated(s, before):
    until("a rotation", lambda: s.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    return json.loads(s.sandbox.value_of(s.id))


def at_rest(s):
    """Nothing is under way, and the second in which the last rotation ended is over: a request counts by whole seconds."""
    status = s.status()
    ended_at = status.get("lastRotationTime", "")
    return "rotation" not in status and not s.sandbox.policy(s.ns, s.name)["metadata"].get("finalizers") and time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > ended_at


@scenario
def influxdb_nothing_is_asked_before_a_rule_allows_it(world):
    influx = Influx(world, "denied", "2.7")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-denied", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)), retirement=SOON)
    s.settle()
    world.sandbox.forget_calls()
    s.request()
    s.says("Stalled", "True", "resources: [", influx.about["arn"], reason="NoAccessRule")
    check(not world.sandbox.calls("influxdb"), "the server was asked although no rule names it")
    check(influx.admin_arn not in json.dumps(world.sandbox.calls("secretsmanager")), "the administrator's secret was touched")
    planned = Subject(world.sandbox, "it", "influx-planned", {"influxdbToken": {}},
                      json.dumps({**influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn), "dbIdentifier": "", "url": "https://elsewhere.example:8086"}))
    planned.settle()
    ended(run(world, "plan", "influx-planned", "-n", "it", "--config", world.operator.config), 1, "DENIED", 'backends: ["elsewhere.example:8086"]')
    world.sandbox.admin("/aws/secrets/it/influx-planned", {"value": json.dumps({"org": "shop"})}, "PUT")
    ended(run(world, "plan", "influx-planned", "-n", "it", "--config", world.operator.config), 0, "a rotation would be refused: ")
    before = world.sandbox.secret(s.id)
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))  # the request still stands
    rotated(s, before)
    until("the rotation ends", lambda: "rotation" not in s.status(), 60)


@scenario
def influxdb_tokens_rotate_and_the_old_one_goes_last(world):
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    notes = []
    for version in ("2.7", "2.9"):
        influx = Influx(world, "rotates-" + version.replace(".", "-"), version)
        reader = influx.user("reader")
        bucket = {"type": "buckets", "id": influx.about["bucketID"], "orgID": influx.about["orgID"]}
        old = influx.token(reader, "orders service", permissions=[{"action": "read", "resource": bucket}])
        s = Subject(world.sandbox, "it", influx.name, {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn, note=MARKER)), retirement=SOON)
        s.settle()
        before = world.sandbox.secret(s.id)
        rights = influx.truth()[old["id"]]["permissions"]
        world.sandbox.forget_calls()
        s.request()
        new = rotated(s, before)
        check(influx.works(new["token"]), "the new token does not work")
        check(influx.works(old["token"]), "the old token went with the label")
        made = influx.truth()[new["authorizationId"]]
        check(made["userID"] == reader and made["permissions"] == rights, f"another token than the old one: {made}")
        check(made["description"].startswith("orders service [keyturn arn:"), f"the description: {made['description']}")
        check(new["note"] == MARKER, "another field was touched")
        until("the old token is revoked", lambda: old["id"] not in influx.truth(), 60)
        check(not influx.works(old["token"]), "the old token works although it is gone")
        s.settle()
        s.one_new_version(before)
        check(influx.works(world.sandbox.data("it", s.name)["token"]), "the Secret's token does not work")
        count = {k: len(world.sandbox.calls(k)) for k in ("secretsmanager", "timestream-influxdb", "influxdb")}
        notes.append(f"{version}: {count}")
        influx.says_nothing(world)
    return "; ".join(notes)


@scenario
def influxdb_dies_where_a_token_could_be_lost(world):
    """The operator dies with the answer outstanding: when the token is made, when the old one is set inactive, when it is deleted."""
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    influx = Influx(world, "dies", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-dies", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)), retirement=SOON)
    s.settle()
    orphans = 0
    for operation in ("create", "update", "delete"):
        until("it rests", lambda: at_rest(s))
        before = world.sandbox.secret(s.id)
        held = json.loads(world.sandbox.value_of(s.id))
        world.sandbox.fault(id="kill", service="influxdb", namespace=influx.name, operation=operation, kind="hold-reply", times=1)
        s.request()
        until(f"the {operation}", lambda: world.sandbox.hits() > 0, 60)
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        world.operator = Operator(world.sandbox)
        world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
        s.request() if operation == "create" else None
        new = rotated(s, before)
        gone = held.get("authorizationId", old["id"])
        until("the old token is revoked", lambda: gone not in influx.truth(), 60)
        check(influx.works(new["token"]), "the current token does not work")
        s.settle()
        orphans += operation == "create"
        ours = [t for t in influx.truth().values() if "[keyturn " in t["description"]]
        check(len(ours) == 1 + orphans, f"after {operation}: {[t['description'] for t in ours]}")
    influx.says_nothing(world)
    world.operator.configure(Operator.CONFIG)


@scenario
def influxdb_a_token_whose_answer_was_lost_goes_with_the_next_rotation(world):
    """The answer to the POST never comes and the operator dies: a token that no version holds. Old enough (by the server's clock: it was two hours behind then),
    the next rotation revokes it before it makes another, and says so."""
    influx = Influx(world, "orphaned", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-orphaned", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn, authorizationId=old["id"])), retirement=SOON)
    world.operator.read_rules(RULES)
    s.settle()
    world.sandbox.admin("/influx/clock", {"offsetMs": -7200_000})
    world.sandbox.fault(id="lost", service="influxdb", namespace=influx.name, operation="create", resource="authorizations", kind="hold-reply", times=1)
    s.request()
    until("the POST", lambda: world.sandbox.admin("/faults")["faults"][0]["hits"] > 0)
    world.operator.kill()
    world.sandbox.admin("/faults", method="DELETE")
    world.sandbox.admin("/influx/clock", {"offsetMs": 0})
    world.sandbox.patch_policy(s.ns, s.name, {"metadata": {"annotations": {"keyturn.dev/rotate-requested-at": None}}})
    orphan = next(i for i, t in influx.truth().items() if "[keyturn " in t["description"])
    world.operator = Operator(world.sandbox)
    world.operator.read_rules(RULES)
    until("it rests", lambda: at_rest(s))
    before = world.sandbox.secret(s.id)
    check(orphan in influx.truth() and "AWSPENDING" not in before["labels"], f"something is left but the token: {before['labels']}")
    world.sandbox.forget_calls()
    s.request()
    new = rotated(s, before)
    writes = [(c["operation"], c["name"]) for c in world.sandbox.calls("influxdb") if c["resource"] == "authorizations" and c["operation"] in ("create", "delete")]
    check(writes[:2] == [("delete", orphan), ("create", "")], f"at the server: {writes}")
    until("it is told", lambda: orphan in (s.event("CleanedUp") or {"note": ""})["note"])
    until("the old token is revoked", lambda: old["id"] not in influx.truth(), 60)
    check([i for i, t in influx.truth().items() if "[keyturn " in t["description"]] == [new["authorizationId"]], "another token of ours lives")
    check(influx.works(new["token"]), "the current token does not work")
    influx.says_nothing(world)
    world.operator.configure(Operator.CONFIG)
