"""Strategy lambda: AWS rotates, asked to by a policy, a person or its own schedule; the operator waits for the outcome, syncs, and tells of failures."""
import json, uuid

import aws
from harness import MARKER, Operator, Subject, check, collection, until
from rotation_function import Function, cancel
from secret_commands import keyturn

SCENARIOS, scenario = collection()

PASSWORD = '{"fields": [{"pointer": "/password"}]}'
TRIES = {"attempts": 5, "betweenMs": 500}


def subject(world, function, name, **spec):
    """A secret that AWS rotates with that function, and a policy that hands over to it."""
    world.sandbox.admin("/aws/secrets", {"name": f"it/{name}", "value": json.dumps({"user": MARKER + "-user", "password": MARKER + "-first"})})
    world.sandbox.admin(f"/aws/secrets/it/{name}", {"rotationEnabled": True, "lambdaArn": function.about["arn"], "ageSeconds": 3600}, "PATCH")
    s = Subject(world.sandbox, "it", name, {"lambda": {}}, secret=f"it/{name}", **spec)
    s.settle()
    return s


def moved(world, s, before):
    return lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"]


@scenario
def delegated_rotates_on_request_and_follows(world):
    function = Function(world, "it-asked", "generic", "it/*", PASSWORD)
    s = subject(world, function, "asked")
    before = world.sandbox.secret(s.id)
    world.sandbox.forget_calls()
    s.request()
    until("AWS has rotated", moved(world, s, before))
    s.settle()
    s.one_new_version(before)
    until("the event", lambda: s.event("Rotated"))
    entry = s.status()["history"][0]
    check((entry["outcome"], entry["trigger"], entry["versionId"]) == ("Succeeded", "request", world.sandbox.secret(s.id)["labels"]["AWSCURRENT"]), f"{entry}")
    check(not s.event("ChangedOutside"), "what AWS did was taken for somebody's change")
    asked = [c for c in world.sandbox.calls("secretsmanager") if c["operation"] == "RotateSecret"]
    check(len(asked) == 1, f"{len(asked)} times RotateSecret")
    written = [c["operation"] for c in world.sandbox.calls("secretsmanager") if c["operation"] in ("PutSecretValue", "UpdateSecretVersionStage")]
    check(sorted(written) == ["PutSecretValue", "UpdateSecretVersionStage", "UpdateSecretVersionStage"], f"by the function alone: {written}")
    done = keyturn(world, "secret", "rotate", s.id, "--strategy", "lambda", "--force")
    check("is current" in done.out, done.out)
    s.sync_now()
    s.settle()
    function.end()


@scenario
def delegated_schedule_is_the_policys_or_awss(world):
    """With a schedule in the policy AWS is asked when it is due; without one only AWS begins, and the targets follow."""
    function = Function(world, "it-scheduled", "generic", "it/*", PASSWORD)
    own = subject(world, function, "own-schedule", schedule={"expression": "rate(1 hour)", "window": "1s"})
    awss = subject(world, function, "awss-schedule", refreshInterval="1m")
    before = world.sandbox.secret(awss.id)
    until("the policy's schedule is due, and AWS asked", lambda: own.status().get("history") and own.in_sync(), 60)
    check(own.status()["history"][0]["trigger"] == "schedule", f"{own.status()['history']}")
    check(not moved(world, awss, before)(), "rotated without a schedule")
    check("nextRotationTime" not in awss.status(), "a time that is not this policy's to promise")
    version = str(uuid.uuid4())
    aws.call(world.sandbox, "RotateSecret", SecretId=awss.id, ClientRequestToken=version)
    until("AWS has rotated", moved(world, awss, before))
    awss.sync_now()
    awss.settle()
    check(awss.status()["currentVersionId"] == version and not awss.event("ChangedOutside"), f"{awss.status()}")
    function.end()


@scenario
def delegated_failures_are_told_and_end(world):
    """The function fails each time: after a while the policy says so and where to look; when it is mended, AWS's next try, or the next request, ends well."""
    function = Function(world, "it-broken", "generic", "nothing", PASSWORD)
    world.operator.end()
    world.operator = Operator(world.sandbox, settings=Operator.CONFIG.replace("requestDeadline: 2s", "requestDeadline: 200ms"))
    s = subject(world, function, "broken")
    before = world.sandbox.secret(s.id)
    s.request()
    until("AWS is seen at work", lambda: s.status().get("rotation", {}).get("versionId") == world.sandbox.secret(s.id)["labels"].get("AWSPENDING", "none"))
    s.says("Reconciling", "True", "/aws/lambda/it-broken", "cancel-rotate-secret", reason="RotationNotFinished")
    until("an event", lambda: s.event("RotationFailed"))
    check(not moved(world, s, before)(), "it must not have rotated")
    check(world.sandbox.data("it", "broken")["password"] == MARKER + "-first", "the target changed")
    cancel(world, s.id)
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"labels": {"AWSPENDING": None}}, "PATCH")
    until("the end of it is told", lambda: s.status()["history"][0]["outcome"] == "Abandoned" and "rotation" not in s.status())
    s.says("Stalled", "True", "rotation-lambda-arn", reason="RotationNotEnabled")
    function.kill()
    function.env["KEYTURN_SECRETS"] = "it/*"
    function.start()
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"rotationEnabled": True}, "PATCH")
    s.sync_now()
    s.request()
    until("AWS has rotated", moved(world, s, before), 90)
    s.settle()
    check(json.loads(world.sandbox.value_of(s.id))["password"] == world.sandbox.data("it", "broken")["password"], "the target does not follow")
    function.check_quiet_about()
    function.end()
    world.operator.end()
    world.operator = Operator(world.sandbox)


@scenario
def delegated_killed_after_every_request(world):
    """The n-th request of the operator takes effect, its answer never comes, and it dies; the next one goes on: AWS is never asked for a second rotation."""
    function = Function(world, "it-killed", "generic", "it/*", PASSWORD)
    s = subject(world, function, "handed-over")
    deaths = 0
    for operation in ("DescribeSecret", "ListSecretVersionIds", "RotateSecret", "GetSecretValue"):
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(id="kill", service="secretsmanager", operation=operation, resource=f"**{s.id}**", kind="hold-reply", times=1)
        s.request()
        hit = lambda: world.sandbox.admin("/faults")["faults"][0]["hits"] > 0
        until(f"{operation} or the end", lambda: hit() or moved(world, s, before)())
        deaths += hit()
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        world.operator = Operator(world.sandbox)
        until("AWS has rotated", moved(world, s, before), 60)
        s.settle()
        until("one new version", lambda: s.one_new_version(before) or True)
    check(deaths >= 3, f"only {deaths} deaths")
    function.end()
    return f"{deaths} deaths"
