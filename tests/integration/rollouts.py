"""Roll-outs: who is restarted, when, and what happens when it does not become available."""
import hashlib, json, re, time

from commands import ended, run
from harness import Operator, Subject, check, collection, until

SCENARIOS, scenario = collection()
KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def mark_of(secret):
    return "keyturn.dev/secret-" + hashlib.sha256(secret.encode()).hexdigest()[:8]


def reading(secret, way):
    """A pod spec that reads a Secret in one of the ways."""
    container = {"name": "app", "image": "app:1"}
    spec = {"containers": [container]}
    if way == "env":
        container["env"] = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}}]
    elif way == "envFrom":
        container["envFrom"] = [{"secretRef": {"name": secret}}]
    elif way in ("volume", "subPath"):
        container["volumeMounts"] = [{"name": "s", "mountPath": "/s", **({"subPath": "password"} if way == "subPath" else {})}]
        spec["volumes"] = [{"name": "s", "secret": {"secretName": secret}}]
    elif way == "projected":
        container["volumeMounts"] = [{"name": "s", "mountPath": "/s"}]
        spec["volumes"] = [{"name": "s", "projected": {"sources": [{"secret": {"name": secret}}]}}]
    elif way == "init":
        spec["initContainers"] = [{"name": "first", "image": "app:1", "envFrom": [{"secretRef": {"name": secret}}]}]
    elif way == "pull":
        spec["imagePullSecrets"] = [{"name": secret}]
    return spec


class Load:
    """A Deployment, StatefulSet or DaemonSet."""

    def __init__(self, sandbox, ns, name, pod, kind="Deployment", annotations=None, **spec):
        self.sandbox, self.ns, self.name, self.kind = sandbox, ns, name, kind
        self.path = f"/apis/apps/v1/namespaces/{ns}/{KINDS[kind]}"
        template = {"metadata": {"labels": {"app": name}, "annotations": {"made-by": "test", **(annotations or {})}}, "spec": pod}
        body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
                "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **({} if kind == "DaemonSet" else {"replicas": 2}), **spec}}
        sandbox.kube("POST", self.path, body)

    def object(self):
        return self.sandbox.kube("GET", f"{self.path}/{self.name}")

    def patch(self, patch):
        return self.sandbox.kube("PATCH", f"{self.path}/{self.name}", patch, "application/merge-patch+json")

    def mark(self, secret):
        return self.object()["spec"]["template"]["metadata"]["annotations"].get(mark_of(secret))

    def restarts(self):
        """Changes of its spec so far; tests change nothing else of it that counts."""
        return self.object()["metadata"]["generation"] - 1

    def pods(self):
        return [p for p in self.sandbox.kube("GET", f"/api/v1/namespaces/{self.ns}/pods")["items"]
                if any(o["name"] == self.name for o in p["metadata"].get("ownerReferences", []))]


def rotate(subject):
    before = subject.sandbox.secret(subject.id)["labels"]["AWSCURRENT"]
    subject.request()
    until("a rotation", lambda: subject.sandbox.secret(subject.id)["labels"]["AWSCURRENT"] != before)
    return subject.sandbox.secret(subject.id)["labels"]["AWSCURRENT"]


def rolled_out(subject, version):
    def done():
        target = subject.status()["targets"][0]
        check(target.get("rolledOutVersionId") == version and target["versionId"] == version, f"{target}")
        check(subject.condition("RolledOut")["status"] == "True", f"{subject.condition('RolledOut')}")
        return subject.in_sync()
    until(f"{subject.id} is rolled out", done)


@scenario
def every_reader_is_restarted_once(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll", rollout={"restart": "Auto"})
    loads = [Load(sandbox, "it", f"roll-{way.lower()}", reading("roll", way)) for way in ("env", "envFrom", "volume", "subPath", "projected", "init", "pull")]
    loads += [Load(sandbox, "it", "roll-set", reading("roll", "env"), "StatefulSet"), Load(sandbox, "it", "roll-daemon", reading("roll", "env"), "DaemonSet")]
    other = Load(sandbox, "it", "roll-other", reading("another", "env"))
    s.settle()
    check(all(load.mark("roll") is None for load in loads), "the first write of a Secret restarted something")
    check(s.condition("RolledOut")["status"] == "True", "nothing was to be rolled out")
    old = {p["metadata"]["uid"] for load in loads for p in load.pods()}
    version = rotate(s)
    rolled_out(s, version)
    for load in loads:
        check(load.mark("roll") == version, f"{load.name} was not restarted")
        check(load.restarts() == 1, f"{load.name} was restarted {load.restarts()} times")
        check(not old & {p["metadata"]["uid"] for p in load.pods()}, f"{load.name} has old pods")
        check(load.object()["spec"]["template"]["metadata"]["annotations"]["made-by"] == "test", "another annotation was touched")
        ours = [f for f in load.object()["metadata"]["managedFields"] if f["manager"] == "keyturn"]
        check(len(ours) == 1 and ours[0]["fieldsV1"] == {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{mark_of('roll')}": {}}}}}}, f"{ours}")
    check(other.mark("roll") is None, "a workload that reads another Secret was restarted")
    check(not any(e["reason"] in ("RollingOut", "RolledOut") for e in sandbox.events("it") if e["regarding"]["name"] == "roll"), "what the condition says is told by events, too")
    # A restart of the operator restarts nothing.
    world.operator.end()
    world.operator = Operator(sandbox)
    fresh = Subject(sandbox, "it", "roll-fresh")  # whatever the start leads to has happened when this is done
    fresh.settle()
    check(all(load.restarts() == 1 for load in loads), "the operator's start restarted workloads")
    # The next version restarts them all again.
    version = rotate(s)
    rolled_out(s, version)
    check(all(load.mark("roll") == version for load in loads), "the second roll-out left some out")


@scenario
def adopting_a_secret_restarts_nothing(world):
    sandbox = world.sandbox
    sandbox.kube("POST", "/api/v1/namespaces/it/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "roll-adopted"}, "data": {"password": "b2xk"}})
    load = Load(sandbox, "it", "roll-adopter", reading("roll-adopted", "env"))
    s = Subject(sandbox, "it", "roll-adopted", rollout={"restart": "Auto"}, targets=[{"name": "roll-adopted", "adopt": True}])
    s.settle()
    check(load.mark("roll-adopted") is None and s.status()["targets"][0]["rolledOutVersionId"] == s.status()["currentVersionId"], "adoption is taken for a new version")


@scenario
def two_policies_restart_a_shared_workload_once(world):
    sandbox = world.sandbox
    first = Subject(sandbox, "it", "roll-a", rollout={"restart": "Auto"})
    second = Subject(sandbox, "it", "roll-b", rollout={"restart": "Listed", "workloads": [{"kind": "Deployment", "name": "roll-shared"}]})
    pod = reading("roll-a", "env")
    pod["containers"][0]["envFrom"] = [{"secretRef": {"name": "roll-b"}}]
    load = Load(sandbox, "it", "roll-shared", pod)
    first.settle()
    second.settle()
    a, b = rotate(first), rotate(second)
    rolled_out(first, a)
    rolled_out(second, b)
    check(load.mark("roll-a") == a and load.mark("roll-b") == b, "one of the two marks was lost")
    check(load.restarts() == 1, f"restarted {load.restarts()} times")
    a = rotate(first)
    rolled_out(first, a)
    check(load.mark("roll-a") == a and load.mark("roll-b") == b, "a mark of the other policy was lost")


@scenario
def followers_roll_out_too(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll-led", rollout={"restart": "Auto"})
    body = {"apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy", "metadata": {"name": "roll-follower"},
            "spec": {"secretId": s.id, "strategy": {"syncOnly": {}}, "targets": [{"name": "roll-followed"}], "rollout": {"restart": "Auto"}}}
    sandbox.kube("POST", "/apis/keyturn.dev/v1alpha1/namespaces/it/rotationpolicies", body)
    load = Load(sandbox, "it", "roll-reader", reading("roll-followed", "volume"))
    s.settle()
    until("the follower is in sync", lambda: sandbox.data("it", "roll-followed"))
    version = rotate(s)
    rolled_out(s, version)
    until("the follower's workload is restarted", lambda: load.mark("roll-followed") == version)
    until("the follower says so", lambda: sandbox.policy("it", "roll-follower")["status"]["targets"][0]["rolledOutVersionId"] == version)


@scenario
def what_kubernetes_will_not_replace_is_named(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll-odd", rollout={"restart": "Auto"})
    paused = Load(sandbox, "it", "roll-paused", reading("roll-odd", "env"), paused=True)
    Load(sandbox, "it", "roll-ondelete", reading("roll-odd", "env"), "StatefulSet", updateStrategy={"type": "OnDelete"})
    asleep = Load(sandbox, "it", "roll-asleep", reading("roll-odd", "env"), replicas=0)
    s.settle()
    version = rotate(s)
    def named():
        told = s.condition("RolledOut")
        check(told["status"] == "False" and told["reason"] == "HeldBack", f"{told}")
        return "Deployment/roll-paused is paused" in told["message"] and "StatefulSet/roll-ondelete has updateStrategy OnDelete" in told["message"]
    until("the paused and the OnDelete one are named", named)
    check(paused.mark("roll-odd") == version, "a paused Deployment is not prepared for its resumption")
    check(asleep.mark("roll-odd") is None, "a workload without pods was restarted")
    check(s.condition("Ready")["status"] == "True", "what a person holds back makes the policy not ready")
    until("it waits for nothing", s.in_sync)


@scenario
def roll_out_that_never_comes_up_holds(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll-hold", rollout={"restart": "Auto", "timeout": "2s"})
    load = Load(sandbox, "it", "roll-stuck", reading("roll-hold", "env"))
    s.settle()
    sandbox.admin("/kube/rollouts", {"automatic": False})
    try:
        version = rotate(s)
        until("the time-out is told", lambda: s.condition("RolledOut").get("reason") == "RolloutTimedOut" and "Deployment/roll-stuck" in s.condition("RolledOut")["message"])
        check(s.condition("Ready")["status"] == "False", "the policy is ready")
        check(s.status()["rotation"]["step"] == "rollout", "the step is not shown")
        ended(run(world, "plan", s.name, "-n", "it", "--config", world.operator.config), 0, "Rollout (RollingOut)", "Deployment/roll-stuck")
        check(any(e["reason"] == "RolloutTimedOut" for e in sandbox.events("it")), "no event")
        check('keyturn_policies{condition="RolledOut",status="False",reason="RolloutTimedOut"} 1' in world.operator.metrics(), "no metric")
    finally:
        sandbox.admin("/kube/rollouts", {"automatic": True})
    load.patch({"metadata": {"labels": {"touched": "yes"}}})  # the controller works again
    sandbox.patch_policy("it", s.name, {"spec": {"suspend": True}})  # and so that nobody waits a minute for the next look
    rolled_out(s, version)
    until("its late end is told", lambda: s.event("RolledOut"))


@scenario
def roll_out_that_never_comes_up_is_rolled_back(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll-back", rollout={"restart": "Auto", "timeout": "2s", "onFailure": "Rollback"})
    load = Load(sandbox, "it", "roll-returns", reading("roll-back", "env"))
    s.settle()
    good = json.loads(sandbox.value_of(s.id))
    sandbox.admin("/kube/rollouts", {"automatic": False})
    try:
        bad = rotate(s)
        until("the old value is back in a new version", lambda: sandbox.secret(s.id)["labels"]["AWSCURRENT"] != bad and json.loads(sandbox.value_of(s.id)) == good)
    finally:
        sandbox.admin("/kube/rollouts", {"automatic": True})
    back = sandbox.secret(s.id)["labels"]["AWSCURRENT"]
    load.patch({"metadata": {"labels": {"touched": "yes"}}})
    until("the workload follows", lambda: load.mark("roll-back") == back)
    rolled_out(s, back)
    check(s.status()["history"][0]["trigger"] == "rollback", f"{s.status()['history']}")
    check(any(e["reason"] == "RollingBack" for e in sandbox.events("it")), "no event")


@scenario
def rollback_on_request(world):
    sandbox = world.sandbox
    s = Subject(sandbox, "it", "roll-asked", rollout={"restart": "Auto"})
    load = Load(sandbox, "it", "roll-asked-load", reading("roll-asked", "env"))
    s.settle()
    good = json.loads(sandbox.value_of(s.id))
    bad = rotate(s)
    rolled_out(s, bad)
    created = max(v["createdDate"] for v in sandbox.secret(s.id)["versions"])
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(time.time(), created + 1)))
    sandbox.patch_policy("it", s.name, {"metadata": {"annotations": {"keyturn.dev/rollback-requested-at": at}}})
    until("the old value is current again", lambda: sandbox.secret(s.id)["labels"]["AWSCURRENT"] != bad and json.loads(sandbox.value_of(s.id)) == good)
    back = sandbox.secret(s.id)["labels"]["AWSCURRENT"]
    rolled_out(s, back)
    check(load.mark("roll-asked") == back, "the workload does not run with the version that went back")
    check(s.status()["lastHandledRollbackRequest"] == at, "the request is not noted")
    versions = len(sandbox.secret(s.id)["versions"])
    sandbox.patch_policy("it", s.name, {"spec": {"suspend": True}})  # another look: the request counts once
    s.settle()
    until("the new spec is seen", lambda: s.status()["observedGeneration"] == sandbox.policy("it", s.name)["metadata"]["generation"])
    check(len(sandbox.secret(s.id)["versions"]) == versions, "one request, two rollbacks")


@scenario
def what_a_rotation_counts_was_there_at_zero(world):
    """A rate misses what a series begins with: each that a rotation moves stands in the scrape of an operator that has done nothing yet."""
    def series(operator):
        lines = [line.rsplit(" ", 1)[0] for line in operator.metrics().splitlines()]
        return {line for line in lines if line.startswith("keyturn_rotation_step_duration_seconds_count") or re.match(r'keyturn_kube_requests_total\{code="2', line)}

    idle = Operator(world.sandbox, settings=Operator.CONFIG + "namespaces: [nowhere]\n", name="idle-", until_it="listens")
    zero = series(idle)
    idle.end()
    load = Load(world.sandbox, "it", "counted", reading("counted", "env"))
    s = Subject(world.sandbox, "it", "counted", rollout={"restart": "Auto"})
    s.settle()
    before = load.restarts()
    s.request()
    until("a rotation and its roll-out", lambda: load.restarts() > before)
    s.settle()
    seen = series(world.operator)
    check('keyturn_rotation_step_duration_seconds_count{outcome="ok",step="sync",strategy="generic"}' in seen, "no step sync")
    check(not seen - zero, f"not there at 0: {sorted(seen - zero)}")
