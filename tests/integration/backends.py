"""Backends that do not answer, and those who have nothing to do with them."""
import json

from harness import Operator, Subject, check, collection, until
from influxdb import RULES, SOON, Influx, at_rest, rotated

SCENARIOS, scenario = collection()

DEAD = 6  # policies


def gone(world, influx, token):
    return token["id"] not in influx.truth()


@scenario
def a_backend_that_does_not_answer_holds_up_nobody_else(world):
    """More policies than workers wait for a server that swallows every request. It is asked as rarely as if it had one policy, says so in each
    status, and the others rotate and retire meanwhile; when it answers again, all of its own do too."""
    world.operator.end()
    settings = Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES) + "rotationWorkers: 2\n"
    world.operator = Operator(world.sandbox, settings=settings)
    dead, alive = Influx(world, "dead", "2.7"), Influx(world, "alive", "2.7")

    def subject(influx, name):
        token = influx.token(influx.user(name), type="allAccess")
        s = Subject(world.sandbox, "it", name, {"influxdbToken": {}}, json.dumps(influx.secret("custom", token["token"], adminSecretArn=influx.admin_arn)), retirement=SOON)
        return s, token
    waiting = [subject(dead, f"dead-{n}") for n in range(DEAD)]
    working, old = subject(alive, "alive-1")
    plain = Subject(world.sandbox, "it", "alive-plain")
    for s in [s for s, _ in waiting] + [working, plain]:
        s.settle()
    before = {s.id: world.sandbox.secret(s.id) for s in [s for s, _ in waiting] + [working, plain]}
    world.sandbox.forget_calls()
    world.sandbox.fault(service="influxdb", namespace="dead", kind="black-hole")
    asked = lambda: [c["operation"] for c in world.sandbox.calls("influxdb") if c["namespace"] == "dead"]
    for s, _ in waiting:
        s.request()
    for s, _ in waiting:
        until(f"{s.id} says whom it waits for", lambda: s.condition("Reconciling").get("status") == "True", 60)
    until("most have only been told", lambda: sum(s.condition("Reconciling").get("reason") == "BackendDown" for s, _ in waiting) >= DEAD - 3)
    for _ in range(2):
        was = world.sandbox.secret(plain.id)
        plain.request()
        rotated(plain, was)
        until("it rests", lambda: at_rest(plain))
    working.request()
    new = rotated(working, before[working.id])
    until("the old token is revoked", lambda: gone(world, alive, old), 60)
    check(alive.works(new["token"]), "the new token does not work")
    # Three in a row open the breaker; pauses of 7.5, 15 and 30 s at least lie between the probes that follow.
    count = len(asked())
    check(count <= 7, f"the dead server was asked {count} times: {asked()}")
    for s, token in waiting:
        check(world.sandbox.secret(s.id)["labels"] == before[s.id]["labels"], f"{s.id} changed without its backend")
        check(not gone(world, dead, token), "a token is gone")
    told = len([e for e in world.sandbox.events("it") if e["reason"] == "RotationFailed" and e["regarding"]["name"].startswith("dead-")])
    check(told <= 4, f"{told} policies were told of a failure, though a refusal is none")

    world.sandbox.admin("/faults", method="DELETE")
    for s, token in waiting:
        until(f"{s.id} rotates", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before[s.id]["labels"]["AWSCURRENT"], 120)
        until("its old token is revoked", lambda: gone(world, dead, token), 60)
        s.settle()
        s.one_new_version(before[s.id])
    world.operator.end()
    world.operator = Operator(world.sandbox)
    return f"{count} requests, {told} told of a failure"


@scenario
def a_step_that_always_takes_too_long_is_told(world):
    """Every request is answered within its deadline, all of them together are not within two: nothing is minted on what was seen so long ago, and it is said why."""
    world.operator.end()
    world.operator = Operator(world.sandbox, settings=Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES).replace("requestDeadline: 2s", "requestDeadline: 500ms"))
    influx = Influx(world, "sluggish", "2.7")
    old = influx.token(influx.user("sluggish"), type="allAccess")
    s = Subject(world.sandbox, "it", "sluggish", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)), retirement=SOON)
    s.settle()
    before = world.sandbox.secret(s.id)
    world.sandbox.fault(service="secretsmanager", operation="DescribeSecret", kind="delay", delayMs=300)
    world.sandbox.fault(service="secretsmanager", operation="GetSecretValue", kind="delay", delayMs=400)
    s.request()
    s.says("Reconciling", "True", "createSecret", "500ms", "requestDeadline", reason="ViewTooOld")
    check(not [t for t in influx.truth().values() if "[keyturn " in t["description"]], "a token was made")
    world.sandbox.admin("/faults", method="DELETE")
    rotated(s, before)
    s.settle(60)
    s.one_new_version(before)
    world.operator.end()
    world.operator = Operator(world.sandbox)
