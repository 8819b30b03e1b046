"""The readers of a Secret: what a kubelet and the applications would do, played by the test, since KWOK runs no containers.

Pods, their scheduling, their starts and ends are real objects with real times. What a container holds is not in any of them: it is
what the kubelet found in the Secret when the container started, and it stays until the container ends. So the test keeps the
Secret's history, gives every container that KWOK reports as started the value of that time, as late as a kubelet may be
(`propagation` before `startedAt`: the oldest value that it can hold), and uses it at the real backend, again and again, until the
pod is gone. Times are those of one machine. A write is dated by the last look that still saw the value before, and startedAt is in
whole seconds, rounded down: in both the test errs by less than it takes to be wrong.
"""

import threading
import time
from dataclasses import dataclass

from .kube import KubeError
from .runner import check
from .subject import parse_time
from .workloads import KEY, pods

_EVERY = 0.15  # seconds between two looks at the cluster, each with a use of every copy


@dataclass
class Held:
    """One container's own copy."""

    who: str
    value: str
    since: float  # startedAt
    uses: int = 0


class Readers:
    """Of one Secret of a namespace, from start() to stop(), in a thread. works: whether the backend accepts a value."""

    def __init__(self, kube, namespace, secret, works, propagation):
        self._kube, self._namespace, self._secret, self._works = kube, namespace, secret, works
        self._propagation = propagation
        self._history = []  # (not before, value), oldest first
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._held, self._uses = {}, 0
        self._trouble = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"readers-{namespace}", daemon=True)

    def __enter__(self):
        self._look_at_secret()  # before the caller changes anything: what runs already holds this value
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(60)

    def check_nobody_refused(self):
        """Not one use since the start failed, and there were some; their number."""
        with self._lock:
            trouble, uses = list(self._trouble), self._uses
        check(not trouble, f"{len(trouble)} of {uses} uses were refused; the first: {trouble[:3]}")
        check(uses > 0, f"nobody of {self._namespace} used a token")
        return uses

    def holders(self, value):
        """Who holds this value now."""
        with self._lock:
            return sorted(held.who for held in self._held.values() if held.value == value)

    # ---- inside

    def _run(self):
        while not self._end.wait(_EVERY):
            try:
                self._look_at_secret()
                found = pods(self._kube, self._namespace)
            except (KubeError, OSError):
                continue  # the API server is the control plane's business
            self._look_at_pods(found)
            for key, held in list(self._held.items()):
                self._use(key, held)

    def _look_at_secret(self):
        now = time.time()
        data = self._kube.secret_data(self._namespace, self._secret)
        value = (data or {}).get(KEY, b"").decode()
        if value and (not self._history or self._history[-1][1] != value):
            self._history.append((self._looked, value))
        self._looked = now

    def _look_at_pods(self, found):
        alive = {}
        for pod in found:
            for status in pod.get("status", {}).get("containerStatuses", []):
                started = status.get("state", {}).get("running", {}).get("startedAt")
                if started and self._history and self._reads(pod):
                    alive[(pod["metadata"]["uid"], status["name"], started)] = pod["metadata"]["name"]
        with self._lock:
            for key in self._held.keys() - alive.keys():
                del self._held[key]
            for key, who in alive.items():
                if key not in self._held:
                    since = parse_time(key[2])
                    self._held[key] = Held(who, self._value_at(since - self._propagation), since)

    def _reads(self, pod):
        return f"'{self._secret}'" in str(pod["spec"])

    def _value_at(self, moment):
        return next((value for begin, value in reversed(self._history) if begin <= moment), self._history[0][1])

    def _use(self, key, held):
        try:
            accepted, why = self._works(held.value), "refused"
        except OSError as lost:
            accepted, why = False, str(lost)
        with self._lock:
            self._uses += 1
            held.uses += 1
        # A pod that went since the list was made is not there to be refused.
        if not accepted and self._still_there(key[0], held.who):
            with self._lock:
                self._trouble.append(f"{held.who}, running since {held.since:.0f}, use {held.uses} at {time.time():.1f}: {why}")

    def _still_there(self, uid, name):
        pod = self._kube.get(f"/api/v1/namespaces/{self._namespace}/pods/{name}")
        return pod is not None and pod["metadata"]["uid"] == uid
