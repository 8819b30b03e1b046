"""The operator killed at every request of a rollback (with workloads that it restarts, and without) and of an attempt that is given up, and each request with its
answer lost after it took effect. Lanes, each a namespace with an operator, an InfluxDB server and faults of its own, take the requests one after the other, since
each case waits for quiet twice."""
import json, threading, time

from harness import Operator, Subject, check, collection, until
from influxdb import Influx
from rollouts import Load, mark_of, reading

SCENARIOS, scenario = collection()
LANES = 20
EVERY = 0.2  # seconds: so many lanes that look more often keep the sandbox busy
SETTINGS = Operator.CONFIG.replace(Operator.CONFIG.splitlines()[0], 'access: [{namespaces: ["*"], secrets: ["**"], backends: ["127.0.0.1:*"]}]').replace("requestDeadline: 2s", "requestDeadline: 500ms").replace("minRotationInterval: 1s", "minRotationInterval: 10m")
# What a request may go to, and how its answer is lost: with the operator, or alone.
SERIES = [(service, kind) for service in ("secretsmanager", "kubernetes", "influxdb") for kind in ("hold-reply", "reset-after")]


class Lane:
    def __init__(self, world, ns):
        self.sandbox, self.ns, self.logs = world.sandbox, ns, []
        world.sandbox.namespace(ns)
        self.influx = Influx(world, ns, "2.7")  # its requests carry the instance's name as those to Kubernetes their namespace
        self.operator = self.start()

    def start(self):
        operator = Operator(self.sandbox, name=f"-{self.ns}-", settings=SETTINGS + f"namespaces: [{self.ns}]\n")
        self.logs.append(operator.log)
        return operator

    def subject(self, name, **spec):
        old = self.influx.token(self.influx.user(name), type="allAccess")
        value = json.dumps(self.influx.secret("custom", old["token"], adminSecretArn=self.influx.admin_arn, url=self.influx.about["url"], dbIdentifier=""))
        s = Subject(self.sandbox, self.ns, name, {"influxdbToken": {}}, value, age=3600, **spec)
        s.settle()
        return s, old

    def fault(self, id, **fault):
        self.sandbox.fault(id=f"{self.ns}-{id}", **fault)

    def state(self, id):
        return next(f for f in self.sandbox.admin("/faults")["faults"] if f["id"] == f"{self.ns}-{id}")

    def forget(self, id):
        self.sandbox.admin(f"/faults/{self.ns}-{id}", method="DELETE")

    def break_at(self, n, service, kind, begin, over):
        """Until `over`, with the n-th request broken; True: there was one."""
        # Of those to Kubernetes the writes, which are applies: those of this test are not.
        where = {"secretsmanager": {"resource": f"**{self.ns}**"}, "kubernetes": {"namespace": self.ns, "operation": "apply"}, "influxdb": {"namespace": self.ns}}
        self.fault("break", service=service, kind=kind, skip=n - 1, times=1, **where[service])
        begin()
        until(f"request {n} or the end", lambda: self.state("break")["hits"] > 0 or over(), 60, EVERY)
        hit = self.state("break")["hits"] > 0
        if hit and kind == "hold-reply":
            self.operator.kill()
            self.forget("break")
            self.operator = self.start()
        until(f"the end after request {n} ({service}, {kind})", over, 60, EVERY)
        if kind != "hold-reply" or not hit:
            hit = self.state("break")["hits"] > 0
            self.forget("break")
        return hit

    def check_orphans(self, s, what):
        """Of tokens that carry the secret's mark and are in no version only those live that a try minted which did not come to its put: it died, or its answer
        came too late. They go as leftovers when they are an hour old."""
        secret = self.sandbox.secret(s.id)
        stored = {json.loads(v["secretString"]).get("authorizationId") for v in secret["versions"]}
        marked = {i for i, t in self.influx.truth().items() if f"[keyturn {secret['arn']}" in t["description"]}
        current = json.loads(self.sandbox.value_of(s.id)).get("authorizationId")
        check(stored & marked <= {current}, f"{what}: a stored token that is not current lives")
        tries = [line for log in self.logs for line in open(log) if f'"policy":"{s.name}"' in line and '"step":"createSecret","reason":"Rotating"' in line]
        check(len(marked - stored) < max(len(tries), 1), f"{what}: orphans: {marked - stored} of {len(tries)} tries")


def now(s):
    created = max(v["createdDate"] for v in s.sandbox.secret(s.id)["versions"])
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(time.time(), created + 1)))


def matrix(world, name, case):
    """`case(lane, n, service, kind)` for each n until it says that there was no such request. The number of those that there were."""
    world.operator.end()  # it would do the lanes' work
    taken, broken, over, failures, lock = {s: 0 for s in SERIES}, {s: 0 for s in SERIES}, set(), [], threading.Lock()

    def run(number):
        lane = Lane(world, f"{name}-{number:02}")  # none is the beginning of another
        try:
            while not failures:
                with lock:
                    series = next((s for s in SERIES if s not in over), None)
                    if series is None:
                        return
                    taken[series] += 1
                    n = taken[series]
                if case(lane, n, *series):
                    with lock:
                        broken[series] += 1
                else:
                    over.add(series)
            lane.influx.truth()
        except Exception as error:  # told by the main thread
            failures.append(f"{lane.ns}: {error!r}\n--- its operator's log ends:\n" + "".join(open(lane.operator.log).readlines()[-15:]))
        finally:
            lane.operator.kill()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(LANES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.sandbox.admin("/faults", method="DELETE")
    world.operator = Operator(world.sandbox)
    check(not failures, "\n".join(failures))
    check(min(broken.values()) > 4, f"too few requests were there to break: {broken}")
    return f"{sum(broken.values())} requests broken"


def check_at_rest(lane, s, what):
    labels = lane.sandbox.secret(s.id)["labels"]
    check(not {"AWSPENDING", "KEYTURN_BATON"} & set(labels), f"{what}: labels left: {labels}")
    value = json.loads(lane.sandbox.value_of(s.id))
    check(lane.influx.works(value["token"]), f"{what}: AWSCURRENT does not work")
    check(lane.sandbox.data(lane.ns, s.name)["token"] == value["token"], f"{what}: the target is not AWSCURRENT")


class Reader:
    """A Deployment that reads the subject's Secret. No kubelet runs here: a pod holds the value of the version that its template was marked with when it was made (before any mark: `first`)."""

    def __init__(self, s, first):
        self.s, self.first = s, first
        self.load = Load(s.sandbox, s.ns, f"{s.name}-app", reading(s.name, "env"))

    def versions(self):
        """Of which versions its pods hold the value."""
        return {p["metadata"].get("annotations", {}).get(mark_of(self.s.name), self.first) for p in self.load.pods()}

    def check_holds(self, version, what):
        check(self.versions() == {version} and self.load.mark(self.s.name) == version, f"{what}: the pods hold {self.versions()}, the mark is {self.load.mark(self.s.name)}")

    def delete(self):
        self.s.sandbox.kube("DELETE", f"{self.load.path}/{self.load.name}")


def rollback(world, name, **spec):
    """Without `rollout` nobody reads the Secret; with it a Deployment is restarted by the rotation, and again on the way back."""
    reads = "rollout" in spec

    def case(lane, n, service, kind):
        what = f"{name}, request {n} ({service}, {kind})"
        s, old = lane.subject(f"{service[0]}{kind[0]}{n}", retirement={"gracePeriod": "1h"}, **spec)
        first = lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
        reader = Reader(s, first) if reads else None
        s.request()
        until("the grace period runs", lambda: s.status().get("retiring", {}).get("earliest"), 60, EVERY)
        bad = lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
        if reader:
            reader.check_holds(bad, what)
        failed = json.loads(lane.sandbox.value_of(s.id))["authorizationId"]
        begin = lambda: lane.sandbox.patch_policy(lane.ns, s.name, {"spec": {"retirement": {"gracePeriod": "0s"}}, "metadata": {"annotations": {"keyturn.dev/rollback-requested-at": now(s)}}})

        def over():
            if reader:
                works = lane.influx.truth().get(failed, {}).get("status") == "active"
                if not works and bad in reader.versions():  # asked later: it held it then, too
                    raise RuntimeError(f"{what}: the token that failed was revoked under a pod")  # nothing that until() waits out
            state = lane.sandbox.secret(s.id)
            return len(state["versions"]) == 3 and "KEYTURN_BATON" not in state["labels"] and json.loads(lane.sandbox.value_of(s.id))["token"] == old["token"] and s.in_sync()

        hit = lane.break_at(n, service, kind, begin, over)
        check_at_rest(lane, s, what)
        check(failed not in lane.influx.truth(), f"{what}: the token that failed is still there")
        lane.check_orphans(s, what)
        if reader:
            reader.check_holds(lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"], what)
            check(reader.load.restarts() == 2, f"{what}: restarted {reader.load.restarts()} times: once there, once back")
            check(s.status()["targets"][0]["rolledOutVersionId"] == s.status()["currentVersionId"], f"{what}: the status does not know that it is rolled out")
            reader.delete()
        s.delete()
        return hit

    return matrix(world, name, case)


@scenario
def killed_at_every_request_of_a_rollback(world):
    return rollback(world, "back")


@scenario
def killed_at_every_request_of_a_rollback_that_restarts_workloads(world):
    return rollback(world, "roll-back", rollout={"restart": "Auto"})


@scenario
def killed_at_every_request_of_an_attempt_that_is_given_up(world):
    """A person rolls out a Deployment that reads the Secret meanwhile; that is no concern of an attempt."""
    def case(lane, n, service, kind):
        what = f"given up, request {n} ({service}, {kind})"
        s, old = lane.subject(f"{service[0]}{kind[0]}{n}", retirement={"gracePeriod": "0s"}, rollout={"restart": "Auto"})
        before = lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
        reader = Reader(s, before)

        def begin():
            # The new token is refused whenever it is tried.
            lane.fault("refuse", service="influxdb", resource="me", namespace=lane.ns, kind="error", status=401, code="unauthorized", message="unauthorized access")
            s.request()
            reader.load.patch({"spec": {"template": {"metadata": {"annotations": {"made-by": "a person"}}}}})

        def over():
            labels = lane.sandbox.secret(s.id)["labels"]
            return "KEYTURN_LATEST" in labels and not {"AWSPENDING", "KEYTURN_BATON"} & set(labels) and "rotation" not in s.status()

        hit = lane.break_at(n, service, kind, begin, over)
        lane.forget("refuse")
        check_at_rest(lane, s, what)
        check(lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"] == before, f"{what}: what was refused is current")
        minted = [t["id"] for t in lane.influx.truth().values() if t["token"] == old["token"]]
        check(minted == [old["id"]], f"{what}: the old token is gone")
        lane.check_orphans(s, what)
        check(len(lane.sandbox.secret(s.id)["versions"]) == 2, f"{what}: more than one attempt")
        check(reader.load.restarts() == 1 and reader.load.mark(s.name) is None, f"{what}: a workload was restarted for a version that never was current")
        until("the person's roll-out ends", lambda: {p["metadata"]["annotations"]["made-by"] for p in reader.load.pods()} == {"a person"}, 60, EVERY)
        reader.delete()
        s.delete()
        return hit

    return matrix(world, "given", case)
