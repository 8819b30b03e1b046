"""The retirement gate: the old credential is revoked when nobody can hold it any more, and not before."""
import json, time

from aws import call
from commands import ended, foreign_pending, run
from harness import MARKER, Operator, Subject, check, collection, until
from influxdb import RULES, Influx, rotated
from rollouts import Load, reading, rolled_out

SCENARIOS, scenario = collection()
AT_ONCE = {"gracePeriod": "0s"}  # nothing but readers is waited for


class Token:
    """A token in a secret, its policy, and what the server says of the tokens."""

    def __init__(self, world, name, only_in_options=False, **spec):
        world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
        self.world, self.sandbox = world, world.sandbox
        self.influx = Influx(world, name, "2.7")
        old = self.influx.token(self.influx.user("reader"), type="allAccess")
        value = self.influx.secret("custom", old["token"], adminSecretArn=self.influx.admin_arn, note=MARKER)
        options = {"dbIdentifier": value.pop("dbIdentifier")} if only_in_options else {}
        self.subject = Subject(world.sandbox, "it", name, {"influxdbToken": options}, json.dumps(value), **{"retirement": AT_ONCE, **spec})
        self.subject.settle()
        self.token, self.id = old["token"], old["id"]

    def rotate(self):
        """Returns the id of the token that is to go."""
        before, going = self.sandbox.secret(self.subject.id), self.id
        self.subject.request()
        new = rotated(self.subject, before)
        self.token, self.id = new["token"], new["authorizationId"]
        return going

    def gone(self, token_id):
        return token_id not in self.influx.truth()

    def waits_for(self, *words):
        def told():
            waiting = self.subject.status().get("retiring", {}).get("waitingFor", "")
            return all(word in waiting for word in words) or check(False, f"waits for: {waiting!r}")
        until(f"the retirement names {words}", told)


def pod(sandbox, ns, name, secret, way="env"):
    sandbox.kube("POST", f"/api/v1/namespaces/{ns}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": reading(secret, way)})
    until(f"pod {name} runs", lambda: sandbox.kube("GET", f"/api/v1/namespaces/{ns}/pods/{name}").get("status", {}).get("containerStatuses"))


def delete_pod(sandbox, ns, name):
    sandbox.kube("DELETE", f"/api/v1/namespaces/{ns}/pods/{name}")


def ask(s, *annotations):
    created = max(v["createdDate"] for v in s.sandbox.secret(s.id)["versions"])
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(time.time(), created + 1)))
    s.sandbox.patch_policy(s.ns, s.name, {"metadata": {"annotations": {f"keyturn.dev/{a}-requested-at": at for a in annotations}}})
    return at


@scenario
def nobody_is_revoked_while_in_use(world):
    """A bare pod that read the old token keeps it alive, by name; when it is gone, so is the token."""
    t = Token(world, "gate-pod")
    for way in ("env", "subPath", "volume"):
        pod(t.sandbox, "it", f"gate-{way.lower()}", "gate-pod", way)
    going = t.rotate()
    t.waits_for("Pod it/gate-env (app: env)", "Pod it/gate-subpath (app: subPath)", "Pod it/gate-volume (app: volume)")
    check(not t.gone(going) and t.influx.truth()[going]["status"] == "active", "the old token was touched while pods hold it")
    ended(run(world, "plan", "gate-pod", "-n", "it", "--config", world.operator.config), 0, "WaitGate (WaitingForReaders)", "Pod it/gate-env (app: env)")
    status = t.subject.status()
    check(status["rotation"]["step"] == "retire" and status["retiring"]["versionId"] == t.sandbox.secret(t.subject.id)["labels"]["KEYTURN_BATON"], f"{status}")
    check('keyturn_policy_retiring_since_timestamp_seconds{namespace="it",policy="gate-pod"}' in world.operator.metrics(), "no metric")
    policy = t.sandbox.policy("it", "gate-pod")
    check("keyturn.dev/rotation" in policy["metadata"].get("finalizers", []), "nothing holds the policy")
    # While it waits no new rotation starts.
    versions = lambda: [v["id"] for v in t.sandbox.secret(t.subject.id)["versions"]]
    before = versions()
    t.subject.request()
    until("the request is seen", lambda: t.subject.event("RotationDeferred") or versions() != before)
    check(versions() == before, f"a rotation started while readers are waited for: {before} became {versions()}")
    for name in ("gate-env", "gate-subpath"):
        delete_pod(t.sandbox, "it", name)
    t.waits_for("Pod it/gate-volume")
    check(not t.gone(going), "one pod still holds it")
    check(versions() == before, f"a rotation started while readers are waited for: {before} became {versions()}")
    # The operator dies and comes back: what it knows is in the cluster.
    world.operator.kill()
    world.operator = Operator(world.sandbox)
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    pod(t.sandbox, "it", "gate-new", "gate-pod")  # reads the new token
    t.waits_for("Pod it/gate-volume")
    check(not t.gone(going), "the operator's start revoked it")
    check(versions() == before, f"the operator's start began a rotation: {before} became {versions()}")
    delete_pod(t.sandbox, "it", "gate-volume")
    until("the old token is revoked", lambda: t.gone(going), 60)
    until("the request that waited is served", lambda: len(versions()) > len(before), 60)
    t.influx.says_nothing(world)


@scenario
def what_stalled_it_before_is_not_told_while_a_retirement_waits(world):
    world.operator.read_rules(RULES)
    t = Token(world, "gate-unstalled", retirement={"gracePeriod": "2h"})
    s = t.subject
    foreign = foreign_pending(world, s)
    before = t.sandbox.secret(s.id)
    s.request()
    s.says("Stalled", "True", foreign, reason="ForeignPending")
    ended(run(world, "secret", "discard-pending", foreign, s.id), 0)
    s.sync_now()
    rotated(s, before)
    until("the old token waits", lambda: s.status().get("retiring"))
    check(not s.condition("Stalled") and s.condition("Ready")["status"] == "True", f"{s.status()['conditions']}")


@scenario
def a_change_by_hand_tells_what_becomes_of_our_token(world):
    world.operator.read_rules(RULES)
    t = Token(world, "gate-by-hand")
    s = t.subject
    t.rotate()
    until("it is at rest", lambda: "rotation" not in s.status())
    theirs = t.influx.token(t.influx.user("by-hand"), type="allAccess")
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps(t.influx.secret("custom", theirs["token"], adminSecretArn=t.influx.admin_arn)), "labels": []}, "PUT")
    s.sync_now()
    told = until("it is told", lambda: s.event("ChangedOutside"))["note"]
    check(all(words in told for words in ("still valid", "revokes it", "keyturn rotate gate-by-hand -n it")), told)
    check(t.influx.truth()[t.id]["status"] == "active", "our token is not valid")


@scenario
def restarted_workloads_let_the_old_one_go(world):
    t = Token(world, "gate-load", rollout={"restart": "Auto"})
    loads = [Load(t.sandbox, "it", f"gate-{kind.lower()}", reading("gate-load", "env"), kind) for kind in ("Deployment", "StatefulSet")]
    going = t.rotate()
    until("the old token is revoked", lambda: t.gone(going), 60)
    check(all(load.restarts() == 1 for load in loads), "revoked before the workloads were restarted")
    rolled_out(t.subject, t.sandbox.secret(t.subject.id)["labels"]["AWSCURRENT"])
    labels = t.sandbox.secret(t.subject.id)["labels"]
    told = until("the event", lambda: t.subject.event("Retired"))["note"]
    check(told.startswith(f"version {labels['AWSCURRENT'][:8]} is AWSCURRENT since ") and told.endswith(f"; the credential of version {labels['AWSPREVIOUS'][:8]} is revoked"), told)
    check(t.subject.event("Rotated") is None, "one rotation, two events")
    check("keyturn.dev/rotation" not in t.sandbox.policy("it", "gate-load")["metadata"].get("finalizers", []), "the policy is still held")


@scenario
def workloads_that_somebody_else_replaces_let_the_old_one_go(world):
    """A paused Deployment and one with OnDelete hold the roll-out back; when their pods are replaced the old token goes, though they stay as they are."""
    t = Token(world, "gate-odd", rollout={"restart": "Auto"})
    paused = Load(t.sandbox, "it", "gate-odd-paused", reading("gate-odd", "env"), paused=True, replicas=1)
    load = Load(t.sandbox, "it", "gate-odd-load", reading("gate-odd", "env"), "StatefulSet", replicas=1, updateStrategy={"type": "OnDelete"})
    until("the pods run", lambda: all(p.get("status", {}).get("containerStatuses") for p in load.pods()) and load.pods())
    going = t.rotate()
    t.waits_for("gate-odd-load")
    t.subject.says("RolledOut", "False", "is paused", "OnDelete", reason="HeldBack")
    check(not t.gone(going), "revoked while pods hold it")
    for held in load.pods() + paused.pods():
        delete_pod(t.sandbox, "it", held["metadata"]["name"])
    until("the old token is revoked", lambda: t.gone(going), 60)
    t.subject.says("RolledOut", "False", "OnDelete", reason="HeldBack")


@scenario
def after_sync_a_roll_out_that_never_comes_up_is_not_waited_for(world):
    t = Token(world, "gate-stuck", rollout={"restart": "Auto"}, retirement={"after": "Sync", "gracePeriod": "0s"})
    load = Load(t.sandbox, "it", "gate-stuck-load", reading("gate-stuck", "env"))
    t.sandbox.admin("/kube/rollouts", {"automatic": False})
    try:
        going = t.rotate()
        until("the old token is revoked", lambda: t.gone(going), 60)
        check(load.restarts() == 1, "the workload was not told to restart")
        t.subject.says("RolledOut", "False")
    finally:
        t.sandbox.admin("/kube/rollouts", {"automatic": True})
    load.patch({"metadata": {"labels": {"touched": "yes"}}})  # the controller works again
    t.subject.says("RolledOut", "True")


@scenario
def after_sync_and_after_nothing_a_roll_out_that_fails_is_not_waited_for(world):
    """The API server refuses the list of workloads for good: the old token goes all the same, and what cannot be told is told once it can be."""
    for after in ("Sync", "Immediately"):
        name = f"gate-refused-{after.lower()}"
        t = Token(world, name, rollout={"restart": "Auto"}, retirement={"after": after, "gracePeriod": "0s"})
        load = Load(t.sandbox, "it", f"{name}-load", reading(name, "env"))
        t.sandbox.fault(service="kubernetes", operation="list", resource="deployments", kind="error", status=403)
        try:
            going = t.rotate()
            t.subject.says("RolledOut", "False", reason="RolloutFailed")
            until(f"the old token is revoked after {after}", lambda: t.gone(going), 60)
            check(load.restarts() == 0, "the list was not refused")
            t.subject.says("RolledOut", "False", reason="RolloutFailed")
        finally:
            t.sandbox.admin("/faults", method="DELETE")
        t.subject.says("RolledOut", "True", limit=60)
        check(load.restarts() == 1, "the workload was never told")


@scenario
def who_is_waited_for_long_is_told_in_an_event(world):
    """The event StillHeld: after ten minutes, by the time in the status, and not before."""
    t = Token(world, "gate-long")
    for name in ("gate-long-pod", "gate-long-8", "gate-long-11"):
        pod(t.sandbox, "it", name, "gate-long")
    going = t.rotate()
    t.waits_for("Pod it/gate-long-pod", "Pod it/gate-long-8", "Pod it/gate-long-11")
    path = "/apis/keyturn.dev/v1alpha1/namespaces/it/rotationpolicies/gate-long"

    def begun(minutes):
        """The wait began that long ago. A pod that goes and is not named any more shows that the operator has looked since."""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * minutes))
        t.sandbox.kube("PATCH", f"{path}/status", {"status": {"retiring": {"since": since}}}, "application/merge-patch+json")
        delete_pod(t.sandbox, "it", f"gate-long-{minutes}")
        until("the operator has looked", lambda: f"gate-long-{minutes} " not in t.subject.status()["retiring"]["waitingFor"])
        check(t.subject.status()["retiring"]["since"] == since, "the wait began anew")

    begun(8)
    check(not t.subject.event("StillHeld"), "told before ten minutes are over")
    begun(11)
    until("it is told", lambda: t.subject.event("StillHeld"))
    note = t.subject.event("StillHeld")["note"]
    check("Pod it/gate-long-pod (app: env)" in note and "kubectl keyturn revoke gate-long -n it --yes" in note, note)
    check(not t.gone(going), "the old token is gone")


@scenario
def the_grace_period_is_waited_for(world):
    t = Token(world, "gate-grace", retirement={"gracePeriod": "1h"})
    going = t.rotate()
    until("the grace period runs", lambda: t.subject.status().get("retiring", {}).get("earliest"))
    check(not t.subject.status()["retiring"].get("waitingFor"), "it waits for somebody")
    check(not t.gone(going), "revoked within the grace period")
    ended(run(world, "plan", "gate-grace", "-n", "it", "--config", world.operator.config), 0, "kept until its grace period is over", t.subject.status()["retiring"]["earliest"])
    # A shorter one counts from the same beginning; nothing else is asked for.
    t.sandbox.patch_policy("it", "gate-grace", {"spec": {"retirement": {"gracePeriod": "1s"}}})
    until("the old token is revoked", lambda: t.gone(going), 60)
    until("nothing retires", lambda: "retiring" not in t.subject.status() and "rotation" not in t.subject.status())


@scenario
def followers_in_other_namespaces_keep_it_alive(world):
    rules = RULES.replace("access: [", 'access: [{namespaces: ["gate-far"], secrets: ["it/gate-*"]}, ')
    world.sandbox.namespace("gate-far")
    t = Token(world, "gate-led")
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], rules))
    follower = Subject(t.sandbox, "gate-far", "reader", {"syncOnly": {}}, secret=t.subject.id)
    follower.settle()
    pod(t.sandbox, "gate-far", "far-pod", "reader")
    going = t.rotate()
    t.waits_for("Pod gate-far/far-pod (app: env)")
    check(not t.gone(going), "a follower's pod lost its token")
    ended(run(world, "status", "gate-led", "-n", "it"), 0, "followers RotationPolicy gate-far/reader: synced")
    delete_pod(t.sandbox, "gate-far", "far-pod")
    until("the old token is revoked", lambda: t.gone(going), 60)
    # A follower that cannot write its Secret any more is waited for, by name; one that may not follow is not.
    t.sandbox.kube("DELETE", "/api/v1/namespaces/gate-far/secrets/reader")
    t.sandbox.fault(service="kubernetes", operation="apply", resource="secrets", namespace="gate-far", kind="error", status=500)
    going = t.rotate()
    t.waits_for("RotationPolicy gate-far/reader (Secret reader is not synced)")
    check(not t.gone(going), "revoked although a follower is behind")
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    until("the denied follower blocks nobody", lambda: t.gone(going), 60)
    t.sandbox.admin("/faults", method="DELETE")


@scenario
def after_sync_and_after_nothing_pods_are_not_waited_for(world):
    for after in ("Sync", "Immediately"):
        t = Token(world, f"gate-{after.lower()}", retirement={"after": after, "gracePeriod": "0s"})
        pod(t.sandbox, "it", f"gate-{after.lower()}-pod", t.subject.name)
        going = t.rotate()
        until(f"the old token is revoked after {after}", lambda: t.gone(going), 60)


@scenario
def a_persons_word_ends_a_waiting_retirement(world):
    t = Token(world, "gate-word", retirement={"gracePeriod": "1h"})
    pod(t.sandbox, "it", "gate-word-pod", "gate-word")
    going = t.rotate()
    t.waits_for("Pod it/gate-word-pod")
    at = ask(t.subject, "revoke")
    until("the old token is revoked", lambda: t.gone(going), 60)
    until("the request is noted", lambda: t.subject.status().get("lastHandledRevokeRequest") == at)
    # It counts once: the next retirement waits again.
    going = t.rotate()
    t.waits_for("Pod it/gate-word-pod")
    check(not t.gone(going), "an old request revoked a new retirement's token")


@scenario
def the_leak_drill(world):
    """rotate --revoke-now: a waiting retirement ends first; then rotate, sync, roll out, revoke with no grace."""
    t = Token(world, "gate-drill", rollout={"restart": "Auto"}, retirement={"gracePeriod": "1h"})
    load = Load(t.sandbox, "it", "gate-drill-load", reading("gate-drill", "env"))
    first = t.rotate()
    until("the first retirement waits", lambda: t.subject.status().get("retiring", {}).get("earliest"))
    leaked, before = t.id, t.sandbox.secret(t.subject.id)
    at = ask(t.subject, "rotate", "revoke")
    rotated(t.subject, before)
    until("both old tokens are revoked", lambda: t.gone(first) and t.gone(leaked), 60)
    check(load.restarts() == 2, f"the workload was restarted {load.restarts()} times, not for each version")
    until("the request is noted", lambda: t.subject.status().get("lastHandledRevokeRequest") == at)


@scenario
def a_leaked_token_does_not_come_back_by_itself(world):
    """onFailure: Rollback is not for a leak drill: its roll-out is held, and a person decides."""
    t = Token(world, "gate-leaked", rollout={"restart": "Auto", "timeout": "2s", "onFailure": "Rollback"}, retirement={"gracePeriod": "1h"})
    load = Load(t.sandbox, "it", "gate-leaked-load", reading("gate-leaked", "env"))
    leaked, before = t.id, t.sandbox.secret(t.subject.id)
    t.sandbox.admin("/kube/rollouts", {"automatic": False})
    try:
        ask(t.subject, "rotate", "revoke")
        t.subject.says("RolledOut", "False", reason="RolloutTimedOut")
        ask(t.subject, "revoke")
        until("the leaked token is revoked", lambda: t.gone(leaked), 60)
    finally:
        t.sandbox.admin("/kube/rollouts", {"automatic": True})
    t.subject.one_new_version(before)
    load.patch({"metadata": {"labels": {"touched": "yes"}}})


@scenario
def a_leak_drill_waits_for_followers_in_other_namespaces(world):
    """Their Secrets hold the new token and their workloads are restarted before the old one is touched; one that cannot roll out is named and not waited for."""
    rules = RULES.replace("access: [", 'access: [{namespaces: ["drill-far"], secrets: ["it/gate-*"]}, ')
    world.sandbox.namespace("drill-far")
    t = Token(world, "gate-leak", retirement={"gracePeriod": "1h"})
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], rules))
    follower = Subject(t.sandbox, "drill-far", "reader", {"syncOnly": {}}, secret=t.subject.id, rollout={"restart": "Auto"})
    follower.settle()
    load = Load(t.sandbox, "drill-far", "drill-load", reading("reader", "env"))
    pod(t.sandbox, "drill-far", "drill-pod", "reader")  # nobody restarts it: a drill does not wait for it

    def drill():
        leaked, before = t.id, t.sandbox.secret(t.subject.id)
        ask(t.subject, "rotate", "revoke")
        until("a new token", lambda: t.sandbox.secret(t.subject.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        new = json.loads(t.sandbox.value_of(t.subject.id))
        t.id = new["authorizationId"]
        return leaked, new["token"]

    load.patch({"spec": {"paused": True}})
    leaked, new = drill()
    until("the old token is revoked", lambda: t.gone(leaked), 60)
    check(t.sandbox.data("drill-far", "reader")["token"] == new, "revoked before the follower had the new token")
    until("the follower is named", lambda: "not waited for: RotationPolicy drill-far/reader (Secret reader is not rolled out: HeldBack)" in (t.subject.event("Retired") or {}).get("note", ""))
    until("the drill is over", lambda: "retiring" not in t.subject.status() and "rotation" not in t.subject.status())
    load.patch({"spec": {"paused": False}})
    t.sandbox.fault(service="kubernetes", operation="apply", resource="secrets", namespace="drill-far", kind="error", status=500)
    leaked, new = drill()
    t.waits_for("RotationPolicy drill-far/reader (Secret reader is not synced)")
    check(t.influx.truth()[leaked]["status"] == "active", "the old token was touched before the follower had the new one")
    t.sandbox.admin("/faults", method="DELETE")
    until("the old token is revoked", lambda: t.gone(leaked), 60)
    check(t.sandbox.data("drill-far", "reader")["token"] == new, "revoked before the follower had the new token")
    check(load.mark("reader") == t.sandbox.secret(t.subject.id)["labels"]["AWSCURRENT"], "revoked before the follower restarted its workload")


@scenario
def a_rolled_back_token_lives_and_the_new_one_goes(world):
    t = Token(world, "gate-back", rollout={"restart": "Auto"}, retirement={"gracePeriod": "1h"})
    Load(t.sandbox, "it", "gate-back-load", reading("gate-back", "env"))
    good = t.token
    old = t.rotate()
    until("the grace period runs", lambda: t.subject.status().get("retiring", {}).get("earliest"))
    failed = t.id
    t.sandbox.patch_policy("it", "gate-back", {"spec": {"retirement": {"gracePeriod": "0s"}, "suspend": True}, "metadata": {"annotations": {
        "keyturn.dev/rollback-requested-at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(time.time(), max(v["createdDate"] for v in t.sandbox.secret(t.subject.id)["versions"]) + 1)))}}})
    until("the old token is current again", lambda: json.loads(t.sandbox.value_of(t.subject.id))["token"] == good, 60)
    until("the token that failed is revoked", lambda: t.gone(failed), 60)
    check(not t.gone(old) and t.influx.works(good), "the token that was brought back is gone")
    t.subject.settle()


@scenario
def a_retirement_that_lost_its_label_is_waited_for_in_sight(world):
    """Somebody takes KEYTURN_BATON away: the next rotation waits for the readers, tells so, and a person can end it."""
    t = Token(world, "gate-lost")
    pod(t.sandbox, "it", "gate-lost-pod", "gate-lost")
    going = t.rotate()
    t.waits_for("Pod it/gate-lost-pod")
    labels = t.sandbox.secret(t.subject.id)["labels"]
    call(t.sandbox, "UpdateSecretVersionStage", SecretId=t.subject.id, VersionStage="KEYTURN_BATON", RemoveFromVersionId=labels["KEYTURN_BATON"])
    until("nothing retires", lambda: "retiring" not in t.subject.status() and "rotation" not in t.subject.status())
    before = t.sandbox.secret(t.subject.id)
    t.subject.request()
    t.waits_for("Pod it/gate-lost-pod (app: env)")
    check(t.subject.status()["retiring"]["versionId"] == labels["KEYTURN_BATON"] and not t.gone(going), f"{t.subject.status()}")
    check('keyturn_policy_retiring_since_timestamp_seconds{namespace="it",policy="gate-lost"}' in world.operator.metrics(), "no metric")
    ask(t.subject, "revoke")
    new = rotated(t.subject, before)
    check(t.gone(going) and new["authorizationId"] != t.id, "a rotation began beside a token that may be in use")


@scenario
def what_only_a_person_can_give_back_is_told_until_it_works(world):
    """Without an administrator the secret's tokens look after each other. A person sets both inactive, and puts the old version back into use."""
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    influx = Influx(world, "gate-lone", "2.7")
    old = influx.token(influx.about["userID"], type="operator")
    s = Subject(world.sandbox, "it", "gate-lone", {"influxdbToken": {}}, json.dumps(influx.secret("operator", old["token"])), retirement={"after": "Sync", "gracePeriod": "1h"})
    s.settle()
    before = world.sandbox.secret(s.id)
    s.request()
    new = rotated(s, before)
    until("the grace period runs", lambda: s.status().get("retiring", {}).get("earliest"))
    tokens = {i: f"/influx/instances/{influx.name}/authorizations/{i}" for i in (old["id"], new["authorizationId"])}
    for token in tokens.values():
        world.sandbox.admin(token, {"status": "inactive"}, "PATCH")
    was = before["labels"]["AWSCURRENT"]
    call(world.sandbox, "UpdateSecretVersionStage", SecretId=s.id, VersionStage="AWSCURRENT", MoveToVersionId=was, RemoveFromVersionId=world.sandbox.secret(s.id)["labels"]["AWSCURRENT"])
    s.sync_now()
    s.says("Stalled", "True", was, "influx auth active", reason="CredentialInactive")
    check(world.sandbox.secret(s.id)["labels"].get("KEYTURN_BATON") == was, "it was told only after the quiet wait")
    until("the event", lambda: (s.event("CredentialInactive") or {}).get("type") == "Warning")
    until("the baton is released", lambda: "KEYTURN_BATON" not in world.sandbox.secret(s.id)["labels"], 60)
    until("nothing is under way", lambda: "rotation" not in s.status() and "retiring" not in s.status())
    ended(run(world, "status", "gate-lone", "-n", "it"), 0, "Stalled: CredentialInactive", "stalled (CredentialInactive)", "influx auth active")
    # Another spec and a while without AWS do not hide it.
    generation = world.sandbox.patch_policy("it", s.name, {"spec": {"suspend": True}})["metadata"]["generation"]
    until("the spec is seen", lambda: s.status()["observedGeneration"] == generation)
    world.sandbox.fault(id="away", service="secretsmanager", operation="DescribeSecret", resource=f"**{s.id}**", kind="error", status=500, code="InternalServiceError", message="not now")
    world.sandbox.patch_policy("it", s.name, {"metadata": {"annotations": {"keyturn.dev/sync-requested-at": "2026-01-01T00:00:01Z"}}})
    until("it cannot be looked at", lambda: s.condition("Reconciling").get("status") == "True")
    world.sandbox.admin("/faults/away", method="DELETE")
    until("it can be looked at again", lambda: not s.condition("Reconciling"), 90)
    s.says("Stalled", "True", was, reason="CredentialInactive")
    check(s.condition("Ready")["reason"] == "CredentialInactive", f"{s.condition('Ready')}")
    world.sandbox.admin(tokens[old["id"]], {"status": "active"}, "PATCH")
    s.sync_now()
    s.says("Ready", "True", limit=90)


@scenario
def what_a_crash_left_inactive_is_given_back_while_readers_are_waited_for(world):
    """The operator dies when it has set the old token inactive; the next one cannot see who holds it."""
    t = Token(world, "gate-again")
    world.sandbox.fault(id="kill", service="influxdb", namespace=t.influx.name, operation="update", kind="hold-reply", times=1)
    going = t.rotate()
    until("the old token is inactive", lambda: t.influx.truth()[going]["status"] == "inactive", 60)
    world.operator.kill()
    world.sandbox.admin("/faults", method="DELETE")
    world.sandbox.fault(id="pods", service="kubernetes", operation="list", resource="pods", kind="error", status=500)
    world.operator = Operator(world.sandbox)
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    t.waits_for("a look at")
    until("the old token works again", lambda: t.influx.truth()[going]["status"] == "active")
    check("KEYTURN_BATON" in t.sandbox.secret(t.subject.id)["labels"], "the retirement was forgotten")
    world.sandbox.admin("/faults", method="DELETE")
    until("the old token is revoked", lambda: t.gone(going), 60)
    t.subject.settle()
