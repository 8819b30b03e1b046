"""What must hold of everything that came before, and the end."""

import json
import time

from harness.runner import check, check_equal, scenario
from harness.world import RELEASE

# Fields of a secret that are no secret, and that messages may well name.
NO_SECRETS = ("adminSecretArn", "authorizationId", "url", "engine", "dbIdentifier")


@scenario("metrics: promtool finds nothing to say, the contract's names are there")
def metrics(world):
    text = world.operator.scrape()
    lint = world.run("promtool", "check", "metrics", stdin=text, check_status=False)
    check(lint.returncode == 0 and not (lint.stdout + lint.stderr).strip(),
          f"promtool: {(lint.stdout + lint.stderr).strip()}")
    for name in ("keyturn_rotations_total", "keyturn_rotation_duration_seconds", "keyturn_rotation_step_duration_seconds",
                 "keyturn_policy_ready", "keyturn_policy_last_rotation_timestamp_seconds",
                 "keyturn_policy_next_rotation_timestamp_seconds", "keyturn_policies", "keyturn_syncs_total",
                 "keyturn_sync_lag_seconds", "keyturn_aws_requests_total", "keyturn_aws_request_duration_seconds",
                 "keyturn_kube_requests_total", "keyturn_watch_restarts_total", "keyturn_leader", "keyturn_build_info",
                 "workqueue_depth", "workqueue_adds_total", "process_resident_memory_bytes"):
        check(f"# TYPE {name} " in text, f"{name} is not exported")
    check_equal(world.operator.http("/healthz"), 200, "/healthz")


@scenario("no secret value in logs, events, status, annotations, metrics, workloads, pods, output, command lines or environments; no core dumps")
def redacted(world):
    world.keep_evidence(world.operator)
    values = {v for v in world.markers if len(v) >= 16}
    for secret in all_secrets(world):
        for version in world.aws.versions(secret):
            text = world.aws.call("GetSecretValue", SecretId=secret, VersionId=version).get("SecretString", "")
            try:
                fields = json.loads(text)
            except ValueError:
                fields = {"": text}
            leaves = fields.items() if isinstance(fields, dict) else [("", text)]
            values.update(v for key, v in leaves if isinstance(v, str) and key not in NO_SECRETS and 16 <= len(v) < 4096)
    check(len(values) > 10, f"only {len(values)} values to look for")
    shown = "\n".join(world.evidence)
    logs = "\n".join(operator.logs() for operator in world.operators)
    places = {
        "the operators' logs": logs,
        "policies, metrics, command lines, environments": shown,
        "events": world.kube.text("/apis/events.k8s.io/v1/events"),
        "Secrets' metadata": json.dumps([s["metadata"] for s in world.kube.items("/api/v1/secrets")]),
        "workloads": "\n".join(world.kube.text(f"/apis/apps/v1/{kind}") for kind in ("deployments", "statefulsets", "daemonsets", "controllerrevisions")),
        "pods": world.kube.text("/api/v1/pods"),
        "the output of keyturn's commands": "\n".join(world.printed),
    }
    for place, text in places.items():
        # As JSON shows it, too: quotes and backslashes escaped.
        found = [v for v in values if v in text or json.dumps(v)[1:-1] in text]
        check(not found, f"{len(found)} values are in {place}")
    # What the operator itself signs in with is in its environment and its file, as intended, and nowhere else.
    own = {world.operator.environment["AWS_SECRET_ACCESS_KEY"], world.token_file.read_text()}
    check(not any(value in text for value in own for place, text in places.items() if "environments" not in place),
          "the operator's own credentials are shown")
    cores = [line.split()[4:6] for line in shown.splitlines() if line.startswith("Max core file size")]
    check(cores and all(core == ["0", "0"] for core in cores), f"core dumps are limited to {cores}")
    check('"level":"debug"' in logs, "the operators did not log at debug level")
    return f"{len(values)} values looked for, {len(world.operators)} operators, {len(logs)} characters of log, {len(cores)} looks at processes"


def all_secrets(world):
    names, more = [], {}
    while True:
        page = world.aws.call("ListSecrets", **more)
        names += [entry["Name"] for entry in page["SecretList"]]
        if not page.get("NextToken"):
            return names
        more = {"NextToken": page["NextToken"]}


@scenario("logs are JSON lines that name namespace, policy, secret, version and step")
def logs(world):
    lines = [json.loads(line) for line in world.operator.logs().splitlines()]
    check(lines, "there is no log")
    told = set().union(*(line.keys() for line in lines))
    for key in ("namespace", "policy"):
        check(key in told, f"no line has {key!r}: {sorted(told)}")
    check(any("arn:aws:secretsmanager:" in json.dumps(line) for line in lines), "no line names a secret's ARN")
    check(any("step" in line for line in lines), "no line names a step")


@scenario("SIGTERM: a clean end within 10 s, under load")
def clean_end(world):
    subjects = [world.subject(world.namespace("ending"), f"n{number}") for number in range(5)]
    before = {s.name: s.versions() for s in subjects}
    olds = {s.name: s.current() for s in subjects}
    for subject in subjects:
        subject.request_rotation()
    began = time.monotonic()
    check_equal(world.operator.stop(), 0, "exit status")
    took = time.monotonic() - began
    world.operator.start()
    for subject in subjects:
        subject.wait_rotated(olds[subject.name])
        subject.check_one_new_version(before[subject.name], olds[subject.name])
    return f"{took:.1f} s"


@scenario("chart: upgraded and taken away; policies and Secrets stay")
def uninstalled(world):
    world.helm("upgrade", RELEASE, world.chart, "--wait", "--timeout", "90s")
    subject = world.subject(world.namespace("ending"), "survives")
    world.operator.stop()
    world.helm("uninstall", RELEASE, "--wait")
    check(subject.data() is not None, "the Secret went with the chart")
    subject.object()
    world.helm("install", RELEASE, world.chart, "--wait", "--timeout", "90s")
    world.renew_operator_token()
    world.operator.start()
    old = subject.current()
    subject.request_rotation()
    subject.wait_rotated(old)
