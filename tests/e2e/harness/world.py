"""Everything that the scenarios run on, started once for all of them."""

import json
import signal
import subprocess
from pathlib import Path

from .certificates import make_serving
from .cluster import ControlPlane
from .influx import Influx
from .keyturn import Operator
from .kube import POLICIES
from .moto import Moto, SecretsManager
from .runner import NotRun, check
from .subject import GENERIC_PASSWORD, Subject, manifest
from .waiting import TimedOut, eventually
from .wire import Proxy, Wire

_ALL_POLICIES = "/apis/keyturn.dev/v1alpha1/rotationpolicies"
OPERATOR_NAMESPACE = "keyturn-system"
RELEASE = "keyturn"
# Tests lower what production keeps high; the scenarios use namespaces t-… and secrets t-…/… only.
CONFIG = {
    "access": [{"namespaces": ["t-*"], "secrets": ["{namespace}/**"], "backends": ["127.0.0.1:*"]}],
    "minRotationInterval": "1s",
    "requestDeadline": "5s",
    "logLevel": "debug",
    "logFormat": "json",
    # A lease outlives a killed holder by its duration, which is not what most scenarios are about. One of them turns it on.
    "leaderElection": {"enabled": False},
}


class World:
    """programs: folder of the control plane's binaries; binary: keyturn; repository: the checkout; folder: logs and data."""

    def __init__(self, programs, binary, repository, folder):
        self.programs, self.binary, self.repository, self.folder = map(Path, (programs, binary, repository, folder))
        self.cluster = ControlPlane(programs, self.folder / "cluster", owned=True)
        self.moto = Moto(programs, self.folder / "cluster", owned=True)
        self.kube = self.cluster.admin
        self.aws = SecretsManager(self.moto.port)
        self.wire = Wire()
        self.chart = self.repository / "charts" / "keyturn"
        self.operator = self.proxies = None
        self.in_use = None  # the operator that the scenario is about, and its wire
        # For the look for secret values at the end: policies, metrics and operators' processes as scenarios left them; values that
        # no version in Secrets Manager holds; every operator that ran.
        self.evidence, self.printed, self.markers, self.operators = [], [], set(), []
        self.token_file = self.folder / "operator.token"
        self._influxes = {}

    def start(self):
        """Control plane, moto, wire, the chart, and the operator with exactly what the chart gave it."""
        self.moto.start()
        self.cluster.start()
        pki = self.cluster.folder / "pki"
        make_serving(pki, "wire")
        self.proxies = self.proxies_for(self.wire)
        self.helm("install", RELEASE, self.chart, "--create-namespace", "--wait", "--timeout", "90s")
        self.kube.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/rotationpolicies.keyturn.dev")
        self.renew_operator_token()
        self.operator = self._operator("operator")

    def stop(self):
        if self.operator is not None:
            self.operator.kill()
        for proxy in self.proxies or []:
            proxy.close()
        self.wire.drop_connections()
        for influx in self._influxes.values():
            influx.stop()
        self.cluster.stop()
        self.moto.stop()

    def before_scenario(self):
        """Whatever the last one broke is whole again, and its policies are gone (their Secrets are not)."""
        self.wire.release_watches()
        self.wire.reopen()
        self.in_use = self.operator, self.wire
        self.cluster.up("kube-apiserver")
        if not self.operator.running():
            self.wire.drop_connections()
            self.operator.start()
        self.keep_evidence(self.operator)
        self._delete_policies()

    def explain_failure(self):
        operator, wire = self.in_use
        print(f"        the last requests: {', '.join(map(str, wire.since(0)[-12:]))}")
        print("        the end of the operator's log:")
        for line in operator.tail(12).splitlines():
            print(f"          {line[:400]}")

    # ---- for scenarios

    def influxd(self):
        """The program of a real InfluxDB, built at its first use (minutes). NotRun where that is not possible."""
        done = subprocess.run([self.repository / "tests" / "e2e" / "control-plane.sh", "influxdb"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
        if done.returncode == 3:
            raise NotRun("InfluxDB is not there, and what building it needs is missing; see above")
        check(done.returncode == 0, f"control-plane.sh influxdb ended with {done.returncode}; see above")
        return done.stdout.strip()

    def influx(self, name="influxd"):
        """The real InfluxDB of that name, running and set up; the same one for all scenarios."""
        influx = self._influxes.get(name)
        if influx is None:
            influx = self._influxes[name] = Influx(self.influxd(), self.folder / "influx", name, owned=True)
            influx.start()
            influx.set_up(password=f"admin-password-of-{name}")
            self.markers.add(influx.password)
        return influx

    def proxies_for(self, wire):
        """To the API server and to moto, for an operator on that wire."""
        pki = self.cluster.folder / "pki"
        return [Proxy(wire, "kube", self.cluster.port, (pki / "wire.crt", pki / "wire.key"), self.cluster.authority),
                Proxy(wire, "aws", self.moto.port)]

    def keep_evidence(self, operator):
        """What a running operator shows now, for the look for secret values."""
        self.evidence += [self.kube.text(_ALL_POLICIES), operator.scrape(), operator.process_shown()]

    def helm(self, command, *arguments, check_status=True):
        """Runs helm in the operator's namespace; its output."""
        place = [] if command == "lint" else ["--namespace", OPERATOR_NAMESPACE]
        return self.run(self.programs / "helm", command, *arguments, *place, check_status=check_status,
                        KUBECONFIG=self.cluster.admin_kubeconfig, HELM_CACHE_HOME=self.folder / "helm",
                        HELM_CONFIG_HOME=self.folder / "helm", HELM_DATA_HOME=self.folder / "helm").stdout

    def keyturn(self, *arguments, **environment):
        """Runs a keyturn command with the operator's rights; a CompletedProcess. What it prints is looked through for secret values at the end."""
        done = self.run(self.binary, *arguments, check_status=False, **{**self.operator.environment, **environment})
        self.printed += [done.stdout, done.stderr]
        return done

    def run(self, *command, check_status=True, stdin=None, **environment):
        base = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        done = subprocess.run(
            [str(part) for part in command], input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180,
            env={**base, **{key: str(value) for key, value in environment.items()}})
        if check_status:
            check(done.returncode == 0,
                  f"{Path(str(command[0])).name} {command[1]} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def operator_token(self, duration="6h", release=RELEASE):
        """A token of a release's own ServiceAccount, so that its rights are exactly the rendered ones."""
        accounts = json.loads(self.kube.kubectl("-n", OPERATOR_NAMESPACE, "get", "serviceaccounts", "-o", "json",
                                                "-l", f"app.kubernetes.io/instance={release}"))["items"]
        check(len(accounts) == 1, f"the chart made {len(accounts)} ServiceAccounts labelled for the release, expected 1")
        return self.kube.kubectl("-n", OPERATOR_NAMESPACE, "create", "token", accounts[0]["metadata"]["name"],
                                 f"--duration={duration}").strip()

    def namespace(self, name):
        """A namespace t-NAME, made if it is not there."""
        full = f"t-{name}"
        if self.kube.get(f"/api/v1/namespaces/{full}") is None:
            self.kube.kubectl("create", "namespace", full)
        return full

    def subject(self, namespace, name, value=None, strategy=None, targets=None, in_sync=True, **spec):
        """A secret in moto and a policy on it, in sync. Default: a JSON object whose /password rotates, one target."""
        secret_id = f"{namespace}/{name}"
        self.aws.create(secret_id, value if value is not None else first_value(name))
        subject = Subject(self.kube, self.aws, namespace, name, secret_id)
        self.kube.apply(manifest(namespace, name, secret_id, strategy or GENERIC_PASSWORD,
                                 [name] if targets is None else targets, **spec))
        if in_sync:
            subject.wait_in_sync()
        return subject

    def operator_of(self, release, config):
        """An operator with the rights that the chart gave to another release."""
        token_file = self.folder / f"{release}.token"
        token_file.write_text(self.operator_token(release=release))
        return self._operator(release, config, token_file)

    def renew_operator_token(self):
        """Writes a fresh token to where the operator reads it."""
        self.token_file.write_text(self.operator_token())

    def second_operator(self):
        """Another process beside the first, with the same configuration and rights."""
        return self._operator("second", self.operator.config)

    def allow(self, namespace, secrets):
        """One more access rule, for the running operator to read."""
        self.operator.configure(access=[*self.operator.config["access"], {"namespaces": [namespace], "secrets": [secrets]}])

    def fresh_operator(self):
        """Watches back off from one outage to the next, up to a minute within two minutes: the next is this process's first."""
        self.operator.stop()
        self.operator.start()

    def kill_operator(self):
        self.operator.kill()

    def kill_api_server(self):
        """Ends the API server as a power cut would."""
        process = self.cluster.processes["kube-apiserver"]
        process.signal(signal.SIGKILL)
        process.wait(10)

    # ---- inside

    def _delete_policies(self):
        """A policy whose rotation a failed scenario left stuck loses its finalizer: the next scenario is not about it."""
        self.kube.kubectl("delete", "rotationpolicies", "--all", "--all-namespaces", "--wait=false")
        try:
            eventually("the last scenario's policies are gone", lambda: not self.kube.items(_ALL_POLICIES), 15)
        except TimedOut:
            for policy in self.kube.items(_ALL_POLICIES):
                meta = policy["metadata"]
                self.kube.send("PATCH", f"{POLICIES.format(meta['namespace'])}/{meta['name']}", {"metadata": {"finalizers": None}})

    def _operator(self, name, config=CONFIG, token_file=None):
        to_kube, to_aws = self.proxies
        operator = Operator(self.binary, self.folder / "operator", self.wire, to_kube.url, self.cluster.authority,
                            token_file or self.token_file, to_aws.url, config, name)
        self.operators.append(operator)
        return operator


def first_value(name):
    """A JSON object with spacing, order, escapes and number forms that a careless rewrite would not keep."""
    return ('{ "username" : "%s",  "password":"first-%s-000000000000000000",\n "port":5432, "ratio": 1.50,'
            ' "note":"caf\\u00e9 \\u20ac/\\/" , "tags":["a", "b"]}' % (name, name))
