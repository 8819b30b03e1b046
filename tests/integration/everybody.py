"""One secret and everybody who may rotate it, for each strategy: the operator, `keyturn secret rotate`, `keyturn secret step` ×4 and `keyturn lambda`; in
turn, and at once. Whoever it was, it ends in the same state."""
import json, uuid

import aws
from astra import Astra
from caches import Cache
from harness import MARKER, Operator, Subject, check, collection, until
from influxdb import SOON, Influx, at_rest
from influxdb_user import Server
from rotation_function import STEPS, Function, cancel
from secret_commands import keyturn, start, wait

SCENARIOS, scenario = collection()

RULES = 'access: [{namespaces: ["*"], secrets: ["{namespace}/*"], resources: ["arn:aws:**"], backends: ["127.0.0.1:*"]}]'


class Kind:
    """A strategy on a secret of its own. `field` holds the credential; `living` says which of ours the backend takes (None: there is no backend)."""

    def __init__(self, world, strategy, name, value, field, living, together=1, options=None):
        self.world, self.strategy, self.options, self.name, self.id = world, strategy, options or {}, name, f"it/{name}"
        self.value, self.field, self.living, self.together = {"note": MARKER, **value}, field, living, together
        self.words = ("--strategy", strategy, "--options", json.dumps(self.options), "--request-deadline", "500ms")

    def with_policy(self):
        self.subject = Subject(self.world.sandbox, "it", self.name, {self.strategy: self.options}, json.dumps(self.value), retirement=SOON, age=3600)

    def alone(self):
        self.world.sandbox.admin("/aws/secrets", {"name": self.id, "value": json.dumps(self.value)})
        self.world.sandbox.admin(f"/aws/secrets/{self.id}", {"ageSeconds": 3600}, method="PATCH")

    def function(self):
        return Function(self.world, self.name, self.strategy, self.id, json.dumps(self.options))

    def labels(self):
        return self.world.sandbox.secret(self.id)["labels"]

    def credential(self):
        return json.loads(self.world.sandbox.value_of(self.id))[self.field]

    def lives_alone(self):
        return self.living is None or self.living() == {self.credential()}

    def changes(self):
        """What a rotation changes at AWS: the new version; AWSCURRENT and AWSPENDING; and the baton, to the old version and from there away."""
        return {"PutSecretValue": 1, "UpdateSecretVersionStage": 4 if self.living else 2, **({"ModifyUser": 2} if self.strategy == "elasticacheUser" else {})}

    def asked_of_aws(self):
        """How often each operation was asked of AWS, about the secret and all that it refers to."""
        asked = [c["operation"] for c in self.world.sandbox.calls() if c["service"] in ("secretsmanager", "elasticache", "timestream-influxdb") and self.name in c["resource"]]
        return {operation: asked.count(operation) for operation in sorted(set(asked))}

    def command(self, *words):
        return keyturn(self.world, "secret", *words, self.id, *self.words, "--force")


def kinds(world, name):
    """Every strategy that rotates by itself."""
    def generic():
        return Kind(world, "generic", f"{name}-generic", {"password": MARKER + "-first"}, "password", None, options={"fields": [{"pointer": "/password"}]})

    def influxdb_token():
        influx = Influx(world, f"{name}-token", "2.7")
        old = influx.token(influx.user("reader"), type="allAccess")
        living = lambda: {t["token"] for t in influx.truth().values() if t["id"] == old["id"] or "[keyturn " in t["description"]}
        return Kind(world, "influxdbToken", f"{name}-token", influx.secret("allAccess", old["token"], adminSecretArn=influx.admin_arn, url=influx.about["url"], dbIdentifier=""), "token", living, 2)

    def influxdb_user():
        server = Server(world, f"{name}-user")
        return Kind(world, "influxdbUser", f"{name}-user", server.value(url=server.about["url"], dbIdentifier=""), "password", lambda: {server.password()})

    def astra_token():
        astra = Astra(world, f"{name}-astra")
        old = astra.client()
        living = lambda: {c["token"] for i, c in astra.truth().items() if i == old["clientId"] or "[keyturn " in c["description"]}
        return Kind(world, "astraToken", f"{name}-astra", astra.value(old), "astraKey", living, 2, options=astra.options)

    def elasticache_user():
        cache = Cache(world, f"{name}-cache")
        return Kind(world, "elasticacheUser", f"{name}-cache", cache.value, "password", lambda: set(cache.truth()["passwords"]), 2)

    return [generic(), influxdb_token(), influxdb_user(), astra_token(), elasticache_user()]


def check_everybody_is_tried(world, tried):
    words = " ".join(keyturn(world, "secret", "rotate", "--help").out.split())
    known = {word.strip() for word in words.split("How the secret rotates:")[1].split("--options")[0].split(",")}
    check(known - {"syncOnly", "lambda"} == {kind.strategy for kind in tried}, f"strategies: {known}")


@scenario
def everybody_in_turn(world):
    """After each turn the same labels, one credential, and the Kubernetes Secret that holds it."""
    world.operator.read_rules(RULES)
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    all_kinds = kinds(world, "turns")
    check_everybody_is_tried(world, all_kinds)
    functions, told = {}, {}
    for kind in all_kinds:
        kind.with_policy()
        functions[kind] = kind.function()
    for kind in all_kinds:
        kind.subject.settle()

    def by_operator(kind):
        kind.subject.request()

    def by_command(kind):
        kind.command("rotate")

    def by_steps(kind):
        for step in STEPS:
            kind.command("step", step)

    def by_aws(kind):
        before = kind.living and kind.living()
        functions[kind].rotates(kind.id)
        if kind.living:
            check(kind.living() == ({kind.credential()} | (before if kind.together == 2 else set())), f"{kind.strategy}: the old credential stays until the next rotation")
        kind.subject.sync_now()
        until("the target follows", lambda: world.sandbox.data("it", kind.name)[kind.field] == kind.credential())
        check(not kind.living or len(kind.living()) == kind.together, f"{kind.strategy}: the operator must leave a secret alone that AWS rotates")
        cancel(world, kind.id)

    for turn, drive in enumerate((by_operator, by_command, by_steps, by_aws, by_operator, by_aws, by_steps)):
        before = {kind: world.sandbox.secret(kind.id) for kind in all_kinds}
        world.sandbox.forget_calls()
        for kind in all_kinds:
            drive(kind)
        for kind in all_kinds:
            what = f"turn {turn} of {kind.strategy}"
            until(what, lambda: kind.labels()["AWSCURRENT"] != before[kind]["labels"]["AWSCURRENT"])
            if drive is not by_operator:
                kind.subject.sync_now()  # what others do is seen by the sweep, else
            until(f"{what}: the old credential is revoked", lambda: "KEYTURN_BATON" not in kind.labels() and kind.lives_alone(), 60)
            kind.subject.settle()
            kind.subject.one_new_version(before[kind])
            labels = kind.labels()
            check(labels == {"AWSCURRENT": labels["AWSCURRENT"], "AWSPREVIOUS": before[kind]["labels"]["AWSCURRENT"], "KEYTURN_LATEST": labels["AWSCURRENT"]}, f"{what}: {labels}")
            until("it rests", lambda: at_rest(kind.subject))
            if drive is by_operator:
                calls = kind.asked_of_aws()
                changes = {o: n for o, n in calls.items() if o.startswith(("Put", "Update", "Modify"))}
                check(changes == kind.changes(), f"{what} changed: {changes}")
                told[kind] = f"{kind.strategy} {sum(calls.values())}: {calls}"
    for function in functions.values():
        function.end()
    return "; ".join(told.values())


@scenario
def everybody_at_once(world):
    """The operator is asked, and the command and the four steps begin, all in one moment: each may make a version or find another's. At rest one credential lives, AWSCURRENT's."""
    world.operator.end()
    world.operator = Operator(world.sandbox, settings=Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES).replace("requestDeadline: 2s", "requestDeadline: 500ms"))
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    all_kinds, told = kinds(world, "at-once"), []
    for kind in all_kinds:
        kind.with_policy()
    for kind in all_kinds:
        kind.subject.settle()
        before = world.sandbox.secret(kind.id)
        kind.subject.request()
        process = start(world, "secret", "rotate", kind.id, *kind.words, "--force")
        for step in STEPS:  # one that has nothing to do any more says so
            wait(start(world, "secret", "step", step, kind.id, *kind.words))
        wait(process)
        until(f"{kind.strategy} has rotated", lambda: kind.labels()["AWSCURRENT"] != before["labels"]["AWSCURRENT"], 60)
        kind.subject.sync_now()
        until(f"{kind.strategy}: one credential lives", lambda: "KEYTURN_BATON" not in kind.labels() and "AWSPENDING" not in kind.labels() and kind.lives_alone(), 90)
        until("it rests", lambda: at_rest(kind.subject), 60)
        kind.subject.settle()
        made = len(world.sandbox.secret(kind.id)["versions"]) - len(before["versions"])
        check(1 <= made <= 3, f"{kind.strategy}: {made} versions were made by three")
        told.append(f"{kind.strategy} {made}")
    world.operator.end()
    world.operator = Operator(world.sandbox)
    return "versions made: " + ", ".join(told)


@scenario
def command_and_aws_at_once(world):
    """The command has sent its value, and it is held on the way while AWS's rotation begins and takes so many steps; then it lands, and takes the labels. AWS
    is told that its version is not the one any more; whoever goes on ends with one version in force that works."""
    world.sandbox.admin("/lambda/patience", {"attempts": 1, "betweenMs": 50})
    for steps in range(1, 5):
        for kind in kinds(world, f"half-{steps}"):
            kind.alone()
            before, what = kind.labels(), f"{kind.strategy} after {steps} steps"
            function = kind.function()
            world.sandbox.fault(id="held", service="secretsmanager", operation="PutSecretValue", resource=f"**{kind.id}**", kind="delay", delayMs=600, times=1)
            process = start(world, "secret", "rotate", kind.id, *kind.words)
            until("the command's value is sent", lambda: world.sandbox.hits("held") > 0)
            version = str(uuid.uuid4())
            world.sandbox.admin(f"/aws/secrets/{kind.id}", {"rotationEnabled": True}, "PATCH")
            aws.call(world.sandbox, "RotateSecret", SecretId=kind.id, ClientRequestToken=version, RotationLambdaARN="arn:aws:lambda:eu-west-1:123456789012:function:by-hand", RotationRules={"AutomaticallyAfterDays": 30})
            arn = world.sandbox.secret(kind.id)["arn"]
            for step in STEPS[:steps]:
                function.call(step, arn, version)
            wait(process)
            world.sandbox.admin("/faults", method="DELETE")
            for step in STEPS[steps:]:
                function.call(step, arn, version)
            cancel(world, kind.id)
            if kind.labels().get("AWSPENDING") == version and not next(v for v in world.sandbox.secret(kind.id)["versions"] if v["id"] == version)["hasValue"]:
                keyturn(world, "secret", "discard-pending", version, kind.id)
            kind.command("rotate")
            now = kind.labels()
            check(now["AWSCURRENT"] == now["KEYTURN_LATEST"] != before["AWSCURRENT"] and "AWSPENDING" not in now, f"{what}: {now}")
            check(kind.living is None or kind.credential() in kind.living(), f"{what}: AWSCURRENT does not work")
            if kind.together == 2:
                keyturn(world, "secret", "retire", kind.id, *kind.words)
            check("KEYTURN_BATON" not in kind.labels(), f"{what}: {kind.labels()}")
            function.end()
    world.sandbox.admin("/lambda/patience", {"attempts": 5, "betweenMs": 500})
