"""The operator under test: the real binary, configured as a person would, behind the counting wire."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

from .cluster import free_port
from .kube import Kube
from .moto import REGION
from .processes import Process
from .waiting import eventually

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Operator:
    """`keyturn controller`. config: the contents of its file as an object (JSON is YAML), the listener's address apart."""

    def __init__(self, binary, folder, wire, server, authority, token_file, aws_endpoint, config, name="operator"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._wire = wire
        self._binary = binary
        self.config_file = self.folder / f"{name}.yaml"
        self.kubeconfig = self.folder / f"{name}.kubeconfig"
        Kube.write_kubeconfig(self.kubeconfig, server, authority, token_file=token_file)
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC",
            "KUBECONFIG": str(self.kubeconfig),
            "AWS_ENDPOINT_URL": aws_endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAE2EOPERATOR", "AWS_SECRET_ACCESS_KEY": "e2e-operator-key",
        }
        self.config = {}
        self.configure(**config)
        self._process = Process(self.folder, name, [binary, "controller", "--config", self.config_file],
                                env=self.environment, owned=True)

    def configure(self, **changes):
        """Changes keys of the config file; what can be is reloaded by a running operator."""
        self.config = {**self.config, **changes, "listen": f"127.0.0.1:{self.port}"}
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(json.dumps(self.config, indent=2))
        fresh.rename(self.config_file)

    def start(self, ready=True):
        self._process.start()
        if ready:
            eventually("the operator is ready", lambda: self._process.must_run() or self.ready(), 60)

    def stop(self):
        """SIGTERM; the exit status. Fails if the end takes longer than the 10 s that the contract gives it, and two for a busy machine."""
        self._process.signal(signal.SIGTERM)
        status = self._process.wait(12)
        self._wire.drop_connections()
        return status

    def stop_if_running(self):
        if self.running():
            self.stop()

    def kill(self):
        """SIGKILL, wherever it is."""
        if self._process.signal(signal.SIGKILL):
            self._process.wait(10)

    def restart_after_kill(self):
        """A new process on a wire that has forgotten the old one."""
        self._process.wait(10)
        self._wire.drop_connections()
        self._wire.reopen()
        self.start()

    def running(self):
        return self._process.running()

    def ready(self):
        return self.http("/readyz") == 200

    def http(self, path):
        """The status of a GET, 0 where nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return reply.status
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def scrape(self):
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as reply:
            return reply.read().decode()

    def metrics(self):
        return Metrics(self.scrape())

    def process_shown(self):
        """What the process shows to whoever may look at it: its command line and environment, and the limit of its core dumps."""
        about = Path(f"/proc/{self._process.pid()}")
        limits = next(line for line in (about / "limits").read_text().splitlines() if line.startswith("Max core file size"))
        return "\n".join([*((about / name).read_text().replace("\0", "\n") for name in ("cmdline", "environ")), limits])

    def logs(self):
        return self._process.log.read_text(errors="replace") if self._process.log.exists() else ""

    def tail(self, lines=15):
        return self._process.tail(lines)


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            found = _SAMPLE.match(line)
            if found:
                labels = {key: value for key, value in _LABEL.findall(found[2] or "")}
                self.samples.append((found[1], labels, float(found[3])))

    def value(self, name, **labels):
        """The one sample with at least these labels; LookupError where there is none or several."""
        found = [value for each, has, value in self.samples if each == name and labels.items() <= has.items()]
        if len(found) != 1:
            raise LookupError(f"{len(found)} samples of {name} with {labels}")
        return found[0]

    def total(self, name, **labels):
        """The sum over all samples with at least these labels, 0 where there is none."""
        return sum(value for each, has, value in self.samples if each == name and labels.items() <= has.items())
