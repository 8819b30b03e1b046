"""spec.strategy names another kind while a rotation or a retirement is under way: the kind that began ends it, with the options that it began with."""
from harness import MARKER, Operator, Subject, check, collection, until
from influxdb import RULES, rotated
from retirement import AT_ONCE, Token, delete_pod, pod

SCENARIOS, scenario = collection()


def change_kind(s, was, **to):
    s.sandbox.patch_policy(s.ns, s.name, {"spec": {"strategy": {was: None, **to}}})


def held(s):
    return "keyturn.dev/rotation" in s.sandbox.policy(s.ns, s.name)["metadata"].get("finalizers", [])


def at_rest(s):
    status, labels = s.status(), s.sandbox.secret(s.id)["labels"]
    left = [k for k in ("rotation", "retiring") if k in status] + [k for k in ("AWSPENDING", "KEYTURN_BATON") if k in labels]
    return not left and not held(s) or check(False, f"left: {left}, held: {held(s)}, {s.condition('Stalled')}")


@scenario
def a_retirement_is_ended_before_the_policy_only_follows(world):
    t = Token(world, "kind-follow")
    s = t.subject
    pod(t.sandbox, "it", "kind-follow-pod", "kind-follow")
    going = t.rotate()
    t.waits_for("Pod it/kind-follow-pod")
    change_kind(s, "influxdbToken", syncOnly={})
    heir = Subject(t.sandbox, "it", "kind-follow-heir", {"influxdbToken": {}}, secret=s.id, targets=[], retirement=AT_ONCE)
    until("the change is seen", lambda: s.status()["observedGeneration"] == s.sandbox.policy("it", s.name)["metadata"]["generation"])
    heir.says("Stalled", "True", "kind-follow", reason="SecretHasAnotherOwner")  # it owns the secret until the end
    t.waits_for("Pod it/kind-follow-pod")
    check(held(s) and s.status()["rotation"]["strategy"] == "influxdbToken", "it let go of what it began")
    before = t.sandbox.secret(s.id)
    s.request()
    delete_pod(t.sandbox, "it", "kind-follow-pod")
    until("the old token is revoked", lambda: t.gone(going), 60)
    until("nothing is under way", lambda: at_rest(s))
    check(t.sandbox.secret(s.id)["labels"]["AWSCURRENT"] == before["labels"]["AWSCURRENT"], "it rotated although it is to follow")
    check(s.event("LeftUnfinished") is None, "it says that it left unfinished work")
    heir.request()  # and now the other one owns the secret, and this one follows
    t.token = rotated(s, before)["token"]
    until("the Secret follows", lambda: t.sandbox.data("it", "kind-follow")["token"] == t.token, 60)
    until("the heir is done", lambda: at_rest(heir), 60)


@scenario
def a_rotation_is_ended_before_the_policy_only_follows(world):
    """The answer to its put is lost, and no later look succeeds: the last sight of the labels shows nothing under way."""
    s = Subject(world.sandbox, "it", "kind-midway")
    s.settle()
    before = world.sandbox.secret(s.id)
    down = dict(service="secretsmanager", kind="error", status=500, code="InternalServiceError")
    world.sandbox.fault(id="put", service="secretsmanager", operation="PutSecretValue", kind="reset-after")
    world.sandbox.fault(id="look", operation="DescribeSecret", skip=1, **down)
    world.sandbox.fault(id="sweep", operation="ListSecrets", **down)
    s.request()
    until("a version is pending", lambda: "AWSPENDING" in world.sandbox.secret(s.id)["labels"] and s.status().get("rotation"))
    looks = lambda: world.sandbox.hits("look")
    until("it looks again", lambda: looks() > 0, 60)
    change_kind(s, "generic", syncOnly={})
    until("the change is seen", lambda: s.status()["observedGeneration"] == s.sandbox.policy("it", s.name)["metadata"]["generation"])
    missed = lambda: sum("secret cannot be looked at" in line and s.name in line for line in world.operator.text().splitlines())
    so_far = missed()  # one more may be of a pass that began before the change
    until("it goes on looking", lambda: missed() > so_far + 1 or not held(s), 60)
    check(held(s) and "rotation" in s.status(), "it let go of what it began")
    world.sandbox.admin("/faults", method="DELETE")
    until("nothing is under way", lambda: at_rest(s), 60)
    s.one_new_version(before)
    s.settle()


@scenario
def what_nothing_tells_of_is_left_and_told(world):
    """The status was wiped as well: a policy that only follows cannot know what began."""
    t = Token(world, "kind-wiped")
    s = t.subject
    pod(t.sandbox, "it", "kind-wiped-pod", "kind-wiped")
    going = t.rotate()
    t.waits_for("Pod it/kind-wiped-pod")
    world.operator.kill()
    change_kind(s, "influxdbToken", syncOnly={})
    t.sandbox.kube("PATCH", "/apis/keyturn.dev/v1alpha1/namespaces/it/rotationpolicies/kind-wiped/status", {"status": {"rotation": None}}, "application/merge-patch+json")
    world.operator = Operator(world.sandbox)
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    baton = t.sandbox.secret(s.id)["labels"]["KEYTURN_BATON"]
    until("it is told", lambda: baton in (s.event("LeftUnfinished") or {"note": ""})["note"])
    until("the policy is let go", lambda: not held(s) and "retiring" not in s.status())
    check(t.sandbox.secret(s.id)["labels"]["KEYTURN_BATON"] == baton and not t.gone(going), "the labels did not stay")
    delete_pod(t.sandbox, "it", "kind-wiped-pod")
    change_kind(s, "syncOnly", influxdbToken={})  # the next policy that rotates finishes the work
    until("the old token is revoked", lambda: t.gone(going), 60)
    until("nothing is under way", lambda: at_rest(s))


@scenario
def another_kind_begins_when_the_first_has_ended_with_its_options(world):
    """Where the server is stood in the policy alone."""
    t = Token(world, "kind-other", only_in_options=True)
    s = t.subject
    pod(t.sandbox, "it", "kind-other-pod", "kind-other")
    going = t.rotate()
    t.waits_for("Pod it/kind-other-pod")
    change_kind(s, "influxdbToken", generic={"fields": [{"pointer": "/note"}]})
    until("the change is seen", lambda: s.status()["observedGeneration"] == s.sandbox.policy("it", s.name)["metadata"]["generation"])
    before = t.sandbox.secret(s.id)
    s.request()
    world.operator.kill()
    world.operator = Operator(world.sandbox)  # which knows of it from the status alone
    world.operator.configure(Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES))
    t.waits_for("Pod it/kind-other-pod")
    delete_pod(t.sandbox, "it", "kind-other-pod")
    until("the old token is revoked", lambda: t.gone(going), 60)
    now = rotated(s, before)  # the request that waited is served by the new kind
    check(now["token"] == t.token and now["note"] != MARKER, "the other kind did not rotate its own field")
    until("nothing is under way", lambda: at_rest(s), 60)
    s.settle()


@scenario
def what_may_not_be_ended_is_left_when_the_policy_only_follows(world):
    """AWS was told to rotate the secret in the middle of a retirement. The refusal advises syncOnly, and that is a way out."""
    t = Token(world, "kind-managed")
    s = t.subject
    pod(t.sandbox, "it", "kind-managed-pod", "kind-managed")
    going = t.rotate()
    t.waits_for("Pod it/kind-managed-pod")
    baton = t.sandbox.secret(s.id)["labels"]["KEYTURN_BATON"]
    t.sandbox.admin(f"/aws/secrets/{s.id}", {"rotationEnabled": True}, "PATCH")
    s.request()
    s.says("Stalled", "True", "syncOnly", reason="RotationManagedByAWS")
    change_kind(s, "influxdbToken", syncOnly={})
    until("it is told", lambda: baton in (s.event("LeftUnfinished") or {"note": ""})["note"])
    until("the policy is let go", lambda: not held(s) and "retiring" not in s.status() and "rotation" not in s.status())
    until("it follows", lambda: (s.condition("Ready") or {}).get("status") == "True")
    check(t.sandbox.secret(s.id)["labels"]["KEYTURN_BATON"] == baton and not t.gone(going), "the labels did not stay")
    delete_pod(t.sandbox, "it", "kind-managed-pod")
