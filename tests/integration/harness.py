"""keyturn-sandbox and the real operator as processes, over TLS sockets, for run.py. Only Python's standard library."""
import base64, calendar, http.client, json, os, re, shutil, signal, ssl, subprocess, tempfile, time, urllib.parse, urllib.request

# Limits are for what hangs, not for what is slow: a busy machine, or an operator under a sanitizer, is several times slower than a quiet one.
PATIENCE = float(os.environ.get("KT_PATIENCE", "3"))
MARKER = "mArKeR"  # begins every secret value of these tests: it may appear nowhere else


def until(what, condition, limit=40, every=0.05):
    """Polls until the condition holds; a condition, never a time, is what is waited for."""
    end = time.monotonic() + limit * PATIENCE
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, KeyError, ConnectionError, http.client.HTTPException) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"not within {limit} s: {what}; last seen: {last}")


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def collection():
    """A module's scenarios in the order in which they stand there, and the decorator that makes one."""
    scenarios = []

    def scenario(function):
        scenarios.append(function)
        return function

    return scenarios, scenario


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]}")
        self.status, self.body = status, body


class Sandbox:
    def __init__(self, binaries, source):
        self.dir = tempfile.mkdtemp(prefix="keyturn-it-")
        self.binaries, self.source = binaries, source
        self.process = subprocess.Popen([f"{binaries}/keyturn-sandbox", "--dir", self.dir, "--load", f"{source}/crds/rotationpolicies.keyturn.dev.yaml"],
                                        stdout=subprocess.DEVNULL)
        until("the sandbox is ready", lambda: os.path.exists(f"{self.dir}/ready"))
        self.env = dict(os.environ)
        self.env.update(re.findall(r"export (\w+)='?([^'\n]*)'?", open(f"{self.dir}/env").read()))
        self.env["AWS_ENDPOINT_URL"] = self.env["SANDBOX_AWS_TLS"]
        self.env["AWS_CA_BUNDLE"] = f"{self.dir}/ca.crt"
        self.env["SSL_CERT_FILE"] = f"{self.dir}/ca.crt"  # of backends
        self.server = urllib.parse.urlparse(re.search(r'server: *"?([^"\n]+)', open(self.env["KUBECONFIG"]).read()).group(1))
        self.tls = ssl.create_default_context(cafile=f"{self.dir}/ca.crt")

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- the control API
    def admin(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.env["SANDBOX_ADMIN"] + path, data=data, method=method or ("POST" if data else "GET"))
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def secret(self, name):
        return self.admin(f"/aws/secrets/{urllib.parse.quote(name, safe='/')}?values=true")

    def value_of(self, name, label="AWSCURRENT"):
        state = self.secret(name)
        return next(v["secretString"] for v in state["versions"] if v["id"] == state["labels"][label])

    def fault(self, **fault):
        self.admin("/faults", fault)

    def hits(self, id="kill"):
        """How many requests that fault has met."""
        return next(f["hits"] for f in self.admin("/faults")["faults"] if f["id"] == id)

    def calls(self, service=None):
        return [e for e in self.admin("/calls?entries=true")["entries"] if service is None or e["service"] == service]

    def forget_calls(self):
        self.admin("/calls", method="DELETE")

    # --- the Kubernetes API, as a client of its own
    def kube(self, method, path, body=None, content="application/json"):
        connection = http.client.HTTPSConnection(self.server.hostname, self.server.port, context=self.tls, timeout=20)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Authorization": "Bearer " + open(f"{self.dir}/token").read().strip(), "Content-Type": content})
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        if reply.status >= 300:
            raise ApiError(reply.status, text)
        return json.loads(text)

    def namespace(self, name):
        self.kube("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def kube_secret(self, ns, name):
        try:
            return self.kube("GET", f"/api/v1/namespaces/{ns}/secrets/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def data(self, ns, name):
        secret = self.kube_secret(ns, name)
        return {k: base64.b64decode(v).decode() for k, v in (secret or {}).get("data", {}).items()}

    def policy(self, ns, name):
        return self.kube("GET", f"/apis/keyturn.dev/v1alpha1/namespaces/{ns}/rotationpolicies/{name}")

    def patch_policy(self, ns, name, patch):
        return self.kube("PATCH", f"/apis/keyturn.dev/v1alpha1/namespaces/{ns}/rotationpolicies/{name}", patch, "application/merge-patch+json")

    def events(self, ns):
        return self.kube("GET", f"/apis/events.k8s.io/v1/namespaces/{ns}/events")["items"]


def check_untold(world, credentials, *done):
    """None of them is in the log, an event of the namespace `it`, a status, a metric, or an output (`done`: with out and err)."""
    told = {"the log": world.operator.text(), "events": json.dumps(world.sandbox.events("it")), "metrics": world.operator.metrics(),
            "policies": json.dumps(world.sandbox.kube("GET", "/apis/keyturn.dev/v1alpha1/rotationpolicies")), "an output": "".join(d.out + d.err for d in done)}
    for where, text in told.items():
        check(not any(credential in text for credential in credentials), f"a credential is in {where}")


class Operator:
    CONFIG = 'access: [{namespaces: ["*"], secrets: ["{namespace}/*"]}]\nlisten: 127.0.0.1:0\nlogFormat: json\nlogLevel: debug\nminRotationInterval: 1s\nrequestDeadline: 2s\npropagation: 1s\nleaderElection: {enabled: false}\n'
    count = 0

    def __init__(self, sandbox, until_it="works", settings=CONFIG, name=""):
        """`name`: of one that runs beside others."""
        Operator.count += 1
        self.log = f"{sandbox.dir}/operator-{name}{Operator.count}.log"
        self.config = config = f"{sandbox.dir}/config{name}.yaml"
        self.configure(settings)
        self.process = subprocess.Popen([f"{sandbox.binaries}/keyturn", "controller", "--config", config], env=sandbox.env, stderr=open(self.log, "w"))
        line = {"works": "working", "listens": "listening"}[until_it]
        until(f"the operator {until_it}", lambda: f'"msg":"{line}"' in self.text())
        self.address = re.search(r'"address":"([^"]+)"', self.text()).group(1)

    def configure(self, text):
        open(self.config + ".new", "w").write(text)
        os.replace(self.config + ".new", self.config)

    def read_rules(self, rules):
        """With these access rules instead; returns when they hold."""
        before = self.text().count("config file reloaded")
        self.configure(self.CONFIG.replace(self.CONFIG.splitlines()[0], rules) + f"# {time.time()}\n")
        until("the rules are read", lambda: self.text().count("config file reloaded") > before)

    def text(self):
        return open(self.log).read()

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.address}/metrics") as reply:
            return reply.read().decode()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


class Subject:
    """One secret, the policy that owns it, and its target, all of one name; `secret` names a secret that is there already; `age`: in seconds, of the secret
    when the operator first sees it (a request counts if it is newer than the version, by whole seconds: one of now, if that is not of now)."""
    asked = 0

    def __init__(self, sandbox, ns, name, strategy=None, value=None, secret=None, age=0, **spec):
        self.sandbox, self.ns, self.name, self.id = sandbox, ns, name, secret or f"{ns}/{name}"
        if secret is None:
            sandbox.admin("/aws/secrets", {"name": self.id, "value": value or json.dumps({"user": MARKER + "-user", "password": MARKER + "-first"})})
        if age:
            sandbox.admin(f"/aws/secrets/{self.id}", {"ageSeconds": age}, method="PATCH")
        body = {"apiVersion": "keyturn.dev/v1alpha1", "kind": "RotationPolicy", "metadata": {"name": name},
                "spec": {"secretId": self.id, "strategy": strategy or {"generic": {"fields": [{"pointer": "/password"}]}}, "targets": [{"name": name}], **spec}}
        sandbox.kube("POST", f"/apis/keyturn.dev/v1alpha1/namespaces/{ns}/rotationpolicies", body)

    def status(self):
        return self.sandbox.policy(self.ns, self.name).get("status", {})

    def condition(self, kind):
        return next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})

    def in_sync(self):
        current = json.loads(self.sandbox.value_of(self.id))
        check(self.sandbox.data(self.ns, self.name) == current, "the Secret differs from AWSCURRENT")
        status = self.status()
        check(status.get("currentVersionId") == self.sandbox.secret(self.id)["labels"]["AWSCURRENT"], "status names another version")
        check(self.condition("Ready").get("status") == "True", f"not Ready: {self.condition('Ready')}")
        return "rotation" not in status

    def settle(self, limit=40):
        until(f"{self.id} is in sync", self.in_sync, limit)

    def says(self, kind, status, *words, reason=None, limit=40):
        """Waits for a condition whose reason and message tell what is wrong."""
        def told():
            found = self.condition(kind)
            text = found.get("message", "")
            return found.get("status") == status and (reason is None or found["reason"] == reason) and all(w.lower() in text.lower() for w in words) or check(False, f"{kind} is {found}")
        until(f"{self.ns}/{self.name} says {reason or words}", told, limit)

    def event(self, reason):
        return next((e for e in self.sandbox.events(self.ns) if e["reason"] == reason and e["regarding"]["name"] == self.name), None)

    def sync_now(self):
        """Asks for a look and waits until it is answered."""
        Subject.asked += 1
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{Subject.asked:06}Z"
        self.sandbox.patch_policy(self.ns, self.name, {"metadata": {"annotations": {"keyturn.dev/sync-requested-at": at}}})
        until(f"the sync request of {self.ns}/{self.name} is handled", lambda: self.status().get("lastHandledSyncRequest") == at)

    def delete(self):
        self.sandbox.kube("DELETE", f"/apis/keyturn.dev/v1alpha1/namespaces/{self.ns}/rotationpolicies/{self.name}")

    def request(self):
        """A request counts by whole seconds and only if it is newer than the current version, and than the rotation that made it: a reply that was lost may
        have held that up until now."""
        created = max(v["createdDate"] for v in self.sandbox.secret(self.id)["versions"])
        ended = self.status().get("lastRotationTime", "1970-01-01T00:00:00Z")
        at = time.gmtime(max(time.time(), created + 1, calendar.timegm(time.strptime(ended, "%Y-%m-%dT%H:%M:%SZ")) + 1))
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", at)
        self.sandbox.patch_policy(self.ns, self.name, {"metadata": {"annotations": {"keyturn.dev/rotate-requested-at": at}}})

    def one_new_version(self, before):
        """Exactly one rotation since `before` (a state of the secret), and nothing of it left lying about."""
        after = self.sandbox.secret(self.id)
        new = [v["id"] for v in after["versions"] if v["id"] not in [w["id"] for w in before["versions"]]]
        check(len(new) == 1, f"{len(new)} new versions instead of one")
        check(after["labels"]["AWSCURRENT"] == new[0], "the new version is not current")
        check(after["labels"]["AWSPREVIOUS"] == before["labels"]["AWSCURRENT"], "AWSPREVIOUS is not the version before")
        check("AWSPENDING" not in after["labels"] and "KEYTURN_BATON" not in after["labels"], f"labels left: {after['labels']}")
