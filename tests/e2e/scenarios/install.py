"""The chart on a real API server, and what the server itself refuses by the CRD."""

import json

import yaml

from harness.kube import KubectlFailed
from harness.runner import check, check_equal, scenario
from harness.subject import GENERIC_PASSWORD, manifest
from harness.world import OPERATOR_NAMESPACE, RELEASE


@scenario("chart: lints, is installed, its Deployment becomes available")
def chart(world):
    world.helm("lint", "--strict", world.chart)
    deployments = json.loads(world.kube.kubectl("-n", "keyturn-system", "get", "deployments", "-o", "json"))["items"]
    check_equal([d["status"].get("availableReplicas") for d in deployments], [d["spec"]["replicas"] for d in deployments],
                "available replicas")
    check(len(deployments) == 1, f"expected one Deployment, got {len(deployments)}")
    pod = deployments[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    security = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
    check(security.get("runAsNonRoot") is True, "runs as root")
    check(security.get("readOnlyRootFilesystem") is True, "the root file system can be written")
    check(security.get("allowPrivilegeEscalation") is False, "privileges can grow")
    check_equal(security.get("seccompProfile", {}).get("type"), "RuntimeDefault", "seccomp profile")
    check(container.get("livenessProbe") and container.get("readinessProbe"), "a probe is missing")
    check(container.get("resources", {}).get("requests"), "no resources are requested")


@scenario("chart: the operator may do what its role says and no more")
def rights(world):
    token_user = ["--token", world.operator_token()]

    def may(verb, resource, namespace="t-rights"):
        answer = world.run(world.programs / "kubectl", "auth", "can-i", verb, resource, "-n", namespace,
                           "--server", world.cluster.server, "--certificate-authority", world.cluster.authority,
                           *token_user, check_status=False, KUBECONFIG="/dev/null")
        return answer.stdout.strip() == "yes"

    for verb, resource in (("watch", "secrets"), ("patch", "secrets"), ("patch", "rotationpolicies/status"),
                           ("create", "events.events.k8s.io")):
        check(may(verb, resource), f"the rendered role does not allow {verb} {resource}")
    for verb, resource in (("create", "rotationpolicies"), ("delete", "rotationpolicies"), ("create", "pods"),
                           ("delete", "namespaces"), ("update", "clusterroles"), ("impersonate", "users"),
                           ("deletecollection", "secrets"), ("get", "nodes")):
        check(not may(verb, resource), f"the rendered role allows {verb} {resource}")


def documents(text):
    """kubectl prints JSON objects one after the other."""
    found, text = [], text.strip()
    while text:
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


@scenario("chart: limited to namespaces it asks for no cluster-wide right on Secrets")
def namespaced(world):
    rendered = world.helm("template", RELEASE, world.chart, "--set", "namespaces={t-one,t-two}")
    objects = documents(world.kube.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=rendered))
    cluster_wide = [rule for each in objects if each["kind"] == "ClusterRole" for rule in each["rules"]]
    check(not any("secrets" in rule.get("resources", []) for rule in cluster_wide), "a ClusterRole still names secrets")
    held = {each["metadata"]["namespace"] for each in objects if each["kind"] == "Role"
            and any("secrets" in rule.get("resources", []) for rule in each["rules"])}
    check_equal(held, {"t-one", "t-two"}, "namespaces with a Role on secrets")


@scenario("chart: limited to one namespace, an operator with that release's rights and rendered config rotates there and nowhere else")
def limited(world):
    inside, outside = world.namespace("limited"), world.namespace("unlimited")
    access = [{"namespaces": ["t-*"], "secrets": ["{namespace}/**"]}]
    world.helm("install", "limited", world.chart, "--skip-crds", "--set", f"namespaces={{{inside}}}", "--set-json", f"config.access={json.dumps(access)}")
    try:
        rendered = world.kube.kubectl("-n", OPERATOR_NAMESPACE, "get", "configmap", "limited-keyturn", "-o", r"jsonpath={.data.config\.yaml}")
        file = world.folder / "rendered.yaml"
        file.write_text(rendered)
        judged = world.keyturn("validate", "--config", file)
        check_equal(judged.returncode, 0, f"keyturn validate of the rendered config ({judged.stdout}{judged.stderr}), status")
        world.operator.stop()
        operator = world.operator_of("limited", {**yaml.safe_load(rendered), "minRotationInterval": "1s"})
        world.in_use = operator, world.wire
        mark = world.wire.mark()
        operator.start()
        elsewhere = world.subject(outside, "out-of-reach", in_sync=False)
        subject = world.subject(inside, "in-reach")
        before = subject.current()
        subject.request_rotation()
        subject.wait_rotated(before)
        requests = world.wire.since(mark)
        refused_ = [r for r in requests if r.status in (401, 403)]
        check(not refused_, f"refused: {', '.join(map(str, refused_))}")
        beyond = [r for r in requests if r.upstream == "kube" and f"/namespaces/{inside}/" not in r.path and r.path.startswith(("/api/", "/apis/keyturn.dev/"))]
        check(not beyond, f"asked beyond the namespace: {', '.join(map(str, beyond))}")
        check(not elsewhere.object().get("status"), "a policy of another namespace has a status")
        check_equal(operator.stop(), 0, "exit status")
    finally:
        world.helm("uninstall", "limited")


@scenario("CRD: the API server refuses what can never work")
def refused(world):
    namespace = world.namespace("schema")

    def policy(strategy=None, **spec):
        return manifest(namespace, "refused", "t-schema/refused", GENERIC_PASSWORD if strategy is None else strategy,
                        ["refused"], **spec)

    many = [f"target-{n}" for n in range(17)]
    attempts = {
        "a misspelt strategy": policy({"genericc": {}}),
        "no strategy": policy({}),
        "two strategies": policy({"generic": {}, "syncOnly": {}}),
        "a region that is no region": policy(region="eu-west-1.evil.example/"),
        "17 targets": manifest(namespace, "refused", "t-schema/refused", GENERIC_PASSWORD, many),
        "a service-account token as target": manifest(
            namespace, "refused", "t-schema/refused", GENERIC_PASSWORD,
            [{"name": "x", "type": "kubernetes.io/service-account-token"}]),
        "a reserved label on a target": manifest(
            namespace, "refused", "t-schema/refused", GENERIC_PASSWORD,
            [{"name": "x", "metadata": {"labels": {"keyturn.dev/managed": "false"}}}]),
        "a refresh every second": policy(refreshInterval="1s"),
    }
    accepted = []
    for what, attempt in attempts.items():
        try:
            world.kube.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(attempt))
            accepted.append(what)
        except KubectlFailed:
            pass
    check(not accepted, f"accepted: {', '.join(accepted)}")


@scenario("CRD: the API server decides each case of the unit tests as the operator's own parser does")
def decided_alike(world):
    done = world.run("python3", world.repository / "tests" / "e2e" / "crd_cases.py", check_status=False,
                     PATH=f"{world.programs}:/usr/bin:/bin", KUBECONFIG=world.cluster.admin_kubeconfig)
    check(done.returncode == 0, f"{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]


@scenario("CRD: the identity of a secret cannot be changed")
def immutable(world):
    namespace = world.namespace("schema")
    subject = world.subject(namespace, "fixed")
    for change in ({"secretId": "t-schema/other"}, {"region": "us-east-1"}):
        try:
            subject.patch(change)
        except KubectlFailed as refused_:
            check("immutable" in str(refused_).lower(), f"the refusal of {change} does not say why: {refused_}")
        else:
            raise AssertionError(f"{change} was accepted")
