"""A policy is deleted while its rotation is under way: finished first where that can be, let go at once where it cannot, never holding a namespace up."""
import json

from harness import ApiError, Subject, check, collection, until

SCENARIOS, scenario = collection()

POLICIES = "/apis/keyturn.dev/v1alpha1/namespaces/{}/rotationpolicies"
ALL = [{"effect": "Allow", "actions": ["**"], "resources": ["**"]}]


def gone(world, s):
    try:
        world.sandbox.policy(s.ns, s.name)
        return False
    except ApiError as error:
        return error.status == 404


def under_way(world, s):
    """A rotation that has put its version and cannot move the label yet, held by the finalizer."""
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.fault(id=s.name, service="secretsmanager", operation="UpdateSecretVersionStage", kind="error", status=500, code="InternalServiceError")
    s.request()
    until("a version is pending", lambda: "AWSPENDING" in world.sandbox.secret(s.id)["labels"] and s.status().get("rotation"))
    check("keyturn.dev/rotation" in world.sandbox.policy(s.ns, s.name)["metadata"]["finalizers"], "no finalizer holds it")
    return before


@scenario
def a_deleted_policy_finishes_its_rotation(world):
    s = Subject(world.sandbox, "it", "leaving")
    before = under_way(world, s)
    s.delete()
    check(not gone(world, s), "it went although its rotation is under way")
    world.sandbox.admin("/faults", method="DELETE")
    until("it is gone", lambda: gone(world, s))
    s.one_new_version(before)
    until("the Secret holds what is current", lambda: world.sandbox.data("it", "leaving") == json.loads(world.sandbox.value_of(s.id)))
    check(s.event("LeftUnfinished") is None, "it says that it left unfinished work")


@scenario
def a_deleted_policy_does_not_wait_for_what_cannot_be(world):
    s = Subject(world.sandbox, "it", "refused")
    under_way(world, s)
    world.sandbox.admin("/aws/rules", {"rules": ALL + [{"effect": "Deny", "actions": ["**"], "resources": ["it/refused", "arn:**:it/refused-*"]}]})
    version = s.status()["rotation"]["versionId"]
    s.delete()
    until("it is gone", lambda: gone(world, s))
    world.sandbox.admin("/aws/rules", {"rules": ALL})
    world.sandbox.admin("/faults", method="DELETE")
    until("what is left is told", lambda: version in (s.event("LeftUnfinished") or {"note": ""})["note"])
    check(world.sandbox.secret(s.id)["labels"]["AWSPENDING"] == version, "the labels did not stay")
    # The next policy for the secret finishes the work.
    heir = Subject(world.sandbox, "it", "refused-heir", secret=s.id)
    until("the heir finished it", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] == version)
    heir.settle()


@scenario
def an_outage_of_aws_is_waited_for(world):
    s = Subject(world.sandbox, "it", "patient")
    before = under_way(world, s)
    world.sandbox.fault(service="secretsmanager", kind="error", status=503, code="ServiceUnavailable")
    s.delete()
    world.restart()  # which knows nothing of the secret yet
    until("the outage is noticed", lambda: "a sweep over Secrets Manager failed" in world.operator.text())
    check(not gone(world, s), "it went without having finished")
    world.sandbox.admin("/faults", method="DELETE")
    until("it is gone", lambda: gone(world, s), 90)
    s.one_new_version(before)


@scenario
def a_namespace_that_goes_is_not_held_up(world):
    world.sandbox.namespace("going")
    s = Subject(world.sandbox, "going", "held")
    under_way(world, s)
    world.sandbox.kube("DELETE", "/api/v1/namespaces/going")
    until("the namespace is gone", lambda: "going" not in [n["metadata"]["name"] for n in world.sandbox.kube("GET", "/api/v1/namespaces")["items"]])
    world.sandbox.admin("/faults", method="DELETE")


@scenario
def a_namespace_goes_although_the_identity_went_first(world):
    world.sandbox.namespace("orphan")
    world.sandbox.kube("POST", "/api/v1/namespaces/orphan/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "rotator", "annotations": {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/orphan", "keyturn.dev/rotation-identity": "true"}}})
    world.sandbox.admin("/aws/roles", {"arn": "arn:aws:iam::123456789012:role/orphan", "subjects": ["system:serviceaccount:orphan:rotator"], "rules": ALL})
    s = Subject(world.sandbox, "orphan", "held", identity={"serviceAccountName": "rotator"})
    under_way(world, s)
    world.sandbox.kube("DELETE", "/api/v1/namespaces/orphan/serviceaccounts/rotator")
    world.sandbox.admin("/aws/expire-sessions", {})
    s.delete()
    until("the policy is gone", lambda: gone(world, s))
    until("what is left is told", lambda: s.event("LeftUnfinished"))
    world.sandbox.admin("/faults", method="DELETE")
