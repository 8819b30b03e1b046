"""The whole life of a credential: minted, synced, rolled out, and revoked when nobody can hold it any more.

Real are Kubernetes with its controllers, pods and their times (KWOK starts and ends them), and InfluxDB with its tokens. Played by the
test is what a kubelet and the applications do: a container's copy of the Secret, and its use until the pod is gone
(`harness/readers.py`). In every scenario here that client must never be refused.
"""

from harness.lane import Lane
from harness.life import Life
from harness.runner import check, check_equal, scenario
from harness.subject import VERSION_ID
from harness.waiting import eventually
from harness.workloads import bare_pod, pods, running_job, template_annotations, ungate, wait_gated, wait_running, workload

_ROUNDS = 3
_READERS = (("Deployment", "by-env", "env"), ("Deployment", "by-volume", "volume"), ("Deployment", "by-subpath", "subPath"),
            ("StatefulSet", "by-envfrom", "envFrom"))


def generation(kube, kind, namespace, name):
    return kube.get(f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/{name}")["metadata"]["generation"]


@scenario("life of a token: 3 Deployments, a StatefulSet, a bare pod and a Job read it while it rotates again and again; nobody is refused")
def again_and_again(world):
    influx, namespace, kube = world.influx(), world.namespace("life"), world.kube
    with Lane(world, "life", influx) as lane:
        life = Life(lane, influx, namespace, "shared")
        kube.apply(*(workload(kind, namespace, name, "shared", how, replicas=2) for kind, name, how in _READERS))
        for _, name, _ in _READERS:
            wait_running(kube, namespace, name, 2)
        generations = [generation(kube, kind, namespace, name) for kind, name, _ in _READERS]
        with life.readers as readers:
            for number in range(_ROUNDS):
                one_round(kube, life, readers, namespace, number)
            for (kind, name, _), before in zip(_READERS, generations):
                check_equal(generation(kube, kind, namespace, name) - before, _ROUNDS, f"restarts of {name}")
                check(life.subject.current() in template_annotations(kube, kind, namespace, name).values(),
                      f"the template of {name} does not name the version")
            uses = readers.check_nobody_refused()
        life.check_only_current_left()
    return f"{_ROUNDS} rotations, {uses} uses"


def one_round(kube, life, readers, namespace, number):
    """One rotation: it waits for the two that nobody restarts, and for them alone, and ends when they do."""
    bare, job, late = f"bare-{number}", f"job-{number}", f"late-{number}"
    kube.apply(bare_pod(namespace, bare, "shared", "env"), running_job(namespace, job, "shared", "volume"))
    wait_running(kube, namespace, bare)
    wait_running(kube, namespace, job)
    old = life.rotate()
    # Started while the new value spreads: its kubelet may still have handed out the old one.
    kube.apply(bare_pod(namespace, late, "shared", "volume"))
    job_pod = pods(kube, namespace, job)[0]["metadata"]["name"]
    eventually("only those that nobody restarts hold the old token",
               lambda: set(readers.holders(old[0])) - {late} == {bare, job_pod}, 60)
    said = life.waits_for(bare, job_pod, *(set(readers.holders(old[0])) & {late}))
    check(not any(name in said for _, name, _ in _READERS), f"it still waits for what was restarted: {said}")
    life.subject.sync_now()
    life.check_alive(old, "the token that pods still hold")
    kube.kubectl("-n", namespace, "delete", "pod", bare, late, "--wait=false")
    life.subject.sync_now()
    life.check_alive(old, "the token that a Job's pod still holds")
    kube.kubectl("-n", namespace, "delete", "job", job, "--wait=false")
    life.wait_gone(old, "the old token")
    life.subject.wait_at_rest()


@scenario("what a token's life costs: at most 14 AWS calls, polls apart; Kubernetes writes are counted")
def costs(world):
    influx, namespace, kube = world.influx(), world.namespace("life-costs"), world.kube
    with Lane(world, "costs", influx) as lane:
        life = Life(lane, influx, namespace, "cheap")
        kube.apply(workload("Deployment", namespace, "app", "cheap", "env"))
        wait_running(kube, namespace, "app")
        life.subject.sync_now()
        mark = lane.wire.mark()
        life.wait_gone(life.rotate(), "the old token")
        life.subject.wait_at_rest()
        calls = [str(r) for r in lane.wire.since(mark, "aws") if r.concerns(life.subject.secret_id)]
        writes = [str(r) for r in lane.wire.since(mark, "kube") if r.write]
    # Looking again whether something changed, while nothing else is to be done, is a poll.
    calls = [call for call, before in zip(calls, ["", *calls]) if not call == before == "DescribeSecret"]
    restarts = [write for write in writes if "/deployments/" in write]
    check_equal(len(restarts), 1, "restarts")
    check(len(calls) <= 14, f"{len(calls)} AWS calls: {', '.join(calls)}")
    # The budget for writes, 8 with events, is for a rotation; roll-out and retirement tell more. A request that times out here tells, too.
    check(len(writes) - 1 <= 17, f"{len(writes) - 1} Kubernetes writes: {', '.join(writes)}")
    return f"{len(calls)} AWS calls, {len(writes) - 1} Kubernetes writes beside the restart (budget: 8)"


@scenario("two namespaces follow one secret: its old token lives until the workloads of both run with the new one")
def two_namespaces(world):
    influx, kube = world.influx(), world.kube
    owner, reader = world.namespace("life-owner"), world.namespace("life-reader")
    world.allow(reader, f"{owner}/*")
    with Lane(world, "two", influx) as lane:
        life = Life(lane, influx, owner, "common")
        follower = life.follower(reader, "copy")
        kube.apply(workload("Deployment", owner, "here", "common", "env"),
                   workload("Deployment", reader, "there", "copy", "volume", gated=True))
        ungate(kube, wait_gated(kube, reader, "there"))
        wait_running(kube, owner, "here")
        wait_running(kube, reader, "there")
        with life.readers as here, life.readers_in(reader, "copy") as there:
            old = life.rotate()
            follower.wait_condition("Synced", "True")
            eventually("the owner's workload holds the new token", lambda: here.holders(life.token()[0]) and not here.holders(old[0]))
            life.waits_for(f"{reader}/copy")
            life.subject.sync_now()
            life.check_alive(old, "the token that the other namespace's pods hold")
            check(there.holders(old[0]), "the other namespace's pod does not hold the old token")
            ungate(kube, wait_gated(kube, reader, "there"))
            life.wait_gone(old, "the old token")
            life.subject.wait_at_rest()
            follower.wait_in_sync()
            check_equal(kube.secret(reader, "copy")["metadata"]["annotations"][VERSION_ID], life.subject.current(), "the follower's version")
            here.check_nobody_refused()
            there.check_nobody_refused()
        life.check_only_current_left()
