"""The programs as people and machines meet them: commands and their exit statuses, bad access, signals, logs, metrics."""
import json, os, re, shutil, signal, subprocess, urllib.error, urllib.request

from harness import MARKER, PATIENCE, Operator, Subject, check, collection, until

SCENARIOS, scenario = collection()


def run(world, *arguments, name="keyturn", stdin=None, **env):
    done = subprocess.run([f"{world.sandbox.binaries}/{name}", *map(str, arguments)], env={**world.sandbox.env, **env}, input=stdin,
                          capture_output=True, text=True, timeout=60 * PATIENCE)
    done.said = done.stdout + done.stderr
    check(MARKER not in done.said, f"{arguments} shows a secret value")
    return done


def ended(done, status, *words):
    check(done.returncode == status, f"{done.args[1:]} ended with {done.returncode}: {done.said}")
    for word in words:
        check(word.lower() in done.said.lower(), f"{done.args[1:]} does not say {word!r}: {done.said}")
    return done


@scenario
def commands_and_exit_statuses(world):
    s = Subject(world.sandbox, "it", "cmd")
    s.settle()
    here = ("-n", "it")
    table = ended(run(world, "status", *here), 0).stdout.splitlines()
    check(re.split(r"  +", table[0].strip()) == ["NAME", "SECRET", "STRATEGY", "STATE", "SYNCED", "LAST ROTATION", "NEXT ROTATION"], f"header {table[0]!r}")
    check(any(line.split()[:5] == ["cmd", "it/cmd", "generic", "Ready", "1/1"] for line in table), "the policy's row is not there")
    ended(run(world, "status", "-A"), 0, "NAMESPACE", "it/cmd")
    ended(run(world, "status", "cmd", *here), 0, "RotationPolicy it/cmd", "AWSCURRENT", "schedule", "history")
    check(json.loads(ended(run(world, "status", "cmd", *here, "-o", "json"), 0).stdout)["spec"]["secretId"] == "it/cmd", "status -o json")
    ended(run(world, "status", *here, "-o", "yaml"), 0, "secretId: it/cmd")
    ended(run(world, "plan", "cmd", *here, "--config", world.operator.config), 0, "Nothing", "allowed by a rule for namespace it")
    before = world.sandbox.secret(s.id)
    waited = ended(run(world, "rotate", "cmd", *here, "--wait"), 0, "createSecret:", "finishSecret:", "sync:", "rotated it/cmd", "is current")
    s.one_new_version(before)
    check(world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] in waited.said, "the new version is not named")
    bad = Subject(world.sandbox, "it", "cmd-bad", value='{"user":"x"}')
    ended(run(world, "rotate", "cmd-bad", *here, "--wait"), 1, "/password")
    ended(run(world, "rotate", "nobody", *here), 1, 'no RotationPolicy "nobody" in namespace it', "keyturn status -A")
    ended(run(world, "status", "nobody", *here), 1, "nobody")
    ended(run(world, "plan", "nobody", *here), 1, "nobody")
    reader = Subject(world.sandbox, "it", "cmd-reader", {"syncOnly": {}}, secret=s.id)
    reader.settle()
    ended(run(world, "rotate", "cmd-reader", *here), 1, "syncOnly", "sync-requested-at")
    ended(run(world, "plan", "cmd-reader", *here), 0, "InSync")
    for usage in (("no-such-command",), ("rotate",), (), ("status", "-o", "xml"), ("validate",), ("status", "-A", "-n", "it")):
        ended(run(world, *usage), 2)
    ended(run(world, "version"), 0, "keyturn")
    ended(run(world, "--help"), 0, "controller")


@scenario
def plan_names_the_rule_that_is_missing(world):
    s = Subject(world.sandbox, "it", "cmd-denied", secret="somewhere/else")
    s.says("Stalled", "True", reason="NoAccessRule")
    for more in (("--config", world.operator.config), ()):
        ended(run(world, "plan", "cmd-denied", "-n", "it", *more), 1, "DENIED", 'secrets: ["somewhere/else"]')
    # The operator finds what it found before and writes nothing.
    ended(run(world, "rotate", "cmd-denied", "-n", "it", "--wait"), 1, "stalled already", "NoAccessRule", "the request stands")


@scenario
def a_suspended_request_is_shown_not_dropped(world):
    s = Subject(world.sandbox, "it", "suspended", suspend=True)
    s.settle()
    before = world.sandbox.secret(s.id)
    ended(run(world, "rotate", "suspended", "-n", "it", "--wait", "--timeout", "4s"), 1, "spec.suspend is true", "no end within 4s")
    until("it is told", lambda: "spec.suspend is true" in (s.event("RotationDeferred") or {"note": ""})["note"])
    check(world.sandbox.secret(s.id)["versions"] == before["versions"], "it rotated although it is suspended")
    ended(run(world, "plan", "suspended", "-n", "it"), 0, "Suspended")
    world.sandbox.patch_policy("it", "suspended", {"spec": {"suspend": False}})
    until("the deferred rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()


def foreign_pending(world, s):
    """Stalls the policy: AWSPENDING on a version that somebody else put. Its id."""
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps({"password": MARKER + "-foreign"}), "labels": ["AWSPENDING"]}, "PUT")
    return world.sandbox.secret(s.id)["labels"]["AWSPENDING"]


def mend_while_the_stall_shows(world, s, foreign):
    """What the operator makes of the next command reaches the status only after that command has seen the old condition."""
    ended(run(world, "secret", "discard-pending", foreign, s.id), 0)
    check(s.condition("Stalled").get("reason") == "ForeignPending", "the operator has looked already")
    world.sandbox.fault(service="kubernetes", operation="apply", resource="rotationpolicies/status", name=s.name, kind="delay", delayMs=1500, times=1)


@scenario
def rotate_waits_past_an_old_stall_but_not_a_real_one(world):
    s = Subject(world.sandbox, "it", "cmd-stalled")
    s.settle()
    foreign = foreign_pending(world, s)
    before = world.sandbox.secret(s.id)
    rotate = ("rotate", "cmd-stalled", "-n", "it", "--wait")  # would watch for ten minutes
    for _ in range(2):
        ended(run(world, *rotate), 1, "ForeignPending", foreign, "discard-pending", "the request stands")
    mend_while_the_stall_shows(world, s, foreign)
    ended(run(world, *rotate), 0, "rotated it/cmd-stalled")
    s.settle()
    s.one_new_version(before)


@scenario
def validate_needs_no_cluster(world):
    policy = {"apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy", "metadata": {"name": "p"}, "spec": {"secretId": "a/b", "strategy": {"generic": {}}}}
    nowhere = {"KUBECONFIG": "/nonexistent", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    ended(run(world, "validate", "-f", "-", stdin=json.dumps(policy), **nowhere), 0, "default/p is valid")
    policy["spec"] = {"secretId": "a/b", "strategy": {"generc": {}}, "schedule": {"expression": "cron(0 0 31 2 ? *)"}, "refreshIntervall": "1h"}
    ended(run(world, "validate", "-f", "-", stdin=json.dumps(policy), **nowhere), 1, "generc", "generic", "31 2", "refreshIntervall", "refreshInterval")
    ended(run(world, "validate", "-f", "-", stdin="a: [1\n", **nowhere), 1, "-:2")
    ended(run(world, "validate", "-f", "/nonexistent.yaml", **nowhere), 1, "/nonexistent.yaml")
    broken = f"{world.sandbox.dir}/broken.yaml"
    open(broken, "w").write("access:\n- namespaces: shop\n  secrets: [a]\nminRotationInterval: soon\nnosuch: 1\n")
    for command in (("validate", "--config", broken), ("controller", "--config", broken)):
        ended(run(world, *command, **nowhere), 1, f"{broken}:2", f"{broken}:4", f"{broken}:5", "nosuch")
    examples = [os.path.join("examples", f) for f in sorted(os.listdir(f"{world.sandbox.source}/examples")) if "values" not in f]
    for example in examples:
        ended(run(world, "validate", "-f", f"{world.sandbox.source}/{example}", **nowhere), 0, "is valid")


@scenario
def as_a_kubectl_plugin(world):
    link = f"{world.sandbox.dir}/kubectl-keyturn"
    os.symlink(os.path.abspath(f"{world.sandbox.binaries}/keyturn"), link)
    done = subprocess.run([link, "status", "-A"], env=world.sandbox.env, capture_output=True, text=True)
    check(done.returncode == 0 and "NAMESPACE" in done.stdout, f"{done}")
    check("kubectl keyturn" in subprocess.run([link, "--help"], capture_output=True, text=True).stdout, "the help names another program")


@scenario
def access_to_the_cluster_that_cannot_work_says_which(world):
    folder, good = world.sandbox.dir, open(world.sandbox.env["KUBECONFIG"]).read()

    def config(name, text):
        open(f"{folder}/{name}", "w").write(text)
        return f"{folder}/{name}"

    def status(file, *words):
        ended(run(world, "status", "-A", KUBECONFIG=file), 1, *words)

    status(config("malformed", "clusters: [{name: x\n"), f"{folder}/malformed:", "YAML")
    status(config("no-context", good.replace("current-context: ", "current-context: un")), "no-context", "current-context", "there is")
    status(f"{folder}/missing", f"{folder}/missing")
    world.sandbox.admin("/kube/tokens", {"token": "soon-over", "user": "somebody", "groups": ["system:masters"]})
    lines = [line for line in good.splitlines() if not re.search(r"client-(certificate|key)|token", line)]
    at = next(i for i, line in enumerate(lines) if re.match(r"\s*user: *(\{\})?$", line) and i > lines.index("users:"))
    indent = re.match(r"\s*", lines[at]).group() + "  "
    expired = config("expired", "\n".join([*lines[:at], re.sub(r"\{\}", "", lines[at]), indent + "token: soon-over", *lines[at + 1:]]) + "\n")
    ended(run(world, "status", "-A", KUBECONFIG=expired), 0)
    world.sandbox.admin("/kube/revoke-token", {"token": "soon-over"})
    status(expired, "401", "token of user")
    other = f"{folder}/other.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/other.key", "-out", other,
                    "-subj", "/CN=other", "-days", "2"], check=True, capture_output=True)
    wrong = re.sub(r"certificate-authority(-data)?: *\S+", f"certificate-authority: {other}", good)
    status(config("wrong-ca", wrong), "certificate", "certificate-authority of cluster")
    status(config("nobody", re.sub(r"server: *\S+", "server: https://127.0.0.1:1", good)), "127.0.0.1:1")


@scenario
def logs_are_json_lines_that_name_everything(world):
    world.restart()
    s = Subject(world.sandbox, "it", "logged")
    s.settle()
    s.request()
    until("it is rotated", lambda: s.event("Rotated"))
    lines = [json.loads(line) for line in world.operator.text().splitlines()]
    check(all(set(line) >= {"time", "level", "msg"} for line in lines), "a line without time, level or msg")
    mine = [line for line in lines if line.get("policy") == "logged"]
    version = world.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
    for step in ("createSecret", "finishSecret", "sync"):
        found = [line for line in mine if line.get("step") == step and line.get("versionId") == version]
        check(found, f"no line of step {step}")
        check(found[0]["namespace"] == "it" and found[0]["secretArn"] == world.sandbox.secret(s.id)["arn"], f"{found[0]}")
    bad = Subject(world.sandbox, "it", "logged-bad", value='{"user":"x"}', targets=[{"name": "logged-bad", "data": {"A": "{{ nosuch }}"}}])
    bad.request()
    until("both are refused", lambda: bad.condition("Synced").get("status") == "False" and bad.condition("Stalled"))
    for what, fields in (("rotation refused", {"secretArn", "reason"}), ("target could not be written", {"secretArn", "versionId", "step", "target", "reason"})):
        line = next(l for l in map(json.loads, world.operator.text().splitlines()) if l["msg"] == what and l.get("policy") == "logged-bad")
        check(fields | {"namespace", "error"} <= set(line), f"{what} lacks {fields - set(line)}")


@scenario
def metrics_please_promtool(world):
    if not shutil.which("promtool"):
        return "PROMTOOL IS NOT HERE (Debian: prometheus); NOTHING WAS CHECKED"
    done = subprocess.run(["promtool", "check", "metrics"], input=world.operator.metrics(), capture_output=True, text=True)
    check(done.returncode == 0 and not (done.stdout + done.stderr).strip(), done.stdout + done.stderr)


@scenario
def nothing_of_it_reaches_a_core_dump(world):
    limits = open(f"/proc/{world.operator.process.pid}/limits").read()
    check(re.search(r"Max core file size +0 +0 ", limits), limits)


@scenario
def the_second_signal_ends_at_once(world):
    """A pass hangs in a request that is never answered: the first signal waits for it (at most ten seconds), the second does not."""
    s = Subject(world.sandbox, "it", "hanging")
    s.settle()
    world.sandbox.fault(id="hang", service="secretsmanager", kind="black-hole")
    s.request()
    until("a request hangs", lambda: world.sandbox.hits("hang") > 0)
    world.operator.process.send_signal(signal.SIGTERM)
    until("it is stopping", lambda: '"msg":"stopping"' in world.operator.text())
    world.operator.process.send_signal(signal.SIGTERM)
    check(world.operator.process.wait(timeout=15) == 128 + signal.SIGTERM, f"ended with {world.operator.process.returncode}")
    check("second signal" in world.operator.text(), "it was not the second signal that ended it")
    world.sandbox.admin("/faults", method="DELETE")
    world.operator = Operator(world.sandbox)


@scenario
def the_images_steps_are_those_of_the_readme(world):
    """There is no container engine here: the build steps are the README's, and the list of packages is made as in the Dockerfile."""
    text = open(f"{world.sandbox.source}/Dockerfile").read().replace("\\\n", "")
    readme = open(f"{world.sandbox.source}/README.md").read()
    for step in ("scripts/deps.sh", "make build"):
        check(re.search(rf"^RUN {step}\b", text, re.M) and step in readme, f"{step} is not a step of both")
    check("USER 65532:65532" in text, "it runs as root")
    pipeline = re.search(r"^RUN (ldd .*?) > /packages", text, re.M).group(1).replace("/keyturn", f"{world.sandbox.binaries}/keyturn", 1)
    packages = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, check=True).stdout.split()
    check({"libcurl4", "libssl3", "libyaml-cpp0.7"} <= set(packages), f"{packages}")
    check(not [p for p in packages if p.endswith("-dev")], f"{packages}")


@scenario
def readiness_waits_for_the_caches(world):
    """Started while the Kubernetes API is away: alive, not ready, and both once it is back."""
    def page(operator, path):
        try:
            with urllib.request.urlopen(f"http://{operator.address}{path}") as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    check(page(world.operator, "/readyz") == (200, "ok\n") and page(world.operator, "/healthz")[0] == 200, "a working operator is not ready")
    world.operator.end()
    world.sandbox.admin("/kube/stop", {})
    try:
        world.operator = Operator(world.sandbox, until_it="listens")
        code, why = page(world.operator, "/readyz")
        check(code == 503 and "not listed yet" in why, f"{code} {why}")
        check(page(world.operator, "/healthz")[0] == 200, "waiting for the API server is taken for a stall")
    finally:
        world.sandbox.admin("/kube/start", {})
    until("it is ready", lambda: page(world.operator, "/readyz")[0] == 200)
    until("it works", lambda: '"msg":"working"' in world.operator.text())
