"""A real InfluxDB 2: the process, and a client of its HTTP API that owes nothing to Keyturn's."""

import base64
import http.client
import json
import ssl
from pathlib import Path

from .cluster import free_port
from .processes import Process
from .runner import check_equal
from .waiting import eventually

_TYPES = ("authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users", "variables", "scrapers",
          "secrets", "labels", "views", "documents", "notificationRules", "notificationEndpoints", "checks", "dbrp", "notebooks",
          "annotations", "remotes", "replications")


def permission(action, kind, org=None, resource=None):
    """One entry of `permissions`; without org and resource it covers everything of its type."""
    scope = {key: value for key, value in (("orgID", org), ("id", resource)) if value}
    return {"action": action, "resource": {"type": kind, **scope}}


def operator_permissions():
    return [permission(action, kind) for kind in _TYPES for action in ("read", "write")]


def all_access_permissions(org, user):
    """What aws-samples calls all-access: the whole organisation, but only its own user, and the organisation itself read only."""
    kept = [permission(action, kind, org) for kind in _TYPES if kind not in ("users", "orgs") for action in ("read", "write")]
    return [*kept, permission("read", "orgs", resource=org),
            *(permission(action, "users", resource=user) for action in ("read", "write"))]


class Reply:
    """status, headers (lower case), body: what the JSON says, else the text."""

    def __init__(self, reply):
        self.status = reply.status
        self.headers = {key.lower(): value for key, value in reply.getheaders()}
        text = reply.read().decode()
        try:
            self.body = json.loads(text) if text else None
        except ValueError:
            self.body = text


class Api:
    """One connection per request. A call is authenticated by exactly what it is given: token, session, basic (a pair)."""

    def __init__(self, port, authority=None):
        self._port, self._authority = port, authority

    def send(self, method, path, body=None, token=None, session=None, basic=None, headers=None):
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Token {token}"
        if session is not None:
            headers["Cookie"] = f"influxdb-oss-session={session}"
        if basic is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        if self._authority:
            context = ssl.create_default_context(cafile=str(self._authority))
            connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=20, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(method, path, data, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def sign_in(self, username, password):
        """The key of a new session, or None where it is refused."""
        reply = self.send("POST", "/api/v2/signin", basic=(username, password))
        if reply.status != 204:
            return None
        return reply.headers["set-cookie"].partition("=")[2].partition(";")[0]

    def works(self, token):
        """Whether the server knows the token and lets it read something: a narrow or inactive one gets an empty list."""
        reply = self.send("GET", "/api/v2/buckets", token=token)
        return reply.status == 200 and bool(reply.body["buckets"])


class Influx:
    """The server. Its data live in the folder; port and data are found again there.

    tls: (certificate, key, authority) files, to serve HTTPS.
    """

    def __init__(self, program, folder, name="influxd", tls=None, owned=False):
        self.folder = Path(folder) / name
        port_file = self.folder / "port"
        if not port_file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            port_file.write_text(str(free_port()))
        self.port = int(port_file.read_text())
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.api = Api(self.port, tls[2] if tls else None)
        self.token = self.user = self.org = self.bucket = None  # of the first user: see set_up
        self.username = self.password = None
        command = [program, f"--bolt-path={self.folder / 'bolt'}", f"--engine-path={self.folder / 'engine'}",
                   f"--sqlite-path={self.folder / 'sqlite'}", f"--http-bind-address={self.host}", "--reporting-disabled",
                   "--log-level=error"]
        if tls:
            command += [f"--tls-cert={tls[0]}", f"--tls-key={tls[1]}"]
        self.process = Process(folder, name, command, owned=owned)

    def start(self):
        if self.process.running():
            return
        self.process.start()
        eventually("InfluxDB answers", lambda: self.process.must_run() or self.api.send("GET", "/health").status == 200, 60)

    def stop(self):
        self.process.stop(20)

    def set_up(self, username="admin", password="admin-password", org="shop", bucket="orders"):
        """By its own API: the first user, organisation, bucket, and the operator token that comes with them."""
        made = self.call("POST", "/api/v2/setup", 201, {
            "username": username, "password": password, "org": org, "bucket": bucket}, token=None)
        self.username, self.password = username, password
        self.token, self.user = made["auth"]["token"], made["user"]["id"]
        self.org, self.bucket = made["org"]["id"], made["bucket"]["id"]
        return made

    # ---- with the operator token of the set-up

    def call(self, method, path, expected, body=None, **credentials):
        """The body of a reply that must have the expected status."""
        reply = self.api.send(method, path, body, **(credentials or {"token": self.token}))
        check_equal(reply.status, expected, f"{method} {path}: {reply.body}")
        return reply.body

    def create_user(self, name, password, role=None):
        """Its id; role: "owners" or "members" of the organisation."""
        user = self.call("POST", "/api/v2/users", 201, {"name": name})["id"]
        self.call("POST", f"/api/v2/users/{user}/password", 204, {"password": password})
        if role:
            self.call("POST", f"/api/v2/orgs/{self.org}/{role}", 201, {"id": user})
        return user

    def create_bucket(self, name):
        return self.call("POST", "/api/v2/buckets", 201, {"orgID": self.org, "name": name})["id"]

    def user_named(self, name, password, role=None):
        """Like create_user, for one that another scenario may have made."""
        found = [user["id"] for user in self.call("GET", "/api/v2/users?limit=100", 200)["users"] if user["name"] == name]
        return found[0] if found else self.create_user(name, password, role)

    def bucket_named(self, name):
        """Like create_bucket, for one that another scenario may have made."""
        found = [bucket["id"] for bucket in self.call("GET", "/api/v2/buckets?limit=100", 200)["buckets"] if bucket["name"] == name]
        return found[0] if found else self.create_bucket(name)

    def create_token(self, permissions, user=None, description=""):
        """The whole authorization, its token included."""
        wanted = {"orgID": self.org, "permissions": permissions, "description": description, "userID": user or self.user}
        return self.call("POST", "/api/v2/authorizations", 201, wanted)

    def authorizations(self):
        """Every authorization by id: the true state."""
        return {each["id"]: each for each in self.call("GET", "/api/v2/authorizations", 200)["authorizations"]}
