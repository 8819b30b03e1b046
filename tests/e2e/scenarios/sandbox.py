"""The embedded default: that real kubectl can be used on what the quick start leaves running, and that the sandbox answers as the real API server does."""

import json
import os
import signal

from harness.kube import KubectlFailed
from harness.processes import Process
from harness.runner import NotRun, check, check_equal, scenario
from harness.waiting import eventually


def programs_beside(world):
    """The folder with keyturn and keyturn-sandbox of one build."""
    folder = world.binary.absolute().parent
    if not (folder / "keyturn-sandbox").exists():
        raise NotRun(f"keyturn-sandbox is not beside {world.binary.name}")
    return folder


class Kubectl:
    """kubectl as a person has it: the kubeconfig from the environment, the current directory its own."""

    def __init__(self, world, kubeconfig):
        self._world = world
        self.environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(world.folder), "PATH": "/usr/bin:/bin"}
        self.program = world.programs / "kubectl"

    def __call__(self, *arguments, stdin=None, **environment):
        done = self._world.run(self.program, *arguments, check_status=False, stdin=stdin, **{**self.environment, **environment})
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def rotated(policy, before):
    return policy["status"].get("currentVersionId") not in (None, before)


@scenario("sandbox: the quick start stays, and real kubectl gets, describes, explains, applies, annotates, edits, watches and deletes on it")
def kubectl_on_the_quick_start(world):
    folder = programs_beside(world)
    # What a shell started in the background ignores Ctrl-C, and hands that down.
    quick_start = Process(world.folder, "quickstart", ["env", "--default-signal=INT", world.repository / "scripts" / "quickstart.sh", "--stay"],
                          env={**os.environ, "KT_BIN": str(folder)}, owned=True)
    quick_start.start()
    try:
        eventually("the quick start stays", lambda: quick_start.must_run() or "Everything keeps running" in quick_start.log.read_text(), 180)
        printed = [line for line in quick_start.log.read_text().splitlines() if line.startswith("export KUBECONFIG=")]
        kubectl = Kubectl(world, printed[0].partition("=")[2])
        note = a_persons_day(world, kubectl)
    finally:
        quick_start.signal(signal.SIGINT)
        status = quick_start.wait(30)
    check_equal(status, 130, "the quick start's exit status after Ctrl-C")
    return note


def a_persons_day(world, kubectl):
    def policy():
        return json.loads(kubectl("-n", "shop", "get", "rotpol", "orders-api", "-o", "json"))

    check("rotationpolicies" in kubectl("api-resources", "--api-group=keyturn.dev"), "api-resources does not list rotationpolicies")
    check("schedule" in kubectl("explain", "rotationpolicy.spec"), "explain does not know the spec")
    table = kubectl("get", "rotpol", "-A").splitlines()
    check_equal(table[0].split("  ")[0], "NAMESPACE", "first column")
    for column in ("SECRET", "STRATEGY", "READY", "LAST ROTATION", "NEXT ROTATION"):
        check(column in table[0], f"no column {column}: {table[0]}")
    check("shop/orders-api" in table[1] and "True" in table[1], f"the policy's line: {table[1]}")
    said = kubectl("-n", "shop", "describe", "rotpol", "orders-api")
    check("Events:" in said and "Rotat" in said.partition("Events:")[2], f"describe shows no event of a rotation:\n{said[-800:]}")

    watch = Process(world.folder, "kubectl-watch", [kubectl.program, "-n", "shop", "get", "secret", "orders-api", "--watch", "-o",
                                                    r"jsonpath={.metadata.annotations.keyturn\.dev/version-id}{'\n'}"],
                    env=kubectl.environment, owned=True)
    watch.start()
    try:
        before = policy()["status"]["currentVersionId"]
        eventually("the watch has begun", lambda: watch.must_run() or before in watch.log.read_text())
        kubectl("-n", "shop", "annotate", "rotpol", "orders-api", "--overwrite",
                "keyturn.dev/rotate-requested-at=" + world.run("date", "-u", "+%Y-%m-%dT%H:%M:%SZ").stdout.strip())
        eventually("annotate rotates", lambda: rotated(policy(), before), 60)
        eventually("the watch shows it", lambda: len(set(watch.log.read_text().split())) > 1)
    finally:
        watch.stop()

    kubectl("-n", "shop", "edit", "rotpol", "orders-api", KUBE_EDITOR="sed -i s/OLD_API_KEY/FORMER_API_KEY/")
    eventually("the Secret follows the edit", lambda: set(json.loads(kubectl("-n", "shop", "get", "secret", "orders-api", "-o", "json"))["data"])
               == {"API_KEY", "FORMER_API_KEY"})
    follower = json.dumps({"apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy", "metadata": {"namespace": "shop", "name": "reader"},
                           "spec": {"secretId": "shop/orders-api", "strategy": {"syncOnly": {}},
                                    # With its defaults: kubectl compares lists of custom resources as a whole, and would say "configured".
                                    "targets": [{"name": "reader", "type": "Opaque", "adopt": False, "deletionPolicy": "Retain"}]}})
    for verb in ("created", "unchanged"):
        check_equal(kubectl("apply", "-f", "-", stdin=follower).strip(), f"rotationpolicy.keyturn.dev/reader {verb}", "apply")
    kubectl("-n", "shop", "wait", "--for=condition=Ready", "rotpol/reader", "--timeout=30s")
    kubectl("-n", "shop", "get", "secret", "reader")
    try:
        kubectl("apply", "-f", "-", stdin=follower.replace("syncOnly", "syncNolny"))
    except KubectlFailed as refused:
        check("spec.strategy" in str(refused) and "syncOnly" in str(refused), f"the refusal does not say what spec.strategy may hold: {refused}")
    else:
        raise AssertionError("a misspelt strategy was applied")
    kubectl("-n", "shop", "delete", "rotpol", "reader", "--timeout=30s")
    check_equal(kubectl("-n", "shop", "get", "rotpol", "-o", "name").split(), ["rotationpolicy.keyturn.dev/orders-api"], "policies after delete")
    return "quickstart --stay ended by Ctrl-C"


@scenario("sandbox: it answers as the real API server")
def as_the_real_one(world):
    folder = programs_beside(world)
    place = world.folder / "compared-sandbox"
    place.mkdir(exist_ok=True)
    sandbox = Process(world.folder, "compared-sandbox", [folder / "keyturn-sandbox", "--dir", place], owned=True)
    sandbox.start()
    try:
        eventually("the sandbox is ready", lambda: sandbox.must_run() or (place / "ready").exists())
        done = world.run("python3", world.repository / "tests" / "sandbox" / "compare_with_real.py", world.cluster.admin_kubeconfig,
                         place / "kubeconfig", check_status=False, PATH=f"{world.programs}:/usr/bin:/bin")
    finally:
        sandbox.stop()
    check(done.returncode == 0, f"they differ:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]
