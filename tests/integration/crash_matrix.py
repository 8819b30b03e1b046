"""The operator killed at every request of a rollback and of an attempt that is given up, and each request with its answer lost after it took effect. Lanes,
each a namespace with an operator, an InfluxDB server and faults of its own, take the requests one after the other, since each case waits for quiet twice."""
import json, threading, time

from harness import Operator, Subject, check, collection, until
from influxdb import Influx

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
        lane = Lane(world, f"{name}-{number}")
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


@scenario
def killed_at_every_request_of_a_rollback(world):
    def case(lane, n, service, kind):
        what = f"rollback, request {n} ({service}, {kind})"
        s, old = lane.subject(f"{service[0]}{kind[0]}{n}", retirement={"gracePeriod": "1h"})
        s.request()
        until("the grace period runs", lambda: s.status().get("retiring", {}).get("earliest"), 60, EVERY)
        failed = json.loads(lane.sandbox.value_of(s.id))["authorizationId"]
        begin = lambda: lane.sandbox.patch_policy(lane.ns, s.name, {"spec": {"retirement": {"gracePeriod": "0s"}}, "metadata": {"annotations": {"keyturn.dev/rollback-requested-at": now(s)}}})

        def over():
            state = lane.sandbox.secret(s.id)
            return len(state["versions"]) == 3 and "KEYTURN_BATON" not in state["labels"] and json.loads(lane.sandbox.value_of(s.id))["token"] == old["token"] and s.in_sync()

        hit = lane.break_at(n, service, kind, begin, over)
        check_at_rest(lane, s, what)
        check(failed not in lane.influx.truth(), f"{what}: the token that failed is still there")
        lane.check_orphans(s, what)
        s.delete()
        return hit

    return matrix(world, "back", case)


@scenario
def killed_at_every_request_of_an_attempt_that_is_given_up(world):
    def case(lane, n, service, kind):
        what = f"given up, request {n} ({service}, {kind})"
        s, old = lane.subject(f"{service[0]}{kind[0]}{n}", retirement={"gracePeriod": "0s"})
        before = lane.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
        # The new token is refused whenever it is tried.
        begin = lambda: (lane.fault("refuse", service="influxdb", resource="me", namespace=lane.ns, kind="error", status=401, code="unauthorized", message="unauthorized access"), s.request())

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
        s.delete()
        return hit

    return matrix(world, "given", case)
