#!/usr/bin/env python3
"""The real `keyturn` against keyturn-sandbox over TLS. usage: run.py --bin DIR --source DIR [--part PART] [word…]"""
import argparse, json, sys, time, traceback

import astra, bad_input, backends, behaviour, budgets, caches, commands, crash_matrix, delegated, deletion, everybody, identities, influxdb, influxdb_user, kinds, lambda_form, requests, retirement, rollouts, secret_commands, secret_influxdb
from harness import MARKER, ApiError, Operator, Sandbox, Subject, check, collection, until

SCENARIOS, scenario = collection()


@scenario
def request_rotates_and_syncs(world):
    s = Subject(world.sandbox, "it", "plain")
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.forget_calls()
    s.request()
    until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()
    s.one_new_version(before)
    check(json.loads(world.sandbox.value_of(s.id))["user"] == MARKER + "-user", "another field was touched")
    check(len(world.sandbox.calls("secretsmanager")) <= 6, f"AWS calls: {[c['operation'] for c in world.sandbox.calls('secretsmanager')]}")
    writes = [c for c in world.sandbox.calls("kubernetes") if c["operation"] in ("create", "apply", "patch", "update", "delete")]
    check(len(writes) <= 9, f"Kubernetes writes, the request's included: {[(c['operation'], c['resource']) for c in writes]}")


@scenario
def killed_after_every_request(world):
    """The n-th request of a rotation takes effect, its answer never comes, and the operator dies; the next one finishes: one new version."""
    s = Subject(world.sandbox, "it", "killed")
    s.settle()
    n = 0
    while True:
        n += 1
        before = world.sandbox.secret(s.id)
        world.sandbox.admin("/faults", method="DELETE")
        world.sandbox.fault(id="kill", service="secretsmanager", kind="hold-reply", skip=n - 1, times=1)
        s.request()
        hit = lambda: world.sandbox.hits() > 0
        done = lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"] and "rotation" not in s.status() and s.in_sync()
        until(f"request {n} or the end", lambda: hit() or done())
        over = not hit()
        if not over:
            world.operator.kill()
            world.sandbox.admin("/faults", method="DELETE")
            world.operator = Operator(world.sandbox)
        until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        s.settle()
        until("one new version", lambda: s.one_new_version(before) or True)
        if over:
            break
    world.sandbox.admin("/faults", method="DELETE")
    check(n >= 5, f"only {n - 1} requests were there to die after")
    return f"{n - 1} deaths"


@scenario
def every_reply_lost_once(world):
    s = Subject(world.sandbox, "it", "lossy")
    s.settle()
    for n in range(8):
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(service="secretsmanager", kind="reset-after", skip=n, times=1)
        s.request()
        until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        s.settle()
        until("one new version", lambda: s.one_new_version(before) or True)
        world.sandbox.admin("/faults", method="DELETE")


@scenario
def request_during_a_rotation_is_served_after_it(world):
    """A rotation that takes its time, and a request that is newer than its version but older than its end: a second rotation follows."""
    s = Subject(world.sandbox, "it", "impatient")
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.fault(service="secretsmanager", operation="UpdateSecretVersionStage", kind="delay", delayMs=1800, times=1)
    s.request()
    until("the new version", lambda: len(world.sandbox.secret(s.id)["versions"]) > len(before["versions"]))
    s.request()
    until("a second rotation", lambda: len(world.sandbox.secret(s.id)["versions"]) == len(before["versions"]) + 2)
    s.settle()


@scenario
def kubernetes_replies_lost(world):
    s = Subject(world.sandbox, "it", "lossy-kube")
    s.settle()
    for n in range(6):
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(service="kubernetes", operation="apply", kind="reset-after", skip=n, times=1)
        s.request()
        until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        s.settle()
        s.one_new_version(before)
        world.sandbox.admin("/faults", method="DELETE")


@scenario
def throttled_and_failing(world):
    s = Subject(world.sandbox, "it", "throttled")
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.fault(service="secretsmanager", kind="error", status=400, code="ThrottlingException", every=2, times=6)
    world.sandbox.fault(service="kubernetes", operation="apply", kind="error", status=429, retryAfter=1, every=2, times=3)
    s.request()
    until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()
    s.one_new_version(before)


@scenario
def a_target_that_cannot_be_written_is_tried_with_patience(world):
    """For as long as another policy waits for its time: a handful of tries, by both lanes together."""
    s, other = Subject(world.sandbox, "it", "unwritable"), Subject(world.sandbox, "it", "hourglass")
    s.settle()
    other.settle()
    old = {name: world.sandbox.secret(name)["labels"]["AWSCURRENT"] for name in (s.id, other.id)}
    moved = lambda subject: world.sandbox.secret(subject.id)["labels"]["AWSCURRENT"] != old[subject.id]
    world.sandbox.fault(service="kubernetes", operation="apply", resource="secrets", name=s.name, kind="error", status=500)
    world.sandbox.forget_calls()
    s.request()
    behaviour.ask(other, behaviour.at(time.time() + 6))
    until("the other one's time", lambda: moved(other))
    check(moved(s), "a target that cannot be written stops the rotation")
    reads = [c for c in world.sandbox.calls("secretsmanager") if c["operation"] == "GetSecretValue" and s.id in c["resource"]]
    check(2 <= len(reads) <= 12, f"{len(reads)} reads of the value")
    world.sandbox.admin("/faults", method="DELETE")
    s.settle()
    return f"{len(reads)} reads"


@scenario
def watches_break_in_every_way(world):
    s = Subject(world.sandbox, "it", "watched")
    s.settle()
    for fault in ({"kind": "cut-watch", "events": 1, "torn": True}, {"kind": "watch-gone", "events": 1}, {"kind": "cut-watch"}):
        # Each is an operator's first: it backs off when watches break again and again, as it should.
        world.restart()
        world.sandbox.fault(service="kubernetes", operation="watch", resource="secrets", times=1, **fault)
        world.sandbox.admin("/kube/drop-connections", {})
        for edit in ("bm8=", "bm9u"):
            world.sandbox.kube("PATCH", f"/api/v1/namespaces/it/secrets/{s.name}", {"data": {"password": edit}}, "application/merge-patch+json")
            s.settle()
        world.sandbox.admin("/faults", method="DELETE")
    world.restart()
    world.sandbox.admin("/kube/compact", {})
    world.sandbox.admin("/kube/drop-connections", {})
    world.sandbox.kube("DELETE", f"/api/v1/namespaces/it/secrets/{s.name}")
    s.settle()


@scenario
def api_servers_stop_for_a_while(world):
    s = Subject(world.sandbox, "it", "outage")
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.admin("/aws/stop", {})
    s.request()
    until("the trouble is told", lambda: s.condition("Ready").get("status") == "False" or any("RotationFailed" == e["reason"] for e in world.sandbox.events("it")) or world.operator.text().count("Connect") > 0)
    world.sandbox.admin("/kube/stop", {})
    world.sandbox.admin("/aws/start", {})
    world.sandbox.admin("/kube/start", {})
    until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()
    s.one_new_version(before)


@scenario
def drift_costs_one_read_by_version(world):
    world.restart()  # watches that broke before are looked after with patience
    s = Subject(world.sandbox, "it", "drift")
    s.settle()
    world.sandbox.forget_calls()
    path = f"/api/v1/namespaces/it/secrets/{s.name}"
    for patch in ({"data": {"password": "bm8="}}, {"data": {"user": None}}, {"metadata": {"labels": {"keyturn.dev/managed": None}}}):
        world.sandbox.forget_calls()
        world.sandbox.kube("PATCH", path, patch, "application/merge-patch+json")
        until("repair", lambda: world.sandbox.kube_secret("it", s.name)["metadata"]["labels"].get("keyturn.dev/managed") == "true" and s.in_sync())
        calls = [c["operation"] for c in world.sandbox.calls("secretsmanager")]
        check(calls == ["GetSecretValue"], f"{patch}: {calls}")
    world.sandbox.forget_calls()
    world.sandbox.kube("PATCH", path, {"metadata": {"labels": {"foreign": "x"}, "annotations": {"other": "y"}}}, "application/merge-patch+json")
    t = Subject(world.sandbox, "it", "drift-after")  # whatever the foreign label led to has happened when this is done
    t.settle()
    check(not [c for c in world.sandbox.calls("secretsmanager") if s.name in c["resource"] and "after" not in c["resource"]], "a foreign label cost an AWS call")


@scenario
def restart_in_sync_reads_and_writes_nothing(world):
    world.sandbox.forget_calls()
    world.restart()
    fresh = Subject(world.sandbox, "it", "after-restart")
    fresh.settle()
    old = [c for c in world.sandbox.calls() if c["operation"] in ("GetSecretValue", "DescribeSecret", "ListSecretVersionIds", "apply", "create", "patch") and "after-restart" not in c["resource"] + c["name"] and c["resource"] not in ("rotationpolicies", "events") and "after-restart" not in str(c)]
    check(not [c for c in old if c["service"] == "secretsmanager" or c["resource"] == "secrets"], f"{old[:5]}")


@scenario
def secrets_that_cannot_work_say_so(world):
    for name, value in {"no-field": json.dumps({"other": MARKER}), "bare": MARKER + "-bare"}.items():
        s = Subject(world.sandbox, "it", f"bad-{name}", value=value)
        s.request()
        until(f"{name} is named", lambda: s.condition("Ready").get("status") == "False" and "/password" in s.condition("Ready")["message"])
    s = Subject(world.sandbox, "it", "bad-managed")
    s.settle()
    world.sandbox.admin("/aws/secrets/it/bad-managed", {"rotationEnabled": True}, "PATCH")
    s.request()
    until("RotationManagedByAWS", lambda: s.condition("Stalled").get("reason") == "RotationManagedByAWS")


@scenario
def typo_in_strategy_is_told_where_the_server_let_it_pass(world):
    """The sandbox does not evaluate every CEL rule: a policy that slips past the server's rules gets the message as a condition."""
    try:
        s = Subject(world.sandbox, "it", "typo", strategy={"generc": {}})
    except ApiError as error:
        check(error.status in (400, 422), f"{error}")
        return "refused by the server"
    until("Stalled names the field", lambda: "spec.strategy" in s.condition("Stalled").get("message", ""))


@scenario
def no_value_leaks(world):
    """Every value of these tests carries a marker, logs are at debug level: nothing but Secrets and Secrets Manager may hold it."""
    for text, where in ((open(world.operator.log).read(), "the log"), (world.operator.metrics(), "metrics"), (json.dumps(world.sandbox.events("it")), "events"),
                        (json.dumps(world.sandbox.kube("GET", "/apis/keyturn.dev/v1alpha1/rotationpolicies")), "policies")):
        check(MARKER not in text, f"a secret value is in {where}")
    secrets = world.sandbox.kube("GET", "/api/v1/namespaces/it/secrets")["items"]
    check(MARKER not in json.dumps([s["metadata"] for s in secrets]), "a secret value is in a Secret's metadata")


@scenario
def ends_cleanly(world):
    check(world.operator.end() == 0, "SIGTERM was not a clean end")
    world.operator = Operator(world.sandbox)


LAST = [no_value_leaks, ends_cleanly]  # they look at everything at the end of each part
# Each part has a sandbox of its own, so that they can run beside each other (CMakeLists.txt names them, too).
PARTS = {
    "core": [run for run in SCENARIOS if run not in LAST],
    "policies": identities.SCENARIOS + deletion.SCENARIOS + bad_input.SCENARIOS + commands.SCENARIOS + behaviour.SCENARIOS + requests.SCENARIOS,
    "secret": secret_commands.SCENARIOS + secret_influxdb.SCENARIOS,
    "credentials": influxdb.SCENARIOS + influxdb_user.SCENARIOS + budgets.SCENARIOS + backends.SCENARIOS,
    "lambda": lambda_form.SCENARIOS,
    "everybody": everybody.SCENARIOS,
    "delegated": delegated.SCENARIOS,
    "astra": astra.SCENARIOS,
    "caches": caches.SCENARIOS,
    "rollouts": rollouts.SCENARIOS,
    "retirement": retirement.SCENARIOS + kinds.SCENARIOS,
    "matrices": crash_matrix.SCENARIOS,
}


class World:
    def restart(self):
        """A new operator: no memory of what broke before, no back-off."""
        self.operator.end()
        self.operator = Operator(self.sandbox)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    arguments.add_argument("--source", required=True)
    arguments.add_argument("--part", choices=PARTS)
    arguments.add_argument("words", nargs="*")
    arguments = arguments.parse_args()
    world = World()
    world.sandbox = Sandbox(arguments.bin, arguments.source)
    world.sandbox.namespace("it")
    world.operator = Operator(world.sandbox)
    passed = failed = 0
    try:
        for run in [run for part in PARTS if arguments.part in (None, part) for run in PARTS[part]] + LAST:
            if arguments.words and not any(word in run.__name__ for word in arguments.words):
                continue
            started = time.monotonic()
            try:
                note = run(world)
                passed += 1
                print(f"ok      {run.__name__} ({time.monotonic() - started:.1f} s){': ' + note if note else ''}", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED  {run.__name__}\n{traceback.format_exc()}\n--- the operator's log ends:\n{''.join(open(world.operator.log).readlines()[-25:])}", flush=True)
                world.sandbox.admin("/faults", method="DELETE")
                if world.operator.process.poll() is not None:
                    world.operator = Operator(world.sandbox)
        world.operator.end()
    finally:
        if world.operator.process.poll() is None:
            world.operator.kill()
        world.sandbox.end()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
