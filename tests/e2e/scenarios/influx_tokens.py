"""influxdbToken against a real InfluxDB, in all types of token: what the new token may do, whose it is, and when the old one ends."""

import json

from harness.influx import all_access_permissions, operator_permissions, permission
from harness.lane import Lane
from harness.life import SOON
from harness.runner import check, check_equal, scenario
from harness.waiting import eventually

_STRATEGY = {"influxdbToken": {}}


def rights(influx, token):
    """What the server lets the token do: read and write each of two buckets, see tasks, see other users."""

    def allowed(method, path, body=None, headers=None):
        return influx.api.send(method, path, body, token=token, headers=headers).status in (200, 204)

    def read(bucket):
        flux = {"query": f'from(bucket: "{bucket}") |> range(start: -1h) |> limit(n: 1)'}
        return allowed("POST", "/api/v2/query?org=shop", flux, {"Content-Type": "application/json"})

    def write(bucket):
        return allowed("POST", f"/api/v2/write?org=shop&bucket={bucket}", "seen value=1")

    return {"read orders": read("orders"), "read stock": read("stock"), "write orders": write("orders"), "write stock": write("stock"),
            "tasks": allowed("GET", "/api/v2/tasks"), "setup user": allowed("GET", f"/api/v2/users/{influx.user}")}


NARROW = {"read orders": True, "read stock": False, "write orders": False, "write stock": True, "setup user": False}


def owned_by(influx, arn):
    """The authorizations that carry Keyturn's mark for the secret."""
    return [each for each in influx.authorizations().values() if arn in each["description"]]


def granted(authorization):
    return sorted(json.dumps(each["resource"], sort_keys=True) + each["action"] for each in authorization["permissions"])


def by_token(influx, token):
    found = [each for each in influx.authorizations().values() if each["token"] == token]
    check_equal(len(found), 1, "authorizations with this token")
    return found[0]


class Rotation:
    """One rotation of an influxdbToken secret: asked for when made, looked at whole by check()."""

    def __init__(self, influx, subject):
        self._influx, self._subject = influx, subject
        self._fields, self._version, self._versions = subject.fields(), subject.current(), subject.versions()
        self._before, self._allowed = by_token(influx, self._fields["token"]), rights(influx, self._fields["token"])
        subject.request_rotation()

    def check(self):
        influx, subject, before = self._influx, self._subject, self._before
        subject.wait_rotated(self._version)
        fields, arn = subject.fields(), subject.status()["secretArn"]
        check(fields["token"] != self._fields["token"], "the token is the old one")
        after = by_token(influx, fields["token"])
        check_equal(fields, {**self._fields, "token": fields["token"], "authorizationId": after["id"]}, "the secret's fields")
        check_equal([after[key] for key in ("userID", "orgID", "status")], [before["userID"], before["orgID"], "active"], "owner")
        check_equal(granted(after), granted(before), "permissions")
        check_equal(rights(influx, fields["token"]), self._allowed, "what the new token may do")
        said, _, mark = after["description"].partition("[keyturn ")
        check_equal(said.strip(), before["description"].partition("[keyturn ")[0].strip(), "what people wrote in the description")
        check(mark.startswith(f"{arn}#{subject.current()} "), f"the mark is {mark!r}")

        eventually(f"the old token of {subject} is gone", lambda: before["id"] not in influx.authorizations(), 45)
        check_equal(influx.api.send("GET", "/api/v2/me", token=before["token"]).status, 401, "status of a request with the old token")
        check(influx.api.works(fields["token"]), "the new token does not work after the old one's end")
        subject.wait_at_rest()
        subject.check_default_mapping()
        subject.check_one_new_version(self._versions, self._version)
        check_equal([each["id"] for each in owned_by(influx, arn)], [after["id"]], "tokens with the mark of this secret")


def rotate_all(influx, subjects):
    for rotation in [Rotation(influx, each) for each in subjects]:
        rotation.check()


@scenario("influxdbToken, a real InfluxDB: operator, all-access and custom tokens keep rights and owner; the old one ends, and only it")
def every_type(world):
    influx = world.influx()
    namespace, stock = world.namespace("tokens"), influx.bucket_named("stock")
    bob = influx.user_named("bob", "bobs-password", "members")
    narrow = [permission("read", "buckets", influx.org, influx.bucket), permission("write", "buckets", influx.org, stock),
              permission("read", "tasks", influx.org)]
    world.aws.create(f"{namespace}/admin", json.dumps({"username": influx.username, "password": influx.password}))
    admin = world.aws.call("DescribeSecret", SecretId=f"{namespace}/admin")["ARN"]
    with Lane(world, "tokens", influx) as lane:

        def subject(name, kind, permissions, user=None, **more):
            token = influx.create_token(permissions, user, f"{name}, made by hand")["token"]
            return world.subject(namespace, name, lane.token_secret(kind, token, **more), _STRATEGY, retirement=SOON)

        bystander = influx.create_token(narrow, bob, "nobody's business")
        single = [subject("operator", "operator", operator_permissions()),
                  subject("all-access", "allAccess", all_access_permissions(influx.org, influx.user))]
        others = [subject("operator-by-admin", "operator", operator_permissions(), adminSecretArn=admin),
                  subject("bobs", "custom", narrow, bob, adminSecretArn=admin, readBuckets=[stock])]
        rotate_all(influx, [*single, *others])
        check_equal({key: rights(influx, others[1].fields()["token"])[key] for key in NARROW}, NARROW, "what bob's new token may do")
        check_equal(others[1].fields()["readBuckets"], [stock], "readBuckets, which only a first token looks at")
        check(influx.api.works(bystander["token"]), "a token that is nobody's business was revoked")
        check(bystander["id"] in influx.authorizations(), "a token that is nobody's business is gone")
    return f"{len(single)} replaced themselves, {len(others)} by an administrator"


@scenario("influxdbToken, a real InfluxDB: first tokens only with allowCreate, then limited to the named buckets; rotated like any other")
def first_tokens(world):
    influx = world.influx()
    namespace, stock = world.namespace("tokens-first"), influx.bucket_named("stock")
    world.aws.create(f"{namespace}/admin", json.dumps({"username": influx.username, "password": influx.password}))
    admin = world.aws.call("DescribeSecret", SecretId=f"{namespace}/admin")["ARN"]
    more = {"adminSecretArn": admin}
    buckets = {"readBuckets": [influx.bucket], "writeBuckets": [stock], "permissions": ["read-notificationRules"]}
    with Lane(world, "tokens-first", influx) as lane:

        def subject(name, strategy, kind, **fields):
            return world.subject(namespace, name, lane.token_secret(kind, **more, **fields), {"influxdbToken": strategy}, in_sync=False,
                                 retirement=SOON)

        refused = subject("refused", {}, "custom", **buckets)
        created = {kind: subject(f"created-{kind}".lower(), {"allowCreate": True}, kind, **(buckets if kind == "custom" else {}))
                   for kind in ("operator", "allAccess", "custom")}
        versions = refused.versions()
        refused.request_rotation()
        eventually("a secret without a token is refused", lambda: "allowCreate" in refused.conditions_in_short())
        old = {kind: each.current() for kind, each in created.items()}
        for each in created.values():
            each.request_rotation()
        for kind, each in created.items():
            each.wait_rotated(old[kind])
            # moto dates every version now: a request that had to wait for a retirement would seem older than the version.
            each.wait_at_rest()
            may = rights(influx, each.fields()["token"])
            if kind == "custom":
                check_equal({key: may[key] for key in NARROW}, NARROW, "what the custom token may do")
                made = by_token(influx, each.fields()["token"])
                check_equal(sorted((p["action"], p["resource"]["type"], p["resource"].get("id")) for p in made["permissions"]),
                            sorted([("read", "buckets", influx.bucket), ("write", "buckets", stock), ("read", "notificationRules", None)]),
                            "permissions")
            else:
                check_equal(may, dict.fromkeys(may, True), f"what the {kind} token may do")
            check_equal(by_token(influx, each.fields()["token"])["userID"], influx.user, "owner")
        rotate_all(influx, created.values())
        check_equal(refused.versions(), versions, "versions of the secret that was refused")
