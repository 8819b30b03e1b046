"""Policies that sign with an identity of their own: a Secret with keys, a ServiceAccount, a role; and what happens when these change."""
import base64, json, re

from harness import Subject, check, collection, until
from influxdb import RULES, SOON, Influx
from secret_commands import keyturn

SCENARIOS, scenario = collection()

ROLE = "arn:aws:iam::123456789012:role/keyturn-own"
ALL = [{"effect": "Allow", "actions": ["**"], "resources": ["**"]}]


def keys(world, access_key):
    world.sandbox.admin("/aws/keys", {"accessKey": access_key, "secretKey": "secret-of-" + access_key, "rules": ALL})


def keys_secret(world, name, access_key, method="POST"):
    data = {"accessKeyId": access_key, "secretAccessKey": "secret-of-" + access_key}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}
    if method == "POST":
        world.sandbox.kube("POST", "/api/v1/namespaces/it/secrets", body)
    else:
        world.sandbox.kube("PATCH", f"/api/v1/namespaces/it/secrets/{name}", {"data": body["data"]}, "application/merge-patch+json")


@scenario
def keys_of_its_own_and_their_replacement(world):
    keys(world, "AKIAOWNFIRST00000001")
    keys_secret(world, "own-keys", "AKIAWRONG00000000001")
    s = Subject(world.sandbox, "it", "own", identity={"secretRef": {"name": "own-keys"}})
    s.says("Ready", "False", "security token")
    keys_secret(world, "own-keys", "AKIAOWNFIRST00000001", "PATCH")
    s.settle()
    # The keys are replaced and the old ones are no more: the next request goes through with the new ones.
    keys(world, "AKIAOWNSECOND0000001")
    keys_secret(world, "own-keys", "AKIAOWNSECOND0000001", "PATCH")
    world.sandbox.admin("/aws/forget-key", {"accessKey": "AKIAOWNFIRST00000001"})
    before = world.sandbox.secret(s.id)
    s.request()
    until("a rotation with the new keys", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()
    s.one_new_version(before)


@scenario
def a_service_account_must_allow_it_and_may_take_it_back(world):
    world.sandbox.admin("/aws/roles", {"arn": ROLE, "subjects": ["system:serviceaccount:it:rotator"], "rules": ALL})
    s = Subject(world.sandbox, "it", "irsa", identity={"serviceAccountName": "rotator"})
    s.says("Ready", "False", "ServiceAccount it/rotator", "create it", reason="IdentityNotFound")
    accounts = "/api/v1/namespaces/it/serviceaccounts"
    world.sandbox.kube("POST", accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "rotator", "annotations": {"eks.amazonaws.com/role-arn": ROLE}}})
    s.sync_now()
    s.says("Ready", "False", "keyturn.dev/rotation-identity", reason="IdentityNotAllowed")
    world.sandbox.kube("PATCH", f"{accounts}/rotator", {"metadata": {"annotations": {"keyturn.dev/rotation-identity": "true"}}}, "application/merge-patch+json")
    s.sync_now()
    s.settle()
    world.sandbox.kube("PATCH", f"{accounts}/rotator", {"metadata": {"annotations": {"keyturn.dev/rotation-identity": None}}}, "application/merge-patch+json")
    world.sandbox.admin("/aws/expire-sessions", {})
    s.sync_now()
    s.says("Ready", "False", "keyturn.dev/rotation-identity", reason="IdentityNotAllowed")


@scenario
def a_role_on_top_needs_a_rule(world):
    world.sandbox.admin("/aws/roles", {"arn": ROLE + "-top", "rules": ALL})
    s = Subject(world.sandbox, "it", "role-on-top", identity={"roleArn": ROLE + "-top"})
    s.says("Ready", "False", f'roles: ["{ROLE}-top"]', reason="NoAccessRule")
    check(not [c for c in world.sandbox.calls("sts") if ROLE + "-top" in c["resource"]], "the role was assumed without a rule")


@scenario
def the_documented_permissions_are_enough(world):
    """docs/install.md's statements, word for word what `keyturn secret iam` prints, are all that the operator has; a rotation without targets asks for dates, one with targets for values. Those for
    influxdbToken come second: until then no database and no administrator's secret may be looked at."""
    text = open(f"{world.sandbox.source}/docs/install.md").read()
    every, influx_too = (json.loads(block)["Statement"] for block in re.findall(r"```json\n(.*?)```", text, re.S) if "Statement" in block)
    where = ("--region", "eu-west-1", "--account", "123456789012")
    printed = lambda *words: json.loads(keyturn(world, "secret", "iam", "shop/*", *where, *words).out)["Statement"]
    check(printed("--strategy", "generic") == every, f"docs/install.md says {every}")
    check(printed("--strategy", "influxdbToken", "--reads", "influx/admin") == every + influx_too, f"docs/install.md says {influx_too}")
    listed = lambda value: [value] if isinstance(value, str) else value
    stars = lambda value: [v.replace("*", "**").replace("?", "*") for v in listed(value)]  # IAM's star passes a slash

    def allow(statements):
        world.sandbox.admin("/aws/rules", {"rules": [{"effect": s["Effect"], "actions": stars(s["Action"]), "resources": stars(s["Resource"])} for s in statements]})
    allow(every)
    world.sandbox.namespace("shop")
    world.restart()
    for name, targets in (("with", [{"name": "with"}]), ("without", [])):
        s = Subject(world.sandbox, "shop", name, targets=targets)
        before = world.sandbox.secret(s.id)
        s.request()
        until(f"a rotation {name} targets", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        until("Ready", lambda: s.condition("Ready").get("status") == "True")
    influx = Influx(world, "permitted", "2.9", admin_secret="influx/admin")
    old = influx.token(influx.user("reader"), type="allAccess")
    world.operator.read_rules(RULES.replace('"{namespace}/*"', '"{namespace}/*", "influx/admin"'))
    s = Subject(world.sandbox, "shop", "influx", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)), retirement=SOON)
    s.settle()
    s.request()
    s.says("Ready", "False", "timestream-influxdb:GetDbInstance")
    allow(every + influx_too)
    s.sync_now()
    until("the old token is revoked", lambda: old["id"] not in influx.truth(), 90)
    s.settle()
    # 400 is also the answer to whether the next version's id is taken, which is asked before a token is made.
    refused = [c for c in world.sandbox.calls("secretsmanager") + world.sandbox.calls("sts") if c["status"] == 400 and ("shop/" in c["resource"] or "influx/" in c["resource"])]
    check(all(c["operation"] == "GetSecretValue" and "shop/influx" in c["resource"] for c in refused), f"refused: {refused}")
    world.sandbox.admin("/aws/rules", {"rules": ALL})
    world.restart()
