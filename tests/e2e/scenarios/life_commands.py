"""What a person does about a credential at 3 a.m.: roll back, revoke, and the leak drill."""

from harness.lane import Lane
from harness.life import Life
from harness.runner import check, check_equal, scenario
from harness.waiting import eventually
from harness.workloads import bare_pod, wait_running, workload

from .commands import ended


class Person:
    """Runs keyturn commands with a person's rights."""

    def __init__(self, world, life):
        self._world, self._life = world, life

    def __call__(self, command, *arguments, status=0, says=()):
        policy = self._life.subject
        done = self._world.keyturn(command, policy.name, "-n", policy.namespace, *arguments,
                                   KUBECONFIG=self._world.cluster.admin_kubeconfig)
        return ended(done, status, *says)


@scenario("keyturn rollback: the old token comes back in a new version, workloads follow, the one that was rolled back is revoked")
def rollback(world):
    influx, namespace, kube = world.influx(), world.namespace("life-commands"), world.kube
    with Lane(world, "rollback", influx) as lane:
        life = Life(lane, influx, namespace, "regretted", retirement={"gracePeriod": "10m"})
        person, first = Person(world, life), life.subject.current()
        kube.apply(workload("Deployment", namespace, "app", "regretted", "env"))
        wait_running(kube, namespace, "app")
        with life.readers as readers:
            person("rollback", status=1, says=("no old credential",))
            old = life.rotate()
            bad, second = life.token(), life.subject.current()
            eventually("the workload holds the new token", lambda: readers.holders(bad[0]) and not readers.holders(old[0]), 60)
            eventually("the grace period has begun", lambda: life.retiring().get("earliest"))
            person("rollback", says=("asked for",))
            life.wait_written(second)
            check(life.subject.current() != first, "AWSCURRENT was moved back")
            check_equal(life.token(), old, "the token that came back")
            eventually("the workload holds the old token again", lambda: readers.holders(old[0]) and not readers.holders(bad[0]), 60)
            life.check_alive(bad, "the token that was rolled back, in its grace period")
            person("revoke", "--yes", says=("asked for",))
            life.wait_gone(bad, "the token that was rolled back")
            life.subject.wait_at_rest()
            readers.check_nobody_refused()
        life.check_alive(old, "the token that came back")
        check_equal(life.marked(), set(), "tokens that Keyturn made and that still live")


@scenario("keyturn revoke: shows who still holds the old token, does nothing without --yes, ends a waiting retirement with it")
def revoke(world):
    influx, namespace, kube = world.influx(), world.namespace("life-commands"), world.kube
    with Lane(world, "revoke", influx) as lane:
        life = Life(lane, influx, namespace, "held")
        person = Person(world, life)
        kube.apply(bare_pod(namespace, "forgotten", "held", "env"))
        wait_running(kube, namespace, "forgotten")
        with life.readers as readers:
            person("revoke", "--yes", status=1, says=("no old credential",))
            old = life.rotate()
            life.waits_for("forgotten")
            person("revoke", status=1, says=("forgotten", "--yes"))
            person("status", says=("forgotten", "revoke"))
            life.subject.sync_now()
            life.check_alive(old, "the old token, which nobody asked to revoke")
            readers.check_nobody_refused()
            person("revoke", "--yes", says=("forgotten",))
            life.wait_gone(old, "the old token")
            life.subject.wait_at_rest()
        kube.kubectl("-n", namespace, "delete", "pod", "forgotten", "--wait=false")
        life.check_only_current_left()


@scenario("keyturn rotate --revoke-now --wait, the leak drill: rotated, rolled out, revoked without a grace period; a waiting retirement first")
def drill(world):
    influx, namespace, kube = world.influx(), world.namespace("life-commands"), world.kube
    with Lane(world, "drill", influx) as lane:
        life = Life(lane, influx, namespace, "leaked", retirement={"gracePeriod": "10m"})
        person = Person(world, life)
        kube.apply(workload("Deployment", namespace, "drilled", "leaked", "env"))
        wait_running(kube, namespace, "drilled")
        with life.readers as readers:
            first = life.rotate()
            eventually("the grace period has begun", lambda: life.retiring().get("earliest"), 60)
            leaked, version = life.token(), life.subject.current()
            person("rotate", "--revoke-now", "--wait", says=("revoked",))
            check(life.subject.current() != version, "it ended before the rotation")
            for token, what in ((first, "the token that waited"), (leaked, "the token that leaked")):
                check(not life.works(token), f"{what} works after the drill")
            life.subject.wait_at_rest()
            check(readers.holders(life.token()[0]), "nobody holds the new token")
            readers.check_nobody_refused()
        life.check_only_current_left()
