"""What a rotation costs in requests, from a person's word to the end of its retirement."""
import itertools, json

from harness import Subject, check, collection, until
from influxdb import RULES, Influx, at_rest, rotated

SCENARIOS, scenario = collection()

WRITES = ("create", "apply", "patch", "update", "delete")


def asked_of_aws(world):
    """The rotation's requests in order, and how many looks only waited: those between the move of AWSCURRENT, a rotation's third of a
    label, and the retirement's first read of a value. The looks directly before each revocation come later, and count. Sweeps belong to no rotation."""
    calls = [c["operation"] for c in world.sandbox.calls() if c["service"] in ("secretsmanager", "timestream-influxdb") and c["operation"] != "ListSecrets"]
    moves = [i for i, operation in enumerate(calls) if operation == "UpdateSecretVersionStage"]
    check(len(moves) == 4, f"labels moved: {calls}")
    polls = len(list(itertools.takewhile(lambda operation: operation == "DescribeSecret", calls[moves[2] + 1:])))
    check(polls > 0 and calls[moves[2] + 1:].count("DescribeSecret") == polls + 2, f"a look for the quiet time, and one before each of two revocations: {calls}")
    return calls[:moves[2] + 1] + calls[moves[2] + 1 + polls:], polls


def written_to_kubernetes(world):
    """From the finalizer on, with which a rotation begins: a status that the policy's creation still owed may come before it."""
    writes = [f"{c['operation']} {c['resource']}" for c in world.sandbox.calls("kubernetes") if c["operation"] in WRITES]
    return writes[writes.index("apply rotationpolicies"):]


@scenario
def influxdb_rotation_stays_in_its_budget(world):
    world.operator.read_rules(RULES)
    influx = Influx(world, "budget", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-budget", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)),
                retirement={"after": "Sync", "gracePeriod": "0s"})
    s.settle()
    notes = []
    # The first rotation of a process also learns the database's host and the administrator's secret's name.
    for which, budget in (("first", 16), ("second", 14), ("third", 14)):
        until("it rests", lambda: at_rest(s))
        before = world.sandbox.secret(s.id)
        world.sandbox.forget_calls()
        s.request()
        rotated(s, before)
        until("the end of the retirement", lambda: at_rest(s), 60)
        calls, polls = asked_of_aws(world)
        writes = written_to_kubernetes(world)
        check(len(calls) <= budget, f"the {which} rotation's {len(calls)} AWS calls: {calls}")
        check(len(writes) <= 9, f"the {which} rotation's {len(writes)} Kubernetes writes: {writes}")
        check(s.event("RotationDeferred") is None, "the rotation that was served is told as deferred")
        notes.append(f"{which}: AWS {len(calls)} and {polls} looks while waiting, Kubernetes {len(writes)}")
    return "; ".join(notes)
