"""What a policy does beyond one rotation: followers, targets' lives, requests and time, secrets that come anew."""
import json, time

from aws import call
from harness import MARKER, ApiError, Subject, check, collection, until

SCENARIOS, scenario = collection()
NEW = json.dumps({"user": MARKER + "-user", "password": MARKER + "-by-hand"})


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def ask(s, text):
    s.sandbox.patch_policy(s.ns, s.name, {"metadata": {"annotations": {"keyturn.dev/rotate-requested-at": text}}})


def current(s):
    return s.sandbox.secret(s.id)["labels"]["AWSCURRENT"]


def metadata(world, name):
    return world.sandbox.kube_secret("it", name)["metadata"]


@scenario
def followers_in_other_namespaces_are_woken_at_once(world):
    world.operator.configure(world.operator.CONFIG.replace("access: [", 'access: [{namespaces: ["reports"], secrets: ["it/followed"]}, '))
    world.sandbox.namespace("reports")
    owner = Subject(world.sandbox, "it", "followed", refreshInterval="24h")
    reader = Subject(world.sandbox, "reports", "orders", {"syncOnly": {}}, secret=owner.id, refreshInterval="24h")
    owner.settle()
    reader.settle()
    before = current(owner)
    owner.request()
    until("a rotation", lambda: current(owner) != before)
    reader.settle(15)
    world.operator.configure(world.operator.CONFIG)


@scenario
def the_previous_value_serves_an_overlap(world):
    s = Subject(world.sandbox, "it", "overlap", targets=[{"name": "overlap", "data": {"NEW": "{{ password }}", "OLD": "{{ previous.password }}"}}])
    before = json.loads(world.sandbox.value_of(s.id))["password"]
    # While there is none the current value stands in: an empty key is one that anybody can guess.
    until("the first is there", lambda: world.sandbox.data("it", "overlap") == {"NEW": before, "OLD": before})
    s.request()
    until("both are there", lambda: world.sandbox.data("it", "overlap") == {"NEW": json.loads(world.sandbox.value_of(s.id))["password"], "OLD": before})


@scenario
def a_change_by_hand_is_followed_and_told(world):
    s = Subject(world.sandbox, "it", "by-hand")
    s.settle()
    before = current(s)
    s.request()
    until("ours is current", lambda: current(s) != before)
    s.settle()
    ours = current(s)
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": NEW, "labels": []}, "PUT")
    s.sync_now()
    s.settle()
    check(world.sandbox.data("it", "by-hand")["password"] == MARKER + "-by-hand", "the Secret does not follow")
    told = until("it is told", lambda: s.event("ChangedOutside"))["note"]
    check(all(words in told for words in (ours, current(s), "no backend to revoke it at", "keyturn rotate by-hand -n it")), told)


@scenario
def an_old_version_put_back_is_no_lag(world):
    """As a restored backup does: what the operator then mends did not wait for it since the rotation."""
    s = Subject(world.sandbox, "it", "put-back")
    s.settle()
    before = metadata(world, "put-back")["annotations"]["keyturn.dev/version-id"]
    s.request()
    until("a rotation", lambda: current(s) != before)
    s.settle()
    count = lambda name: sum(float(line.rsplit(" ", 1)[1]) for line in world.operator.metrics().splitlines() if line.startswith(name))
    lags, syncs = count("keyturn_sync_lag_seconds_count"), count('keyturn_syncs_total{outcome="ok"}')
    check(lags > 0, "the rotation had no lag")
    world.sandbox.kube("PATCH", "/api/v1/namespaces/it/secrets/put-back", {"data": {"password": "b2xk"}, "metadata": {"annotations": {"keyturn.dev/version-id": before}}}, "application/merge-patch+json")
    until("it is mended", lambda: count('keyturn_syncs_total{outcome="ok"}') > syncs and s.in_sync())
    check(count("keyturn_sync_lag_seconds_count") == lags, "what a person put back counts as lag")


@scenario
def a_secret_that_comes_anew_is_followed_with_a_warning(world):
    s = Subject(world.sandbox, "it", "anew")
    s.settle()
    old = s.status()["secretArn"]
    call(world.sandbox, "DeleteSecret", SecretId=s.id, ForceDeleteWithoutRecovery=True)
    until("the name is free", lambda: created_anew(world, s))
    s.sync_now()
    s.settle()
    check(s.status()["secretArn"] != old, "the old ARN stayed")
    check(world.sandbox.data("it", "anew")["password"] == MARKER + "-by-hand", "the Secret holds the old value")
    until("it is told", lambda: old in (s.event("SecretRecreated") or {"note": ""})["note"])


def created_anew(world, s):
    try:
        world.sandbox.admin("/aws/secrets", {"name": s.id, "value": NEW})
        return True
    except OSError:
        return False


@scenario
def requests_by_time(world):
    s = Subject(world.sandbox, "it", "timed")
    s.settle()
    first = current(s)
    ask(s, "2019-01-01T00:00:00Z")
    until("a stale request is put aside", lambda: s.status().get("lastHandledRotateRequest") == "2019-01-01T00:00:00Z")
    ask(s, "soon")
    until("nonsense is told", lambda: "RFC 3339" in (s.event("InvalidRequest") or {"note": ""})["note"])
    check(current(s) == first, "it rotated")
    then = int(time.time()) + 4
    ask(s, at(then))
    until("the time is shown", lambda: s.status().get("nextRotationTime") == at(then))
    check(current(s) == first or time.time() >= then, "it rotated before its time")
    until("it rotates when its time has come", lambda: current(s) != first)
    check(max(v["createdDate"] for v in world.sandbox.secret(s.id)["versions"]) >= then, "it rotated before its time")
    until("it is handled", lambda: s.status().get("lastHandledRotateRequest") == at(then))
    check(s.status()["history"][0]["trigger"] == "request", "the history names another trigger")


@scenario
def a_target_goes_with_its_policy_only_if_it_says_so(world):
    s = Subject(world.sandbox, "it", "life", targets=[{"name": "life-kept"}, {"name": "life-gone", "deletionPolicy": "Delete"}, {"name": "life-changed", "deletionPolicy": "Delete"}])
    until("all are written", lambda: all(world.sandbox.kube_secret("it", n) for n in ("life-kept", "life-gone", "life-changed")))
    uid = world.sandbox.policy("it", "life")["metadata"]["uid"]
    check([o["uid"] for o in metadata(world, "life-gone")["ownerReferences"]] == [uid] and "ownerReferences" not in metadata(world, "life-kept"), "owner references")
    world.sandbox.patch_policy("it", "life", {"spec": {"targets": [{"name": "life-kept"}, {"name": "life-gone", "deletionPolicy": "Delete"}, {"name": "life-changed"}]}})
    until("the owner reference is taken back", lambda: "ownerReferences" not in metadata(world, "life-changed"))
    s.delete()
    until("one is collected", lambda: world.sandbox.kube_secret("it", "life-gone") is None)
    check(all(world.sandbox.kube_secret("it", n) for n in ("life-kept", "life-changed")), "a Secret that was to stay is gone")


@scenario
def a_type_changes_only_on_what_keyturn_made(world):
    data = {"username": "{{ user }}", "password": "{{ password }}"}
    ours = Subject(world.sandbox, "it", "typed", targets=[{"name": "typed", "data": data}])
    until("it is written", lambda: world.sandbox.kube_secret("it", "typed"))
    before = metadata(world, "typed")["uid"]
    world.sandbox.patch_policy("it", "typed", {"spec": {"targets": [{"name": "typed", "type": "kubernetes.io/basic-auth", "data": data}]}})
    until("it is made anew", lambda: (world.sandbox.kube_secret("it", "typed") or {}).get("type") == "kubernetes.io/basic-auth")
    check(metadata(world, "typed")["uid"] != before and ours.id, "the uid stayed")
    world.sandbox.kube("POST", "/api/v1/namespaces/it/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "typed-theirs"}, "data": {"more": "dGhlaXJz"}})
    theirs = Subject(world.sandbox, "it", "typed-theirs", targets=[{"name": "typed-theirs", "adopt": True, "type": "kubernetes.io/basic-auth", "data": data}])
    theirs.says("Synced", "False", "it/typed-theirs", "not made by Keyturn", reason="TargetTypeDiffers")
    check(world.sandbox.data("it", "typed-theirs") == {"more": "theirs"}, "somebody else's Secret was touched")


@scenario
def what_cannot_change_is_refused(world):
    s = Subject(world.sandbox, "it", "fixed")
    s.settle()
    for change in ({"secretId": "it/other"}, {"region": "us-east-1"}, {"refreshInterval": "10s"}, {"targets": [{"name": "x", "type": "kubernetes.io/service-account-token"}]},
                   {"targets": [{"name": f"t{n}"} for n in range(17)]}, {"targets": [{"name": "x", "metadata": {"labels": {"keyturn.dev/managed": "no"}}}]}):
        try:
            world.sandbox.patch_policy("it", "fixed", {"spec": change})
        except ApiError as refused:
            check(refused.status == 422 and next(iter(change)) in str(refused), f"{change}: {refused}")
        else:
            raise AssertionError(f"the server took {change}")


@scenario
def every_field_of_the_status_is_written(world):
    s = Subject(world.sandbox, "it", "told", schedule={"expression": "rate(30 days)"})
    s.settle()
    before = current(s)
    s.request()
    until("a rotation", lambda: current(s) != before)
    s.sync_now()
    s.settle()
    status, secret = s.status(), world.sandbox.secret(s.id)
    version = next(v for v in secret["versions"] if v["id"] == current(s))
    check(status["observedGeneration"] == 1 and status["strategy"] == "generic" and status["secretArn"] == secret["arn"], f"{status}")
    check(status["currentVersionId"] == version["id"] and status["currentVersionCreatedAt"] == at(version["createdDate"]), f"{status}")
    check(status["nextRotationTime"] > at(time.time() + 29 * 86400) and status["lastRotationTime"] >= at(version["createdDate"] - 1), f"{status}")
    check({c["type"]: c["status"] for c in status["conditions"]} == {"Ready": "True", "RolledOut": "True", "Synced": "True"}, f"{status['conditions']}")
    check(status["history"] == [{"versionId": version["id"], "startedAt": status["history"][0]["startedAt"], "finishedAt": status["lastRotationTime"], "outcome": "Succeeded", "trigger": "request"}], f"{status['history']}")
    check([(t["name"], t["versionId"]) for t in status["targets"]] == [("told", version["id"])] and status["targets"][0]["syncedAt"], f"{status['targets']}")
    check("rotation" not in status and "retiring" not in status, "it shows what is over")
    check(status["lastHandledRotateRequest"] and status["lastHandledSyncRequest"], "requests are not told as handled")
