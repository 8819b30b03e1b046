"""Bad input, tried and answered clearly: each answer names the object, the field and the remedy, and heals when it is put right."""
import json, subprocess, time, uuid

from aws import call
from harness import MARKER, ApiError, Subject, check, collection, until

SCENARIOS, scenario = collection()

PASSWORD = json.dumps({"user": MARKER + "-user", "password": MARKER + "-first"})
ALLOW_ALL = [{"effect": "Allow", "actions": ["**"], "resources": ["**"]}]


def labels(world, s):
    return world.sandbox.secret(s.id)["labels"]


@scenario
def unknown_secret(world):
    s = Subject(world.sandbox, "it", "unknown", secret="it/unknown")
    s.says("Ready", "False", '"it/unknown"', "eu-west-1", "create it or correct spec.secretId", reason="SecretNotFound")
    world.sandbox.admin("/aws/secrets", {"name": "it/unknown", "value": PASSWORD})
    s.sync_now()
    s.settle()


@scenario
def access_denied_by_aws(world):
    denied = [{"effect": "Deny", "actions": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], "resources": ["it/denied*", "arn:**:it/denied-*"]}]
    world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL + denied})
    s = Subject(world.sandbox, "it", "denied")
    s.says("Ready", "False", "it/denied", "not authorized", "secretsmanager:", reason="AccessDeniedException")
    world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL})
    s.sync_now()
    s.settle()


@scenario
def list_denied_is_said_once_and_works(world):
    world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL + [{"effect": "Deny", "actions": ["secretsmanager:ListSecrets"], "resources": ["**"]}]})
    world.restart()
    s = Subject(world.sandbox, "it", "no-list")
    s.settle()
    lines = [line for line in world.operator.text().splitlines() if "ListSecrets is denied" in line]
    check(len(lines) == 1 and '"level":"error"' in lines[0] and "secretsmanager:ListSecrets" in lines[0], f"said {len(lines)} times: {lines}")
    world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL})
    world.restart()


@scenario
def no_access_rule(world):
    world.sandbox.admin("/aws/secrets", {"name": "elsewhere/db", "value": PASSWORD})
    world.sandbox.forget_calls()
    s = Subject(world.sandbox, "it", "no-rule", secret="elsewhere/db")
    s.says("Stalled", "True", 'namespaces: ["it"]', 'secrets: ["elsewhere/db"]', reason="NoAccessRule")
    check(not [c for c in world.sandbox.calls("secretsmanager") if "elsewhere" in c["resource"]], "a denied secret was asked for")
    world.operator.configure(world.operator.CONFIG.replace("access: [", 'access: [{namespaces: ["it"], secrets: ["elsewhere/db"]}, '))
    s.settle()
    world.operator.configure(world.operator.CONFIG)
    s.says("Stalled", "True", reason="NoAccessRule")
    check(s.condition("Ready")["status"] == "False", "still Ready without a rule")


@scenario
def awaiting_deletion(world):
    s = Subject(world.sandbox, "it", "awaiting")
    s.settle()
    call(world.sandbox, "DeleteSecret", SecretId=s.id, RecoveryWindowInDays=7)
    s.sync_now()
    s.says("Ready", "False", "it/awaiting", "awaits deletion", "restore it", reason="SecretDeleted")
    check(world.sandbox.kube_secret("it", "awaiting") is not None, "the Secret went with a secret that can be restored")
    call(world.sandbox, "RestoreSecret", SecretId=s.id)
    s.sync_now()
    s.settle()


@scenario
def rotated_by_aws_in_every_way(world):
    for name, change, words in (("enabled", {"rotationEnabled": True}, ("RotationEnabled=true", "syncOnly")), ("service", {"owningService": "rds"}, ("rds", "syncOnly")),
                                ("partner", {"type": "MongoDBAtlas"}, ("MongoDBAtlas", "syncOnly"))):
        world.sandbox.admin("/aws/secrets", {"name": f"it/by-aws-{name}", "value": PASSWORD})
        world.sandbox.admin(f"/aws/secrets/it/by-aws-{name}", change, "PATCH")
        s = Subject(world.sandbox, "it", f"by-aws-{name}", secret=f"it/by-aws-{name}")
        versions = world.sandbox.secret(s.id)["versions"]
        s.request()
        s.says("Stalled", "True", *words, reason="RotationManagedByAWS")
        check(world.sandbox.secret(s.id)["versions"] == versions, f"{name}: it was written to")
        reader = Subject(world.sandbox, "it", f"by-aws-{name}-reader", {"syncOnly": {}}, secret=s.id)
        reader.settle()


@scenario
def a_replica_is_followed_but_not_rotated(world):
    world.sandbox.admin("/aws/secrets", {"name": "it/replica", "value": PASSWORD})
    world.sandbox.admin("/aws/secrets/it/replica", {"primaryRegion": "us-east-1"}, "PATCH")
    s = Subject(world.sandbox, "it", "replica", secret="it/replica")
    s.request()
    s.says("Stalled", "True", "us-east-1", "syncOnly", reason="ReplicaSecret")
    Subject(world.sandbox, "it", "replica-reader", {"syncOnly": {}}, secret="it/replica").settle()


@scenario
def binary_secret(world):
    world.sandbox.admin("/aws/secrets", {"name": "it/binary", "binary": "AAECAw=="})
    s = Subject(world.sandbox, "it", "binary", secret="it/binary")
    s.says("Ready", "False", "it/binary", "SecretBinary", "store text", reason="BinarySecret")
    s.request()
    until("the rotation is refused", lambda: "BinarySecret" in (s.condition("Stalled").get("reason"), (s.event("BinarySecret") or {}).get("reason")))
    check(len(world.sandbox.secret(s.id)["versions"]) == 1, "a version was put over a binary secret")


@scenario
def invalid_json_where_a_pointer_is_given(world):
    s = Subject(world.sandbox, "it", "no-json", value='{"password": "' + MARKER + '-cut')
    s.request()
    s.says("Ready", "False", "/password", "JSON")
    check(len(world.sandbox.secret(s.id)["versions"]) == 1, "a version was put")
    t = Subject(world.sandbox, "it", "no-json-data", {"syncOnly": {}}, value=MARKER + "-bare", targets=[{"name": "no-json-data", "data": {"A": "{{ password }}"}}])
    t.says("Synced", "False", "no-json-data", "key A", "password")


@scenario
def target_of_somebody_else(world):
    world.sandbox.kube("POST", "/api/v1/namespaces/it/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"}, "data": {"password": "dGhlaXJz"}})
    s = Subject(world.sandbox, "it", "theirs")
    s.says("Synced", "False", "it/theirs", "adopt: true", "another name", reason="TargetNotManaged")
    check(world.sandbox.data("it", "theirs") == {"password": "theirs"}, "it was written")
    world.sandbox.patch_policy("it", "theirs", {"spec": {"targets": [{"name": "theirs", "adopt": True}]}})
    s.settle()


@scenario
def two_policies_on_one_target_and_two_owners(world):
    first = Subject(world.sandbox, "it", "two-first")
    first.settle()
    squatter = Subject(world.sandbox, "it", "two-squatter", targets=[{"name": "two-first"}])
    squatter.says("Synced", "False", "it/two-first", "another target name", reason="TargetInUse")
    born = world.sandbox.policy("it", "two-first")["metadata"]["creationTimestamp"]
    until("the next second, since times of creation are whole ones", lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > born)
    second = Subject(world.sandbox, "it", "two-second", secret=first.id, targets=[{"name": "two-second"}])
    second.says("Stalled", "True", "RotationPolicy it/two-first", "syncOnly", reason="SecretHasAnotherOwner")
    first.settle()
    planned = subprocess.run([f"{world.sandbox.binaries}/keyturn", "plan", "two-second", "-n", "it"], env=world.sandbox.env, capture_output=True, text=True)
    check(planned.returncode == 1 and "Refuse (SecretHasAnotherOwner)" in planned.stdout and "it/two-first" in planned.stdout, f"plan: {planned}")
    first.delete()
    second.settle()


@scenario
def a_foreign_pending_version_is_left_alone(world):
    s = Subject(world.sandbox, "it", "pending")
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.admin("/aws/secrets/it/pending", {"value": json.dumps({"password": MARKER + "-foreign"}), "labels": ["AWSPENDING"]}, "PUT")
    foreign = labels(world, s)["AWSPENDING"]
    s.request()
    s.says("Stalled", "True", foreign, "AWSPENDING", reason="ForeignPending")
    check(labels(world, s)["AWSPENDING"] == foreign and labels(world, s)["AWSCURRENT"] == before["labels"]["AWSCURRENT"], "labels were touched")
    call(world.sandbox, "UpdateSecretVersionStage", SecretId=s.id, VersionStage="AWSPENDING", RemoveFromVersionId=foreign)
    s.sync_now()
    until("the request is served", lambda: labels(world, s)["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()


@scenario
def an_empty_placeholder_of_aws_is_no_obstacle(world):
    """What RotateSecret leaves behind when it is cancelled: AWSPENDING on a version without a value."""
    s = Subject(world.sandbox, "it", "placeholder")
    s.settle()
    current = labels(world, s)["AWSCURRENT"]
    call(world.sandbox, "RotateSecret", SecretId=s.id, ClientRequestToken=str(uuid.uuid4()), RotationLambdaARN="arn:aws:lambda:eu-west-1:123456789012:function:f", RotationRules={"AutomaticallyAfterDays": 30})
    call(world.sandbox, "CancelRotateSecret", SecretId=s.id)
    state = world.sandbox.secret(s.id)
    left = next(v for v in state["versions"] if v["id"] == state["labels"].get("AWSPENDING"))
    check(not left["hasValue"], "no placeholder is there to begin with")
    s.request()
    until("it rotates over it", lambda: labels(world, s)["AWSCURRENT"] != current)
    s.settle()
    check(labels(world, s)["AWSCURRENT"] != left["id"] and "AWSPENDING" not in labels(world, s) and labels(world, s)["AWSPREVIOUS"] == current, f"{labels(world, s)}")


@scenario
def schedules_and_templates_that_cannot_work(world):
    def answer(name, *words, **spec):
        """Refused by the server, or said by a condition; either way in these words."""
        try:
            s = Subject(world.sandbox, "it", name, **spec)
        except ApiError as refused:
            check(all(word.lower() in str(refused).lower() for word in words), f"{name}: {refused}")
            return
        until(f"{name} is answered", lambda: any(c["status"] == "False" and all(w.lower() in c["message"].lower() for w in words) for c in s.status().get("conditions", []))
              or check(False, str(s.status().get("conditions"))))

    answer("cron-impossible", "cron(0 0 31 2 ? *)", schedule={"expression": "cron(0 0 31 2 ? *)"})
    answer("cron-no-minute", "61", schedule={"expression": "61 * * * *"})
    answer("cron-no-zone", "Mars/Olympus", schedule={"expression": "0 3 * * *", "timeZone": "Mars/Olympus"})
    answer("window-long", "window", schedule={"expression": "rate(1 day)", "window": "48h"})
    answer("tpl-field", "key A", "nosuch", targets=[{"name": "tpl-field", "data": {"A": "{{ nosuch }}"}}])
    answer("tpl-open", "A", targets=[{"name": "tpl-open", "data": {"A": "{{ password"}}])
    answer("tpl-filter", "rot13", targets=[{"name": "tpl-filter", "data": {"A": "{{ password | rot13 }}"}}])
    answer("strategy-typo", "generic", strategy={"generc": {}})
    answer("strategy-two", "strategy", strategy={"generic": {}, "syncOnly": {}})


@scenario
def odd_values(world):
    wide = Subject(world.sandbox, "it", "wide", {"syncOnly": {}}, value="x" * 65536, targets=[{"name": "wide"}])
    until("64 KiB arrive", lambda: len(world.sandbox.data("it", "wide").get("value", "")) == 65536)
    odd = Subject(world.sandbox, "it", "odd", value='{"password":"' + MARKER + '","nul":"a\\u0000b","smile":"\U0001f600 €"}')
    odd.settle()
    before = world.sandbox.secret(odd.id)
    odd.request()
    until("a rotation", lambda: labels(world, odd)["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    odd.settle()
    check('"nul":"a\\u0000b","smile":"\U0001f600 €"' in world.sandbox.value_of(odd.id), "another field was rewritten")
    # The largest value that Secrets Manager takes, and a rotation that would make it larger.
    full = Subject(world.sandbox, "it", "full", value=json.dumps({"password": "", "fill": "x" * (65536 - 28)}, separators=(",", ":")))
    full.request()
    full.says("Ready", "False", "65536")


@scenario
def a_missing_permission_is_told_whichever_it_is(world):
    """Whatever the operator's own identity may not do shows in a condition, with the action's name; and is over when it is allowed."""
    for action in ("ListSecretVersionIds", "PutSecretValue", "UpdateSecretVersionStage"):
        name = f"may-not-{action.lower()}"
        world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL + [{"effect": "Deny", "actions": [f"secretsmanager:{action}"], "resources": [f"it/{name}", f"arn:**:it/{name}-*"]}]})
        # Without targets no value is read, so that the dates of versions must be asked for.
        s = Subject(world.sandbox, "it", name, targets=[] if action == "ListSecretVersionIds" else [{"name": name}])
        before = world.sandbox.secret(s.id)
        s.request()
        s.says("Ready", "False", f"secretsmanager:{action}", reason="AccessDeniedException")
        world.sandbox.admin("/aws/rules", {"rules": ALLOW_ALL})
        s.sync_now()
        until("the rotation", lambda: labels(world, s)["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        until("Ready", lambda: s.condition("Ready").get("status") == "True")


@scenario
def what_slips_past_the_servers_rules_gets_their_messages(world):
    """A CRD without its validation rules, as an older one may be: the operator says the same words in a condition, and touches nothing."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rotationpolicies.keyturn.dev"
    crd = world.sandbox.kube("GET", path)
    bad = {"slip-strategy": {"strategy": {"generic": {}, "syncOnly": {}}}, "slip-identity": {"identity": {"serviceAccountName": "a", "secretRef": {"name": "b"}}},
           "slip-target": {"targets": [{"name": "slip-target"}, {"name": "slip-target"}]}}
    refusals = {}
    for name, spec in bad.items():
        try:
            Subject(world.sandbox, "it", name, **spec)
        except ApiError as refused:
            refusals[name] = json.loads(refused.body)["details"]["causes"][0]
    check(set(refusals) == set(bad), f"the server took some: {set(bad) - set(refusals)}")

    def without_rules(node):
        if isinstance(node, list):
            return [without_rules(child) for child in node]
        if isinstance(node, dict):
            return {k: without_rules(v) for k, v in node.items() if k not in ("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "maxProperties")}
        return node

    current = world.sandbox.kube("GET", path)
    world.sandbox.kube("PUT", path, {**current, "spec": without_rules(current["spec"])})
    try:
        for name, spec in bad.items():
            s = Subject(world.sandbox, "it", name, secret=f"it/{name}", **spec)
            refusal = refusals[name]
            words = [refusal["message"].split(": ")[-1].strip()] if refusal["reason"] == "FieldValueInvalid" else []  # a rule's words are ours
            s.says("Stalled", "True", refusal["field"].split("[")[0], *words, reason="InvalidSpec")
            check(world.sandbox.kube_secret("it", name) is None, f"{name} was written")
            s.delete()
    finally:
        world.sandbox.kube("PUT", path, {**world.sandbox.kube("GET", path), "spec": crd["spec"]})
