"""Roll-outs that never become available: held, or rolled back.

The new pods carry a scheduling gate, so that the test decides which of them may ever run, as a bad image or a full cluster would.
"""

from harness.lane import Lane
from harness.life import AUTO, Life
from harness.runner import check, check_equal, scenario
from harness.waiting import eventually
from harness.workloads import KEY, pods, running, ungate, wait_gated, wait_running, workload


@scenario("roll-out that never becomes available: it holds, the old token works, and what becomes available late counts")
def held(world):
    influx, namespace, kube = world.influx(), world.namespace("life-held"), world.kube
    with Lane(world, "held", influx) as lane:
        life = Life(lane, influx, namespace, "held", {**AUTO, "timeout": "3s"})
        kube.apply(workload("Deployment", namespace, "stuck", "held", "env", gated=True))
        ungate(kube, wait_gated(kube, namespace, "stuck"))
        wait_running(kube, namespace, "stuck")
        with life.readers as readers:
            old = life.rotate()
            life.subject.wait_condition("RolledOut", "False", "stuck", reason="RolloutTimedOut")
            check_equal(life.subject.condition("Ready").get("status"), "False", "Ready")
            life.subject.sync_now()
            life.check_alive(old, "the old token of a roll-out that is held")
            check(readers.holders(old[0]), "nobody holds the old token any more")
            ungate(kube, wait_gated(kube, namespace, "stuck"))
            life.subject.sync_now()
            life.wait_gone(old, "the old token after all", 120)
            life.subject.wait_at_rest()
            readers.check_nobody_refused()
        life.check_only_current_left()


@scenario("roll-out that never becomes available, onFailure Rollback: the old token comes back, the failed one is revoked")
def rolled_back(world):
    influx, namespace, kube = world.influx(), world.namespace("life-back"), world.kube
    with Lane(world, "back", influx) as lane:
        life = Life(lane, influx, namespace, "back", {**AUTO, "timeout": "3s", "onFailure": "Rollback"})
        kube.apply(workload("Deployment", namespace, "stuck", "back", "env", gated=True))
        ungate(kube, wait_gated(kube, namespace, "stuck"))
        wait_running(kube, namespace, "stuck")
        first = life.subject.current()
        with life.readers as readers:
            old = life.rotate()
            bad, failed = life.token(), life.subject.current()
            eventually("a third version is current", lambda: life.subject.current() not in (first, failed), 60)
            check_equal(life.token(), old, "the token that came back")

            def starts_with_the_third():
                for pod in pods(kube, namespace, "stuck"):
                    restarted_for = pod["metadata"].get("annotations", {}).values()
                    if pod["spec"].get("schedulingGates") and life.subject.current() in restarted_for:
                        ungate(kube, pod)
                return [pod for pod in pods(kube, namespace, "stuck")
                        if running(pod) and life.subject.current() in pod["metadata"].get("annotations", {}).values()]

            eventually("the workload runs with the version that came back", starts_with_the_third, 60)
            life.wait_gone(bad, "the token that failed")
            life.subject.wait_at_rest()
            readers.check_nobody_refused()
        check_equal(life.subject.data()[KEY].decode(), old[0], "the Secret's token")
        life.check_alive(old, "the token that came back")
        check(any(event["reason"] == "RollingBack" for event in life.subject.events()), "no event tells of it")
        check_equal(life.marked(), set(), "tokens that Keyturn made and that still live")
