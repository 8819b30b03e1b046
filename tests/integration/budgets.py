"""What a rotation costs in requests, from a person's word to the end of its retirement."""
import itertools, json

from harness import Operator, Subject, check, collection, until
from influxdb import RULES, Influx, at_rest, rotated
from rollouts import Load, reading

SCENARIOS, scenario = collection()

WRITES = ("create", "apply", "patch", "update", "delete")


def asked_of_aws(world, influx, secret_id, looks=2):
    """Of AWS about that secret, its administrator's and its database. The rotation's requests in order, and how many looks only waited: those between the move of AWSCURRENT, a rotation's third of a
    label, and the retirement's first read of a value. The looks directly before each revocation (`looks`) come later, and count. Sweeps belong to no rotation."""
    ours = lambda c: c["service"] == "secretsmanager" and (secret_id in c["resource"] or influx.admin_secret in c["resource"]) or c["service"] == "timestream-influxdb"
    calls = [c["operation"] for c in world.sandbox.calls() if ours(c)]
    moves = [i for i, operation in enumerate(calls) if operation == "UpdateSecretVersionStage"]
    check(len(moves) == 4, f"labels moved: {calls}")
    polls = len(list(itertools.takewhile(lambda operation: operation == "DescribeSecret", calls[moves[2] + 1:])))
    check(polls > 0 and calls[moves[2] + 1:].count("DescribeSecret") == polls + looks, f"a look for the quiet time, and one before each revocation: {calls}")
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
        calls, polls = asked_of_aws(world, influx, s.id)
        writes = written_to_kubernetes(world)
        check(len(calls) <= budget, f"the {which} rotation's {len(calls)} AWS calls: {calls}")
        check(len(writes) <= 7, f"the {which} rotation's {len(writes)} Kubernetes writes: {writes}")
        check(s.event("RotationDeferred") is None, "the rotation that was served is told as deferred")
        notes.append(f"{which}: AWS {len(calls)} and {polls} looks while waiting, Kubernetes {len(writes)}")
    return "; ".join(notes)


@scenario
def influxdb_rotation_with_a_rollout_stays_in_its_budget(world):
    """Two workloads are restarted, the readers and a grace period are waited for, the old token is revoked: one status more than without, within the eight writes."""
    world.operator.read_rules(RULES)
    influx = Influx(world, "budget-roll", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-roll", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)),
                rollout={"restart": "Auto"}, retirement={"gracePeriod": "3s"})
    loads = [Load(world.sandbox, "it", "budget-roll", reading("influx-roll", "env")), Load(world.sandbox, "it", "budget-roll-set", reading("influx-roll", "env"), "StatefulSet")]
    s.settle()
    notes = []
    for which, budget in (("first", 16), ("second", 14)):
        until("it rests", lambda: at_rest(s))
        before = world.sandbox.secret(s.id)
        world.sandbox.forget_calls()
        s.request()
        rotated(s, before)
        until("the end of the retirement", lambda: at_rest(s), 60)
        calls, polls = asked_of_aws(world, influx, s.id)
        writes = written_to_kubernetes(world)
        restarts = [write for write in writes if write.endswith(("deployments", "statefulsets"))]
        check(len(restarts) == len(loads), f"restarts: {restarts}")
        check(len(calls) <= budget, f"the {which} rotation's {len(calls)} AWS calls: {calls}")
        check(len(writes) <= 8 + len(restarts), f"the {which} rotation's {len(writes)} Kubernetes writes: {writes}")
        notes.append(f"{which}: AWS {len(calls)} and {polls} looks while waiting, Kubernetes {len(writes)}, {len(restarts)} of them restarts")
    return "; ".join(notes)


@scenario
def waiting_for_a_reader_costs_few_looks_at_the_secret(world):
    """A pod holds the old token; each look at the pods need not be one at Secrets Manager, too. With the default request deadline."""
    world.operator.end()
    world.operator = Operator(world.sandbox, settings=Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], RULES).replace("requestDeadline: 2s", "requestDeadline: 15s"))
    influx = Influx(world, "budget-wait", "2.7")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-wait", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)))
    s.settle()
    pods = "/api/v1/namespaces/it/pods"
    world.sandbox.kube("POST", pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "budget-reader"}, "spec": reading("influx-wait", "env")})
    until("the pod runs", lambda: world.sandbox.kube("GET", f"{pods}/budget-reader").get("status", {}).get("containerStatuses"))
    before = world.sandbox.secret(s.id)
    s.request()
    rotated(s, before)
    until("the pod is waited for", lambda: "budget-reader" in s.status().get("retiring", {}).get("waitingFor", ""))
    world.sandbox.forget_calls()

    def looks(service, operation, resource):
        return len([c for c in world.sandbox.calls(service) if c["operation"] == operation and resource in c["resource"]])
    until("six looks at the pods", lambda: looks("kubernetes", "list", "pods") >= 6, 60)
    asked = looks("secretsmanager", "DescribeSecret", s.id)
    check(asked <= 3, f"{asked} looks at the secret beside six at the pods")
    world.sandbox.kube("DELETE", f"{pods}/budget-reader")
    world.operator.end()
    world.operator = Operator(world.sandbox)
    return f"{asked} looks at the secret"
