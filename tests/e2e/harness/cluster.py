"""The control plane: etcd, API server, controller manager, scheduler and KWOK, each a process that can be ended and started
on its own, with its certificates, tokens, ports and data in one folder."""

import json
import secrets
import socket
import urllib.request
from pathlib import Path

from . import certificates
from .kube import Kube
from .processes import Process
from .waiting import eventually

# In the order of starting.
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

_NODE = {
    "apiVersion": "v1", "kind": "Node",
    "metadata": {"name": "kwok-0", "labels": {"kubernetes.io/hostname": "kwok-0", "kubernetes.io/os": "linux"}},
    "status": {key: {"cpu": "64", "memory": "256Gi", "pods": "1000"} for key in ("capacity", "allocatable")},
}


def free_port():
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ControlPlane:
    """programs: the folder of binaries; folder: where everything of this cluster lives. Made once, then found again there."""

    def __init__(self, programs, folder, owned=False):
        self._programs = Path(programs)
        self.folder = Path(folder).absolute()
        if not (self.folder / "cluster.json").exists():
            self._make()
        state = json.loads((self.folder / "cluster.json").read_text())
        self._ports, self.admin_token = state["ports"], state["token"]
        self.server = f"https://127.0.0.1:{self._ports['api']}"
        self.authority = self.folder / "pki" / "ca.crt"
        self.port = self._ports["api"]
        self.admin_kubeconfig = self.folder / "admin.kubeconfig"
        self.processes = {name: Process(self.folder, name, command, owned=owned) for name, command in self._commands().items()}
        self.admin = Kube(self.server, self.authority, self.admin_token, self._programs / "kubectl", self.admin_kubeconfig)

    def start(self):
        """Starts everything and waits until the node is ready."""
        for name in COMPONENTS:
            self.up(name)
        if self.admin.get("/api/v1/nodes/kwok-0") is None:
            self.admin.send("POST", "/api/v1/nodes", _NODE)
        eventually("the node is ready", self._node_ready, 60)
        eventually("the default namespace is there", lambda: self.admin.get("/api/v1/namespaces/default"), 30)

    def stop(self):
        """Ends everything, in the reverse order, each before the next; data and logs stay."""
        for name in reversed(COMPONENTS):
            self.down(name)

    def up(self, name):
        """Starts one component and waits until it answers (etcd, API server) or at least runs."""
        process = self.processes[name]
        if process.running():
            return
        process.start()
        ready = {"etcd": self._etcd_ready, "kube-apiserver": self._api_ready}.get(name)
        if ready:
            eventually(f"{name} is ready", lambda: process.must_run() or ready(), 240)

    def down(self, name):
        """Ends one component and waits until it is gone: the API server drains for seconds and holds its port."""
        self.processes[name].stop(60)

    def compact_etcd(self):
        """Compacts etcd's history up to now, physically; the revision compacted at."""
        revision = int(self._etcd("/v3/kv/range", {"key": "AA=="})["header"]["revision"])
        self._etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    # ---- inside

    def _make(self):
        pki = self.folder / "pki"
        pki.mkdir(parents=True, exist_ok=True)
        certificates.make_authority(pki)
        certificates.make_serving(pki, "apiserver")
        certificates.make_key_pair(pki, "service-account")
        token = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(f'{token},keyturn-e2e-admin,admin,"system:masters"\n')
        ports = {name: free_port() for name in ("api", "etcd", "peer")}
        Kube.write_kubeconfig(self.folder / "admin.kubeconfig", f"https://127.0.0.1:{ports['api']}", pki / "ca.crt", token)
        (self.folder / "cluster.json").write_text(json.dumps({"ports": ports, "token": token}))

    def _commands(self):
        pki, programs = self.folder / "pki", self._programs
        etcd, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        kubeconfig = f"--kubeconfig={self.admin_kubeconfig}"
        alone = ["--secure-port=0", "--leader-elect=false", kubeconfig]
        return {
            "etcd": [
                programs / "etcd", "--name=e2e", f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=error",
                f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=e2e={peer}"],
            "kube-apiserver": [
                programs / "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1", f"--secure-port={self._ports['api']}",
                f"--tls-cert-file={pki / 'apiserver.crt'}", f"--tls-private-key-file={pki / 'apiserver.key'}",
                f"--cert-dir={self.folder / 'apiserver'}", "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki / 'service-account.pub'}",
                f"--service-account-signing-key-file={pki / 'service-account.key'}",
                "--api-audiences=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24",
                f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--profiling=false"],
            # A node that missed heartbeats in an outage would mark its pods unready, and KWOK does not make them ready again.
            "kube-controller-manager": [
                programs / "kube-controller-manager", *alone, "--node-monitor-grace-period=1h",
                f"--service-account-private-key-file={pki / 'service-account.key'}", f"--root-ca-file={pki / 'ca.crt'}"],
            "kube-scheduler": [programs / "kube-scheduler", *alone],
            "kwok": [
                programs / "kwok", kubeconfig, "--manage-all-nodes=true", "--node-lease-duration-seconds=40",
                f"--config={programs / 'kwok-stages.yaml'}"],
        }

    def _etcd(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self._ports['etcd']}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read())

    def _etcd_ready(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['etcd']}/health", timeout=2) as reply:
            return json.loads(reply.read()).get("health") == "true"

    def _api_ready(self):
        return self.admin.text("/readyz") == "ok"

    def _node_ready(self):
        self.processes["kwok"].must_run()
        node = self.admin.get("/api/v1/nodes/kwok-0")
        return any(c["type"] == "Ready" and c["status"] == "True" for c in (node or {}).get("status", {}).get("conditions", []))
