"""The API server as the tests see it: kubectl for what a person does, plain HTTPS for polling (kubectl takes 0.1 s a call)."""

import base64
import http.client
import json
import ssl
import subprocess
import threading
import urllib.parse

POLICIES = "/apis/keyturn.dev/v1alpha1/namespaces/{}/rotationpolicies"
_PATCH_TYPES = {"PATCH": "application/merge-patch+json"}


class KubeError(AssertionError):
    """The API server refused; status is the HTTP status, body the Status object's message."""

    def __init__(self, status, message):
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.message = message


class KubectlFailed(AssertionError):
    """kubectl ended non-zero; the message is what it said."""


class Kube:
    """One identity at one API server. Safe to use from several threads."""

    def __init__(self, server, authority, token, kubectl, kubeconfig):
        self._host = urllib.parse.urlsplit(server).netloc
        self._authority = authority
        self._token = token
        self._kubectl = kubectl
        self.kubeconfig = kubeconfig
        self._local = threading.local()

    # ---- as a person

    def kubectl(self, *arguments, stdin=None):
        """Runs kubectl; its output. stdin may be an object, a list of objects, or text."""
        if stdin is not None and not isinstance(stdin, str):
            objects = stdin if isinstance(stdin, list) else [stdin]
            stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = subprocess.run(
            [str(self._kubectl), f"--kubeconfig={self.kubeconfig}", "--request-timeout=30s", *map(str, arguments)],
            input=stdin, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, *objects):
        return self.kubectl("apply", "-f", "-", stdin=list(objects))

    # ---- for polling

    def send(self, method, path, body=None, content_type=None):
        """One request; the decoded JSON reply. Raises KubeError for an error status, OSError if the server is not there."""
        status, text = self._exchange(method, path, body, content_type)
        if status >= 400:
            try:
                message = json.loads(text).get("message", text)
            except ValueError:
                message = text
            raise KubeError(status, message)
        return json.loads(text)

    def get(self, path):
        """The object, or None where there is none."""
        try:
            return self.send("GET", path)
        except KubeError as refused:
            if refused.status == 404:
                return None
            raise

    def text(self, path):
        status, text = self._exchange("GET", path, None, None)
        if status != 200:
            raise KubeError(status, text)
        return text

    def items(self, path):
        return self.send("GET", path)["items"]

    def policy(self, namespace, name):
        return self.get(f"{POLICIES.format(namespace)}/{name}")

    def secret(self, namespace, name):
        return self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def secret_data(self, namespace, name):
        """The Secret's decoded data, or None where there is no Secret."""
        secret = self.secret(namespace, name)
        return None if secret is None else decode(secret)

    def events(self, namespace, name):
        """events.k8s.io/v1 events regarding the object of that name."""
        found = self.items(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        return [event for event in found if event.get("regarding", {}).get("name") == name]

    # ---- inside

    def _exchange(self, method, path, body, content_type):
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = content_type or _PATCH_TYPES.get(method, "application/json")
        kept = getattr(self._local, "connection", None)
        connection = kept or http.client.HTTPSConnection(
            self._host, timeout=20, context=ssl.create_default_context(cafile=str(self._authority)))
        try:
            connection.request(method, path, payload, headers)
            reply = connection.getresponse()
            text = reply.read().decode()
        except (OSError, http.client.HTTPException) as lost:
            connection.close()
            self._local.connection = None
            if kept is not None and method == "GET":  # the server may have closed an idle connection
                return self._exchange(method, path, body, content_type)
            raise OSError(f"{method} {path}: {lost}") from lost
        self._local.connection = connection
        return reply.status, text

    @staticmethod
    def write_kubeconfig(path, server, authority, token=None, token_file=None):
        """A kubeconfig in JSON, which is YAML too."""
        user = {"tokenFile": str(token_file)} if token_file else {"token": token}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": server, "certificate-authority": str(authority)}}],
            "users": [{"name": "e2e", "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        }, indent=2))
        path.chmod(0o600)


def decode(secret):
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
