#!/usr/bin/env python3
"""Sends the same requests to a real InfluxDB 2 and to the sandbox's, and prints where their answers differ.

    compare_influx_with_real.py INFLUXD KEYTURN_SANDBOX

INFLUXD: what `tests/e2e/control-plane.sh influxdb` prints. Both are started fresh, set up by their own API and ended again. Ids
and tokens are replaced by the order in which they appear and times by T; everything else must be equal: status codes, who sees
what, and messages too, since only they tell "not known" from "not permitted". Exit status 1 when anything differs.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness.influx import Api, Influx, all_access_permissions, operator_permissions, permission  # noqa: E402
from harness.waiting import eventually  # noqa: E402

AUTHORIZATIONS, BUCKETS, ORGS, USERS = (f"/api/v2/{name}" for name in ("authorizations", "buckets", "orgs", "users"))
NOBODY = "00000000000000aa"
TOKENS = re.compile(r"[A-Za-z0-9_-]{86}==")
IDS = re.compile(r"\b[0-9a-f]{16}\b")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)")
# How the real one's JSON library words it is no part of the API.
UNREADABLE = re.compile(r"^(invalid json structure|json: |(unexpected )?EOF$).*")
# What a version, a build or a scheduler says of itself.
IGNORED = {"commit", "shardGroupDurationSeconds"}


class Side:
    """One server: what it answered so far, and how its ids are called."""

    def __init__(self, port):
        self.api, self.names, self.kept = Api(port), {}, {}

    def plain(self, value):
        if isinstance(value, dict):
            # Organisations and buckets have random ids, so lists of them have no order that means something.
            value = {k: sorted(v, key=lambda each: each["name"]) if k in ("buckets", "orgs") and isinstance(v, list) else v
                     for k, v in sorted(value.items())}
            return {self.text(k): self.plain(v) for k, v in value.items() if k not in IGNORED}
        if isinstance(value, list):
            return [self.plain(v) for v in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text):
        for pattern, word in ((TOKENS, "token"), (IDS, "id")):
            text = pattern.sub(lambda found, word=word: self.names.setdefault(
                found.group(), f"<{word} {sum(1 for name in self.names.values() if word in name)}>"), text)
        return UNREADABLE.sub("unreadable", TIMES.sub("T", text))


def keep(side, name, reply, *path):
    """Remembers a part of an answer for later requests."""
    for part in path:
        reply = reply[part]
    side.kept[name] = reply


def steps(side):
    """Yields (name, method, path, body, credentials); is sent the Reply."""
    k = side.kept

    def create(permissions, token=None, **more):
        return "POST", AUTHORIZATIONS, {"orgID": k["org"], "permissions": permissions, **more}, {"token": token or k["admin"]}

    def one(path, method="GET", body=None, **credentials):
        return method, path, body, credentials or {"token": k["admin"]}

    yield "ping", *one("/ping", token="x")
    yield "health", *one("/health", token="x")
    yield "set-up allowed", *one("/api/v2/setup", token="x")
    yield "set-up without bucket", "POST", "/api/v2/setup", {"username": "admin", "password": "admin-password", "org": "shop"}, {}
    yield "set-up weak", "POST", "/api/v2/setup", {"username": "admin", "password": "short", "org": "shop", "bucket": "orders"}, {}
    made = (yield "set-up", "POST", "/api/v2/setup", {"username": "admin", "password": "admin-password", "org": "shop", "bucket": "orders"}, {}).body
    keep(side, "admin", made, "auth", "token")
    keep(side, "admin id", made, "auth", "id")
    keep(side, "user", made, "user", "id")
    keep(side, "org", made, "org", "id")
    keep(side, "bucket", made, "bucket", "id")
    yield "set-up again", "POST", "/api/v2/setup", {"username": "b", "password": "admin-password", "org": "c", "bucket": "d"}, {}
    yield "set-up over", *one("/api/v2/setup", token="x")

    yield "nobody", "GET", ORGS, None, {}
    yield "unknown token", *one(ORGS, token="nonsense")
    yield "bearer", "GET", ORGS, None, {"headers": {"Authorization": f"Bearer {k['admin']}"}}
    yield "odd scheme", "GET", ORGS, None, {"headers": {"Authorization": f"Odd {k['admin']}"}}
    yield "unknown path", *one("/api/v2/nothing")
    yield "unknown session", *one(ORGS, session="x")

    yield "sign-in wrong", "POST", "/api/v2/signin", None, {"basic": ("admin", "wrong-password")}
    yield "sign-in nobody", "POST", "/api/v2/signin", None, {"basic": ("nobody", "wrong-password")}
    yield "sign-in bare", "POST", "/api/v2/signin", None, {}
    side.kept["session"] = side.api.sign_in("admin", "admin-password")
    yield "me in session", *one("/api/v2/me", session=k["session"])
    yield "me by token", *one("/api/v2/me")
    yield "orgs in session", *one(ORGS, session=k["session"])
    yield "sign-out without", "POST", "/api/v2/signout", None, {}

    yield "orgs", *one(ORGS)
    yield "orgs by name", *one(f"{ORGS}?org=shop")
    yield "orgs by unknown name", *one(f"{ORGS}?org=none")
    yield "orgs by unknown id", *one(f"{ORGS}?orgID={NOBODY}")
    yield "orgs limit", *one(f"{ORGS}?limit=101")
    yield "orgs limit word", *one(f"{ORGS}?limit=x")
    yield "org", *one(f"{ORGS}/{k['org']}")
    yield "org unknown", *one(f"{ORGS}/{NOBODY}")
    yield "org bad id", *one(f"{ORGS}/x")
    yield "org again", *one(ORGS, "POST", {"name": "shop"})
    yield "org nameless", *one(ORGS, "POST", {"name": " "})
    yield "buckets", *one(BUCKETS)
    yield "buckets by name", *one(f"{BUCKETS}?name=orders&org=shop")
    yield "buckets by unknown name", *one(f"{BUCKETS}?name=none&org=shop")
    yield "buckets by unknown name, no org", *one(f"{BUCKETS}?name=none")
    yield "buckets of unknown org", *one(f"{BUCKETS}?org=none")
    yield "buckets by id", *one(f"{BUCKETS}?id={k['bucket']}")
    yield "bucket", *one(f"{BUCKETS}/{k['bucket']}")
    yield "bucket unknown", *one(f"{BUCKETS}/{NOBODY}")
    made = (yield "bucket created", *one(BUCKETS, "POST", {"orgID": k["org"], "name": "other", "description": "d"})).body
    keep(side, "other bucket", made, "id")
    yield "bucket again", *one(BUCKETS, "POST", {"orgID": k["org"], "name": "other"})
    yield "bucket reserved", *one(BUCKETS, "POST", {"orgID": k["org"], "name": "_x"})
    yield "bucket orgless", *one(BUCKETS, "POST", {"name": "x"})
    yield "bucket of unknown org", *one(BUCKETS, "POST", {"orgID": NOBODY, "name": "x"})

    made = (yield "user", *one(USERS, "POST", {"name": "bob"})).body
    keep(side, "bob", made, "id")
    yield "user again", *one(USERS, "POST", {"name": "bob"})
    yield "users", *one(USERS)
    yield "users by name", *one(f"{USERS}?name=bob")
    yield "users by unknown name", *one(f"{USERS}?name=none")
    yield "user by id", *one(f"{USERS}/{k['bob']}")
    yield "user unknown", *one(f"{USERS}/{NOBODY}")
    yield "sign-in without password", "POST", "/api/v2/signin", None, {"basic": ("bob", "")}
    yield "password short", *one(f"{USERS}/{k['bob']}/password", "POST", {"password": "short"})
    yield "password long", *one(f"{USERS}/{k['bob']}/password", "POST", {"password": "x" * 73})
    yield "password 72", *one(f"{USERS}/{k['bob']}/password", "POST", {"password": "x" * 72})
    yield "password", *one(f"{USERS}/{k['bob']}/password", "POST", {"password": "bobs-password"})
    yield "password of nobody", *one(f"{USERS}/{NOBODY}/password", "POST", {"password": "bobs-password"})
    yield "password bad id", *one(f"{USERS}/x/password", "POST", {"password": "bobs-password"})
    yield "password no body", *one(f"{USERS}/{k['bob']}/password", "POST")
    side.kept["bob in"] = side.api.sign_in("bob", "bobs-password")
    yield "bob: me", *one("/api/v2/me", session=k["bob in"])
    yield "bob: orgs", *one(ORGS, session=k["bob in"])
    yield "bob: buckets", *one(BUCKETS, session=k["bob in"])
    yield "bob: tokens", *one(AUTHORIZATIONS, session=k["bob in"])
    yield "bob: another's password", *one(f"{USERS}/{k['user']}/password", "POST", {"password": "not-his-own"}, session=k["bob in"])
    cookie = {"Cookie": f"influxdb-oss-session={k['bob in']}"}
    yield "bob: me/password wrong", "PUT", "/api/v2/me/password", {"password": "bobs-second"}, {"basic": ("bob", "wrong-password"), "headers": cookie}
    yield "bob: me/password weak", "PUT", "/api/v2/me/password", {"password": "short"}, {"basic": ("bob", "bobs-password"), "headers": cookie}
    yield "bob: me/password", "PUT", "/api/v2/me/password", {"password": "bobs-second"}, {"basic": ("bob", "bobs-password"), "headers": cookie}
    yield "bob: password by id", "PUT", f"{USERS}/{k['bob']}/password", {"password": "bobs-third"}, {"basic": ("bob", "bobs-second"), "headers": cookie}
    yield "bob: own password, no old", *one(f"{USERS}/{k['bob']}/password", "POST", {"password": "bobs-fourth"}, session=k["bob in"])
    yield "bob: still in", *one("/api/v2/me", session=k["bob in"])
    yield "bob: old password", "POST", "/api/v2/signin", None, {"basic": ("bob", "bobs-third")}
    yield "member", *one(f"{ORGS}/{k['org']}/members", "POST", {"id": k["bob"]})
    yield "member again", *one(f"{ORGS}/{k['org']}/members", "POST", {"id": k["bob"]})
    yield "member nobody", *one(f"{ORGS}/{k['org']}/members", "POST", {"id": NOBODY})
    yield "bob: orgs as member", *one(ORGS, session=k["bob in"])
    yield "bob: buckets as member", *one(BUCKETS, session=k["bob in"])
    yield "bob: tokens as member", *one(AUTHORIZATIONS, session=k["bob in"])
    yield "bob: token as member", "POST", AUTHORIZATIONS, {"orgID": k["org"], "permissions": [permission("read", "buckets", k["org"])]}, {"session": k["bob in"]}

    org, bucket = k["org"], k["bucket"]
    read = permission("read", "buckets", org, bucket)
    made = (yield "token", *create([read], description="narrow")).body
    keep(side, "narrow", made, "token")
    keep(side, "narrow id", made, "id")
    made = (yield "token of bob", *create([read, permission("read", "authorizations", org)], userID=k["bob"])).body
    keep(side, "bobs", made, "token")
    keep(side, "bobs id", made, "id")
    made = (yield "all access", *create(all_access_permissions(org, k["user"]))).body
    keep(side, "all", made, "token")
    made = (yield "all access of bob", *create(all_access_permissions(org, k["bob"]), userID=k["bob"])).body
    keep(side, "all bob", made, "token")
    keep(side, "all bob id", made, "id")
    yield "operator from operator", *create(operator_permissions())
    yield "operator from session", "POST", AUTHORIZATIONS, {"orgID": org, "permissions": operator_permissions()}, {"session": k["session"]}
    yield "operator from all access", *create(operator_permissions(), k["all"])
    yield "all access from itself", *create(all_access_permissions(org, k["user"]), k["all"])
    yield "all access for another", *create(all_access_permissions(org, k["user"]), k["all bob"], userID=k["user"])
    yield "narrow mints", *create([read], k["narrow"])
    yield "instance by token", *create([permission("read", "instance")])
    yield "instance by session", "POST", AUTHORIZATIONS, {"orgID": org, "permissions": [permission("read", "instance")]}, {"session": k["session"]}
    named = {"action": "read", "resource": {"type": "buckets", "orgID": org, "name": "orders", "org": "nowhere"}}
    yield "named resource", *create([named])
    yield "resource without org", *create([permission("read", "buckets", resource=bucket)])
    yield "resource gone", *create([permission("read", "buckets", org, NOBODY)])
    yield "a user's name", *create([permission("read", "users", resource=k["bob"])])
    yield "other org in resource", *create([permission("read", "buckets", NOBODY)])
    yield "unknown org", *create([read], orgID=NOBODY)
    yield "unknown user", *create([read], userID=NOBODY)
    yield "no permissions", *create([])
    yield "unknown type", *create([permission("read", "bucket", org)])
    yield "unknown action", *create([permission("own", "buckets", org)])
    yield "short id", *create([permission("read", "buckets", org, "abc")])
    yield "inactive from the start", *create([read], status="inactive")
    yield "odd status", *create([read], status="odd")
    yield "no org", "POST", AUTHORIZATIONS, {"permissions": [read]}, {"token": k["admin"]}
    yield "empty org", "POST", AUTHORIZATIONS, {"orgID": "", "permissions": [read]}, {"token": k["admin"]}
    yield "no body", "POST", AUTHORIZATIONS, None, {"token": k["admin"]}
    yield "no json", "POST", AUTHORIZATIONS, "{", {"token": k["admin"]}
    yield "description no text", *create([read], description=5)
    yield "status no text", *create([read], status=5)
    yield "nulls", *create([read], description=None, status=None, userID=None)
    yield "user id empty", *create([read], userID="")
    yield "org id no text", *create([read], orgID=5)
    yield "permissions no list", *create({})
    yield "permission no object", *create([5])
    yield "action no text", *create([{"action": 5, "resource": {"type": "buckets"}}])
    yield "no resource", *create([{"action": "read"}])
    yield "resource id null", *create([{"action": "read", "resource": {"type": "buckets", "id": None, "orgID": org}}])
    yield "resource id empty", *create([{"action": "read", "resource": {"type": "buckets", "id": "", "orgID": org}}])
    yield "body no object", "POST", AUTHORIZATIONS, [], {"token": k["admin"]}
    yield "unknown member", *create([read], nonsense=5)

    for who in ("admin", "narrow", "bobs", "all", "all bob"):
        yield f"{who}: tokens", *one(AUTHORIZATIONS, token=k[who])
        yield f"{who}: orgs", *one(ORGS, token=k[who])
        yield f"{who}: orgs by name", *one(f"{ORGS}?org=shop", token=k[who])
        yield f"{who}: org", *one(f"{ORGS}/{org}", token=k[who])
        yield f"{who}: buckets", *one(BUCKETS, token=k[who])
        yield f"{who}: buckets first page", *one(f"{BUCKETS}?limit=1&org=shop&name=orders", token=k[who])
        yield f"{who}: bucket", *one(f"{BUCKETS}/{bucket}", token=k[who])
        yield f"{who}: other bucket", *one(f"{BUCKETS}/{k['other bucket']}", token=k[who])
        yield f"{who}: me", *one("/api/v2/me", token=k[who])
        yield f"{who}: users", *one(USERS, token=k[who])
        yield f"{who}: narrow token", *one(f"{AUTHORIZATIONS}/{k['narrow id']}", token=k[who])
        yield f"{who}: bob's token", *one(f"{AUTHORIZATIONS}/{k['bobs id']}", token=k[who])
        yield f"{who}: patches bob's", *one(f"{AUTHORIZATIONS}/{k['bobs id']}", "PATCH", {"description": f"by {who}"}, token=k[who])
        yield f"{who}: writes", *one(f"/api/v2/write?org=shop&bucket=orders", "POST", "m v=1", token=k[who])
        yield f"{who}: writes other", *one(f"/api/v2/write?org={org}&bucket={k['other bucket']}", "POST", "m v=1", token=k[who])
        yield f"{who}: reads", *one("/api/v2/query?org=shop", "POST", 'from(bucket: "other") |> range(start: -1m)', token=k[who], headers={"Content-Type": "application/vnd.flux"})
    yield "tokens of bob", *one(f"{AUTHORIZATIONS}?user=bob")
    yield "tokens of bob by id", *one(f"{AUTHORIZATIONS}?userID={k['bob']}")
    yield "tokens of nobody", *one(f"{AUTHORIZATIONS}?user=nobody")
    yield "tokens of unknown user id", *one(f"{AUTHORIZATIONS}?userID={NOBODY}")
    yield "tokens of org", *one(f"{AUTHORIZATIONS}?org=shop")
    yield "tokens of unknown org", *one(f"{AUTHORIZATIONS}?org=none")
    yield "tokens by id", *one(f"{AUTHORIZATIONS}?id={k['narrow id']}")
    yield "tokens by unknown id", *one(f"{AUTHORIZATIONS}?id={NOBODY}")
    yield "tokens by bad id", *one(f"{AUTHORIZATIONS}?id=x")
    yield "tokens limited", *one(f"{AUTHORIZATIONS}?limit=1")
    yield "write, unknown bucket", *one("/api/v2/write?org=shop&bucket=none", "POST", "m v=1")
    yield "write, unknown org", *one("/api/v2/write?org=none&bucket=orders", "POST", "m v=1")
    yield "write, no bucket", *one("/api/v2/write?org=shop", "POST", "m v=1")
    yield "write unauthenticated", "POST", "/api/v2/write?org=shop&bucket=orders", "m v=1", {}
    yield "query unknown bucket", *one("/api/v2/query?org=shop", "POST", {"query": 'from(bucket: "none") |> range(start: -1m)', "type": "flux"}, token=k["admin"], headers={"Content-Type": "application/json"})
    yield "query unknown org", *one("/api/v2/query?org=none", "POST", {"query": "buckets()"}, token=k["admin"], headers={"Content-Type": "application/json"})

    narrow = f"{AUTHORIZATIONS}/{k['narrow id']}"
    yield "patch", *one(narrow, "PATCH", {"description": "new"})
    yield "patch more than it may", *one(narrow, "PATCH", {"token": "mine", "permissions": [], "orgID": NOBODY, "userID": NOBODY})
    yield "patch nothing", *one(narrow, "PATCH", {})
    yield "patch odd status", *one(narrow, "PATCH", {"status": "odd"})
    yield "patch no json", *one(narrow, "PATCH", "{")
    yield "patch description no text", *one(narrow, "PATCH", {"description": 5})
    yield "patch nulls", *one(narrow, "PATCH", {"description": None, "status": None})
    yield "patch no object", *one(narrow, "PATCH", [])
    yield "patch unknown", *one(f"{AUTHORIZATIONS}/{NOBODY}", "PATCH", {"status": "active"})
    yield "put", *one(narrow, "PUT", {"status": "active"})
    yield "inactive", *one(narrow, "PATCH", {"status": "inactive"})
    for path in (ORGS, f"{ORGS}?org=shop", f"{ORGS}/{org}", BUCKETS, f"{BUCKETS}/{bucket}", AUTHORIZATIONS, narrow, "/api/v2/me", USERS):
        yield f"inactive: {side.text(path)}", *one(path, token=k["narrow"])
    yield "inactive: write", *one("/api/v2/write?org=shop&bucket=orders", "POST", "m v=1", token=k["narrow"])
    yield "inactive: query", *one("/api/v2/query?org=shop", "POST", {"query": 'from(bucket: "orders") |> range(start: -1m)'}, token=k["narrow"], headers={"Content-Type": "application/json"})
    yield "inactive: query buckets", *one("/api/v2/query?org=shop", "POST", {"query": "buckets()"}, token=k["narrow"], headers={"Content-Type": "application/json"})
    yield "inactive: mints", *create([read], k["narrow"])
    yield "inactive: deletes", *one(narrow, "DELETE", token=k["narrow"])
    yield "active again", *one(narrow, "PATCH", {"status": "active"})
    yield "active: buckets", *one(BUCKETS, token=k["narrow"])
    yield "deletes itself", *one(narrow, "DELETE", token=k["narrow"])
    yield "delete", *one(narrow, "DELETE")
    yield "delete again", *one(narrow, "DELETE")
    yield "delete bad id", *one(f"{AUTHORIZATIONS}/x", "DELETE")
    yield "deleted: used", *one(BUCKETS, token=k["narrow"])
    yield "deleted: got", *one(narrow)

    yield "bob: sees with his tokens' rights", *one(AUTHORIZATIONS, session=k["bob in"])
    yield "his last token inactive", *one(f"{AUTHORIZATIONS}/{k['all bob id']}", "PATCH", {"status": "inactive"})
    yield "bob: his session keeps its rights", *one(AUTHORIZATIONS, session=k["bob in"])
    yield "bob: mints with them", "POST", AUTHORIZATIONS, {"orgID": org, "permissions": [permission("write", "buckets", org)]}, {"session": k["bob in"]}
    yield "bob goes", *one(f"{USERS}/{k['bob']}", "DELETE")
    yield "bob goes again", *one(f"{USERS}/{k['bob']}", "DELETE")
    yield "bob: session after", *one(ORGS, session=k["bob in"])
    yield "bob: token after", *one(BUCKETS, token=k["bobs"])
    yield "tokens after", *one(AUTHORIZATIONS)
    yield "bob's token after", *one(f"{AUTHORIZATIONS}/{k['bobs id']}")
    yield "bob's token patched after", *one(f"{AUTHORIZATIONS}/{k['bobs id']}", "PATCH", {"status": "inactive"})
    yield "bob's token deleted after", *one(f"{AUTHORIZATIONS}/{k['bobs id']}", "DELETE")
    yield "sign-out", "POST", "/api/v2/signout", None, {"session": k["session"]}
    yield "sign-out again", "POST", "/api/v2/signout", None, {"session": k["session"]}
    yield "signed out", *one(ORGS, session=k["session"])


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            if key not in a or key not in b:
                yield f"{path}.{key}: only the {'real one' if key in a else 'sandbox'}: {json.dumps(a.get(key, b.get(key)))[:200]}"
            else:
                yield from differences(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}[{index}]")
    elif a != b:
        yield f"{path}: real {json.dumps(a)[:300]}\n{' ' * 8}sandbox {json.dumps(b)[:300]}"


def start_sandbox(program, folder):
    """The process, and the port of a server that is not set up."""
    process = subprocess.Popen([program, "--dir", folder], stdout=subprocess.DEVNULL)
    eventually("the sandbox serves", lambda: (Path(folder) / "ready").exists(), 20)
    admin = re.search(r"SANDBOX_ADMIN=(\S+)", (Path(folder) / "env").read_text()).group(1)
    wanted = json.dumps({"name": "compared", "version": "2.7", "setUp": False, "tls": False}).encode()
    with urllib.request.urlopen(f"{admin}/influx/instances", wanted) as reply:
        return process, json.loads(reply.read())["port"]


def compare(real_port, sandbox_port):
    sides = [Side(real_port), Side(sandbox_port)]
    stories = [steps(side) for side in sides]
    requests = [next(story) for story in stories]
    bad = total = 0
    while True:
        total += 1
        answers, replies = [], []
        for side, (_, method, path, body, credentials) in zip(sides, requests):
            reply = side.api.send(method, path, body, **credentials)
            kind = reply.headers.get("content-type", "").partition(";")[0]
            shown = reply.body if kind == "application/json" else None  # CSV of a query
            answers.append({"status": reply.status, "type": kind if reply.body else None, "code": reply.headers.get("x-platform-error-code"),
                            "body": side.plain(shown)})
            replies.append(reply)
        found = list(differences(*answers))
        if found:
            bad += 1
            print(f"{requests[0][0]}: {requests[0][1]} {sides[0].text(requests[0][2])}")
            for line in found:
                print("   ", line)
        try:
            requests = [story.send(reply) for story, reply in zip(stories, replies)]
        except StopIteration:
            print(f"{total} requests, {bad} answered differently")
            return bad


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    influxd, program = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="keyturn-compare-") as folder:
        real = Influx(influxd, folder, owned=True)
        sandbox = None
        try:
            real.start()
            sandbox, port = start_sandbox(program, os.path.join(folder, "sandbox"))
            bad = compare(real.port, port)
        finally:
            if sandbox:
                sandbox.send_signal(signal.SIGTERM)
                sandbox.wait(20)
            real.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
