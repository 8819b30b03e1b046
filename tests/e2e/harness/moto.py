"""moto's Secrets Manager: the process, and a client of its HTTP API that owes nothing to Keyturn's.

moto deviates from AWS: no signature check; versions without labels are described; a custom label may be on two versions at
once; ListSecretVersionIds dates every version now; GetSecretValue without a version or a label answers the version that the
secret was made with. The scenarios ask only for what both agree on.
"""

import base64
import http.client
import json
from pathlib import Path

from .cluster import free_port
from .processes import Process
from .waiting import eventually

REGION = "eu-west-1"
# moto reads the service and the region from the credential scope and checks no more than that.
_AUTHORIZATION = ("AWS4-HMAC-SHA256 Credential=AKIAE2EWITNESS/20260101/{}/secretsmanager/aws4_request, "
                  "SignedHeaders=host, Signature=0")


class AwsError(AssertionError):
    """An error reply; code is the exception's name."""

    def __init__(self, operation, code, message):
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code


class Moto:
    """The server. Its data live in memory: they are gone with the process."""

    def __init__(self, programs, folder, owned=False):
        port_file = Path(folder) / "moto.port"
        if not port_file.exists():
            port_file.parent.mkdir(parents=True, exist_ok=True)
            port_file.write_text(str(free_port()))
        self.port = int(port_file.read_text())
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [Path(programs) / "moto_server", "-H", "127.0.0.1", "-p", self.port]
        self.process = Process(folder, "moto", command, owned=owned)

    def start(self):
        if self.process.running():
            return
        self.process.start()
        client = SecretsManager(self.port)
        eventually("moto answers", lambda: self.process.must_run() or client.call("ListSecrets") is not None, 60)

    def stop(self):
        self.process.stop(10)


class SecretsManager:
    """The API, one connection per call."""

    def __init__(self, port, region=REGION):
        self._port = port
        self._authorization = _AUTHORIZATION.format(region)

    def call(self, operation, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("POST", "/", json.dumps(parameters), {
                "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"secretsmanager.{operation}",
                "Authorization": self._authorization})
            reply = connection.getresponse()
            body = json.loads(reply.read() or b"{}")
        finally:
            connection.close()
        if reply.status != 200:
            code = body.get("__type", str(reply.status)).rpartition("#")[2]
            raise AwsError(operation, code, body.get("message") or body.get("Message"))
        return body

    def create(self, name, value):
        """A secret with one version; its ARN."""
        kind = "SecretBinary" if isinstance(value, bytes) else "SecretString"
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode()
        return self.call("CreateSecret", Name=name, **{kind: value})["ARN"]

    def put(self, name, value, stages=("AWSCURRENT",), token=None):
        """A new version; its id."""
        more = {"ClientRequestToken": token} if token else {}
        return self.call("PutSecretValue", SecretId=name, SecretString=value, VersionStages=list(stages), **more)["VersionId"]

    def value(self, name, stage="AWSCURRENT"):
        return self.call("GetSecretValue", SecretId=name, VersionStage=stage)["SecretString"]

    def value_of(self, name, version):
        return self.call("GetSecretValue", SecretId=name, VersionId=version)["SecretString"]

    def labels(self, name):
        """Label → the set of version ids that carry it."""
        held = {}
        for version, stages in self.call("DescribeSecret", SecretId=name)["VersionIdsToStages"].items():
            for stage in stages:
                held.setdefault(stage, set()).add(version)
        return held

    def holder(self, name, stage="AWSCURRENT"):
        """The one version with the label, or None."""
        holders = self.labels(name).get(stage, set())
        if len(holders) > 1:
            raise AwsError("DescribeSecret", "TwoHolders", f"{stage} of {name} is on {sorted(holders)}")
        return next(iter(holders), None)

    def versions(self, name):
        """Every version id that exists, labelled or not."""
        found, more = set(), {}
        while True:
            page = self.call("ListSecretVersionIds", SecretId=name, IncludeDeprecated=True, **more)
            found.update(version["VersionId"] for version in page["Versions"])
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}
