#!/usr/bin/env python3
"""Sends the same requests to two Kubernetes API servers and prints where their answers differ.

    compare_with_real.py REAL_KUBECONFIG SANDBOX_KUBECONFIG

This is how the sandbox is held to the real thing: versions, uids and times are replaced by the order in which
they appear, everything else (status codes, reasons, causes, fields, who owns them) must be equal. Messages for
people are compared only with --messages. Needs kubectl (to read the kubeconfigs) and leaves a namespace behind
only when it is interrupted. Exit status 1 when anything differs.
"""
import base64, json, re, ssl, subprocess, sys, tempfile, urllib.error, urllib.request

NS = "kt-compare"
CORE = f"/api/v1/namespaces/{NS}"
THINGS = f"/apis/compare.example.dev/v1/namespaces/{NS}/things"
MERGE, JSONPATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
META = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.compare.example.dev"},
    "spec": {
        "group": "compare.example.dev", "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
                "spec": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string", "minLength": 2, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}]},
                    "mode": {"type": "string", "enum": ["Slow", "Fast"], "default": "Slow"},
                    "count": {"type": "integer", "minimum": 1},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "map": {"type": "object", "additionalProperties": {"type": "string"}},
                    "plain": {"type": "array", "items": {"type": "string"}},
                    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "items": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                              "items": {"type": "object", "required": ["name"], "properties": {
                                  "name": {"type": "string"}, "on": {"type": "boolean", "default": True}, "n": {"type": "integer"}}}}}},
                "status": {"type": "object", "properties": {
                    "phase": {"type": "string"},
                    "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                                   "items": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}, "status": {"type": "string"}}}}}},
            }}}}]}}


def secret(name, data=None, **more):
    out = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    if data is not None:
        out["data"] = data
    meta = more.pop("metadata", {})
    out["metadata"].update(meta)
    out.update(more)
    return out


def thing(spec=None, name="t", status=None, **meta):
    out = {"apiVersion": "compare.example.dev/v1", "kind": "Thing", "metadata": {"name": name, **meta}}
    if spec is not None:
        out["spec"] = spec
    if status is not None:
        out["status"] = status
    return out


def apply(path, manager, body, force=True, query=""):
    return ("PATCH", f"{path}?fieldManager={manager}{'&force=true' if force else ''}{query}", APPLY, body)


def steps():
    s = f"{CORE}/secrets"
    by = "?fieldManager="
    yield "apply creates", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ==", "B": "MQ=="}, metadata={"resourceVersion": "1"}))
    yield "apply again", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ==", "B": "MQ=="}))
    yield "apply with uid on nothing", *apply(f"{s}/nope", "kt", secret("nope", {"A": "MQ=="}, metadata={"uid": "00000000-0000-4000-8000-000000000000"}))
    yield "apply stale", *apply(f"{s}/a", "kt", secret("a", {"A": "Mg=="}, metadata={"resourceVersion": "1"}))
    yield "label by another", "PATCH", f"{s}/a{by}person", MERGE, {"metadata": {"labels": {"x": "y"}, "annotations": {"n": "1"}}}
    yield "value by another", "PATCH", f"{s}/a{by}person", MERGE, {"data": {"A": "Mg=="}}
    yield "apply unforced", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ==", "B": "MQ=="}), force=False)
    yield "apply forced", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ==", "B": "MQ=="}))
    yield "extra key", "PATCH", f"{s}/a{by}person", MERGE, {"data": {"X": "Mg=="}}
    yield "metadata only", "GET", f"{s}/a", None, None, META
    yield "removed key", "PATCH", f"{s}/a{by}person", MERGE, {"data": {"B": None}}
    yield "apply less", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ=="}))
    yield "apply nothing", *apply(f"{s}/a", "kt", secret("a"))
    yield "apply by second", *apply(f"{s}/a", "kt2", secret("a", {"X": "Mg==", "Z": "MQ=="}))
    yield "apply labels", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ=="}, metadata={"labels": {"l": "1"}, "annotations": {"a": "1"}, "finalizers": ["x.dev/f"]}))
    yield "apply without finalizer", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ=="}, metadata={"labels": {"l": "1"}}))
    yield "apply type change", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ=="}, type="kt/other"))
    yield "apply without manager", "PATCH", f"{s}/a", APPLY, secret("a")
    yield "apply with managedFields", *apply(f"{s}/a", "kt", secret("a", metadata={"managedFields": [{"manager": "x", "operation": "Apply"}]}))
    yield "apply other name", *apply(f"{s}/a", "kt", secret("b", {"A": "MQ=="}))
    yield "apply unknown field", *apply(f"{s}/a", "kt", secret("a", {"A": "MQ=="}, nonsense=1))
    yield "apply as metadata", "PATCH", f"{s}/a?fieldManager=kt&force=true", APPLY, secret("a", {"A": "NA=="}), META
    yield "dry run", *apply(f"{s}/dry", "kt", secret("dry", {"A": "MQ=="}), query="&dryRun=All")
    yield "dry run left nothing", "GET", f"{s}/dry", None, None
    yield "create", "POST", f"{s}{by}maker", None, secret("c", {"A": "MQ=="}, stringData={"B": "two"})
    yield "create again", "POST", s, None, secret("c")
    yield "create in no namespace", "POST", "/api/v1/namespaces/kt-none/secrets", None, secret("c")
    yield "create bad name", "POST", s, None, secret("Bad_Name")
    yield "create bad key", "POST", s, None, secret("c2", {"bad key": "MQ=="})
    yield "create bad base64", "POST", s, None, secret("c2", {"A": "!!"})
    yield "create with version", "POST", s, None, secret("c2", metadata={"resourceVersion": "1"})
    yield "create bad label", "POST", s, None, secret("c2", metadata={"labels": {"a b": "x"}})
    yield "create tls incomplete", "POST", s, None, secret("c2", {"tls.crt": "MQ=="}, type="kubernetes.io/tls")
    yield "create basic-auth incomplete", "POST", s, None, secret("c2", {"x": "MQ=="}, type="kubernetes.io/basic-auth")
    yield "create other namespace", "POST", s, None, secret("c2", metadata={"namespace": "default"})
    yield "create wrong kind", "POST", s, None, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    yield "create unknown field strict", "POST", f"{s}?fieldValidation=Strict", None, secret("c2", nonsense=1)
    yield "create no json", "POST", s, None, "{"
    yield "put", "PUT", f"{s}/c{by}maker", None, secret("c", {"A": "Mg==", "C": "MQ=="})
    yield "put same", "PUT", f"{s}/c{by}maker", None, secret("c", {"A": "Mg==", "C": "MQ=="})
    yield "put stale", "PUT", f"{s}/c{by}maker", None, secret("c", metadata={"resourceVersion": "1"})
    yield "put other uid", "PUT", f"{s}/c{by}maker", None, secret("c", metadata={"uid": "00000000-0000-4000-8000-000000000000"})
    yield "put missing", "PUT", f"{s}/nope", None, secret("nope")
    yield "put other type", "PUT", f"{s}/c", None, secret("c", type="kt/other")
    yield "merge stale", "PATCH", f"{s}/c", MERGE, {"metadata": {"resourceVersion": "1"}, "data": {"A": "Mw=="}}
    yield "json patch test", "PATCH", f"{s}/c{by}jp", JSONPATCH, [{"op": "test", "path": "/data/A", "value": "Mg=="}, {"op": "replace", "path": "/data/A", "value": "Mw=="}]
    yield "json patch test fails", "PATCH", f"{s}/c{by}jp", JSONPATCH, [{"op": "test", "path": "/data/A", "value": "xx"}]
    yield "strategic", "PATCH", f"{s}/c{by}sp", STRATEGIC, {"metadata": {"labels": {"s": "t"}}, "data": {"A": None}}
    yield "bad patch type", "PATCH", f"{s}/c", "text/plain", {}
    yield "immutable", "PATCH", f"{s}/c{by}im", MERGE, {"immutable": True}
    yield "immutable data", "PATCH", f"{s}/c{by}im", MERGE, {"data": {"A": "Mw=="}}
    yield "immutable off", "PATCH", f"{s}/c{by}im", MERGE, {"immutable": None}
    yield "reset managedFields", "PATCH", f"{s}/c{by}im", MERGE, {"metadata": {"managedFields": [{}]}}
    yield "edit after reset", "PATCH", f"{s}/c{by}im", MERGE, {"metadata": {"labels": {"r": "1"}}}
    yield "apply after reset", *apply(f"{s}/c", "kt", secret("c", {"C": "MQ=="}))
    yield "delete precondition uid", "DELETE", f"{s}/c", None, {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
    yield "delete precondition version", "DELETE", f"{s}/c", None, {"preconditions": {"resourceVersion": "1"}}
    yield "delete", "DELETE", f"{s}/c", None, None
    yield "delete again", "DELETE", f"{s}/c", None, None
    yield "backup restored", "POST", f"{s}{by}velero", None, secret("bk", {"A": "MQ=="}, metadata={"managedFields": [{
        "manager": "kt", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:A": {}}}}]})
    yield "finalizer", "POST", f"{s}{by}maker", None, secret("f", metadata={"finalizers": ["x.dev/f"]})
    yield "delete waits", "DELETE", f"{s}/f", None, None
    yield "deleted and still there", "GET", f"{s}/f", None, None
    yield "add finalizer while deleting", "PATCH", f"{s}/f", JSONPATCH, [{"op": "add", "path": "/metadata/finalizers/-", "value": "x.dev/g"}]
    yield "finalizer off", "PATCH", f"{s}/f", MERGE, {"metadata": {"finalizers": None}}
    yield "now it is gone", "GET", f"{s}/f", None, None
    yield "list pages", "GET", f"{s}?limit=1", None, None
    yield "list exact without version", "GET", f"{s}?resourceVersionMatch=Exact", None, None
    yield "list exact zero", "GET", f"{s}?resourceVersionMatch=Exact&resourceVersion=0", None, None
    yield "list bad continue", "GET", f"{s}?continue=x", None, None
    yield "list bad field", "GET", f"{s}?fieldSelector=spec.x%3Dy", None, None
    yield "list bad selector", "GET", f"{s}?labelSelector=a%20b", None, None
    yield "list by field", "GET", f"{s}?fieldSelector=metadata.name%3Dbk", None, None, META.replace("Metadata;", "MetadataList;")
    yield "watch rules", "GET", f"{s}?watch=1&sendInitialEvents=true", None, None
    yield "unknown path", "GET", f"{CORE}/nopes", None, None
    yield "unknown version", "GET", "/apis/apps/v9/deployments", None, None
    yield "not acceptable", "GET", s, None, None, "text/html"

    yield "thing", "POST", f"{THINGS}{by}maker", None, thing({"id": "ab", "items": [{"name": "x"}, {"name": "y", "on": False}], "map": {"k": "v"}, "free": {"deep": {"er": 1}}, "plain": ["a"], "set": ["a", "b"], "nope": 1}, status={"phase": "No"})
    yield "thing list", "GET", THINGS, None, None
    yield "thing put", "PUT", f"{THINGS}/t", None, thing({"id": "ab"})
    yield "thing not acceptable", "GET", THINGS, None, None, "text/html"
    yield "thing invalid", "POST", THINGS, None, thing({"id": "a", "mode": "Odd", "count": 0}, "bad")
    yield "thing without spec", "POST", THINGS, None, thing(None, "bad")
    yield "thing wrong type", "POST", THINGS, None, thing({"id": 5}, "bad")
    yield "thing null", "POST", THINGS, None, thing({"id": None}, "bad")
    yield "thing too many", "POST", THINGS, None, thing({"id": "ab", "items": [{"name": n} for n in "wxyz"]}, "bad")
    yield "thing duplicate", "POST", THINGS, None, thing({"id": "ab", "items": [{"name": "x"}, {"name": "x"}]}, "bad")
    yield "thing immutable", "PATCH", f"{THINGS}/t", MERGE, {"spec": {"id": "cd"}}
    yield "thing spec", "PATCH", f"{THINGS}/t{by}person", MERGE, {"spec": {"count": 3, "map": {"z": "w"}}, "status": {"phase": "No"}}
    yield "thing label keeps generation", "PATCH", f"{THINGS}/t{by}person", MERGE, {"metadata": {"labels": {"a": "b"}}}
    yield "thing status apply", *apply(f"{THINGS}/t/status", "kt", thing(None, status={"phase": "Up", "conditions": [{"type": "Ready", "status": "True"}]}))
    yield "thing status apply again", *apply(f"{THINGS}/t/status", "kt", thing(None, status={"phase": "Up", "conditions": [{"type": "Ready", "status": "True"}]}))
    yield "thing status by another", *apply(f"{THINGS}/t/status", "kt2", thing(None, status={"conditions": [{"type": "Other", "status": "True"}]}))
    yield "thing status conflict", *apply(f"{THINGS}/t/status", "kt2", thing(None, status={"phase": "Down"}), force=False)
    yield "thing status less", *apply(f"{THINGS}/t/status", "kt", thing(None, status={"phase": "Up"}))
    yield "thing status with spec", "PATCH", f"{THINGS}/t/status{by}p", MERGE, {"spec": {"count": 9}, "status": {"phase": "Patched"}}
    yield "thing status put", "PUT", f"{THINGS}/t/status{by}p", None, thing({"id": "zz"}, status={"phase": "Put"})
    yield "thing status missing object", *apply(f"{THINGS}/none/status", "kt", thing(None, "none", status={"phase": "Up"}))
    yield "thing apply", *apply(f"{THINGS}/t2", "kt", thing({"id": "ab", "items": [{"name": "x", "n": 1}], "set": ["a"], "map": {"a": "1"}, "plain": ["p"]}, "t2"))
    yield "thing apply second", *apply(f"{THINGS}/t2", "kt2", thing({"id": "ab", "items": [{"name": "y"}], "set": ["b"], "map": {"b": "1"}}, "t2"))
    yield "thing apply less", *apply(f"{THINGS}/t2", "kt", thing({"id": "ab", "items": [{"name": "z"}]}, "t2"))
    yield "thing apply atomic conflict", *apply(f"{THINGS}/t2", "kt2", thing({"id": "ab", "items": [{"name": "z", "on": False}]}, "t2"), force=False)
    yield "thing apply unknown", *apply(f"{THINGS}/t2", "kt", thing({"id": "ab", "nope": 1}, "t2"))
    yield "thing apply first on created", *apply(f"{THINGS}/t", "kt", thing({"id": "ab", "count": 4}), force=False)
    yield "thing with nothing in its metadata", "POST", f"{THINGS}{by}maker", None, thing({"id": "ab"}, "t3")
    yield "thing gets a finalizer", *apply(f"{THINGS}/t3", "kt", thing(None, "t3", finalizers=["x.dev/f"]))
    yield "thing loses its finalizer", *apply(f"{THINGS}/t3", "kt", thing(None, "t3"))
    yield "thing strategic", "PATCH", f"{THINGS}/t", STRATEGIC, {}
    yield "thing delete", "DELETE", f"{THINGS}/t", None, {"propagationPolicy": "Background"}
    yield "thing strict", "POST", f"{THINGS}?fieldValidation=Strict", None, thing({"id": "ab", "nope": 1}, "bad")

    ev = f"/apis/events.k8s.io/v1/namespaces/{NS}/events"
    event = {"metadata": {"name": "e.1"}, "regarding": {"kind": "Secret", "name": "a", "namespace": NS}, "reason": "R", "note": "n", "type": "Normal",
             "action": "A", "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "x.dev/c", "reportingInstance": "i"}
    yield "event", "POST", f"{ev}{by}kt", None, event
    yield "event as core", "GET", f"{CORE}/events/e.1", None, None
    yield "event without action", "POST", ev, None, {**event, "metadata": {"name": "e.2"}, "action": ""}
    yield "event elsewhere", "POST", ev, None, {**event, "metadata": {"name": "e.3"}, "regarding": {"kind": "Secret", "name": "a", "namespace": "default"}}
    yield "event note", "PATCH", f"{ev}/e.1{by}kt", MERGE, {"note": "m"}
    yield "event series too short", "PATCH", f"{ev}/e.1{by}kt", MERGE, {"series": {"count": 1, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
    core_event = {"metadata": {"name": "e.4"}, "involvedObject": {"kind": "Secret", "name": "a", "namespace": NS}, "reason": "R"}
    yield "core event", "POST", f"{CORE}/events", None, core_event
    yield "core event elsewhere", "POST", f"{CORE}/events", None, {**core_event, "metadata": {"name": "e.5"}, "involvedObject": {"kind": "Secret", "name": "a", "namespace": "default"}}
    yield "core event again", "PATCH", f"{CORE}/events/e.4", MERGE, {"count": 2}
    yield "event list", "GET", f"{ev}?fieldSelector=metadata.name%3De.1", None, None
    yield "event series", "PATCH", f"{ev}/e.1{by}kt", MERGE, {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NS}/leases"
    yield "lease", "POST", f"{lease}{by}kt", None, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}}
    yield "lease put", "PUT", f"{lease}/l{by}kt", None, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "you", "leaseDurationSeconds": 15}}
    yield "lease without spec", "POST", lease, None, {"metadata": {"name": "l2"}}
    yield "lease apply", *apply(f"{lease}/l2", "kt", {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l2"}, "spec": {"holderIdentity": "me"}})
    yield "token too short", "POST", f"{CORE}/serviceaccounts/default/token", None, {"spec": {"expirationSeconds": 5}}
    yield "token of nobody", "POST", f"{CORE}/serviceaccounts/nobody/token", None, {"spec": {"audiences": ["x"]}}


class Server:
    def __init__(self, kubeconfig):
        view = json.loads(subprocess.check_output(["kubectl", "--kubeconfig", kubeconfig, "config", "view", "--raw", "--minify", "-o", "json"]))
        cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
        self.url = cluster["server"]
        self.context = ssl.create_default_context()
        self.context.load_verify_locations(cadata=self.pem(cluster, "certificate-authority"))
        self.token = user.get("token")
        if not self.token:
            with tempfile.NamedTemporaryFile("w") as pem:
                pem.write(self.pem(user, "client-certificate") + self.pem(user, "client-key"))
                pem.flush()
                self.context.load_cert_chain(pem.name)
        self.names = {}

    @staticmethod
    def pem(holder, key):
        if key + "-data" in holder:
            return base64.b64decode(holder[key + "-data"]).decode()
        return open(holder[key], encoding="utf-8").read()

    def send(self, method, path, content_type, body, accept="application/json"):
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Accept": accept, "User-Agent": "compare/1"})
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        if data is not None:
            request.add_header("Content-Type", content_type or "application/json")
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=20) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def wait(self, path, status):
        import time
        for _ in range(200):
            if self.send("GET", path, None, None)[0] == status:
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.url}{path}: never {status}")

    def plain(self, value, messages, key=""):
        """Versions and uids by order of appearance, times as T."""
        if isinstance(value, dict):
            out = {k: self.plain(v, messages, k) for k, v in value.items() if messages or k != "message" or "reason" not in value}
            if isinstance(out.get("causes"), list):
                # The real one walks a schema's properties in random order, and checks metadata twice on an update.
                out["causes"] = [json.loads(c) for c in sorted({json.dumps(c, sort_keys=True) for c in out["causes"]})]
            if "managedFields" in out:
                out["managedFields"].sort(key=lambda m: (m.get("operation", ""), m.get("manager", ""), m.get("subresource", "")))
            return out
        if isinstance(value, list):
            return [self.plain(v, messages) for v in value]
        if key in ("uid", "resourceVersion", "continue") and isinstance(value, str) and value:
            return self.names.setdefault((key, value), f"{key}-{sum(1 for k, _ in self.names if k == key)}")
        if key in ("creationTimestamp", "deletionTimestamp", "time") and value:
            return "T"
        if isinstance(value, str):
            return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", value)
        return value


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            if key not in a:
                yield f"{path}.{key}: only the sandbox: {json.dumps(b[key])[:200]}"
            elif key not in b:
                yield f"{path}.{key}: only the real one: {json.dumps(a[key])[:200]}"
            else:
                yield from differences(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}[{index}]")
    elif a != b:
        yield f"{path}: real {json.dumps(a)[:300]}\n{' ' * 8}sandbox {json.dumps(b)[:300]}"


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    servers = [Server(a) for a in arguments]
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for server in servers:
        server.send("POST", crds, None, CRD)
        server.send("POST", "/api/v1/namespaces", None, {"metadata": {"name": NS}})
        server.wait(THINGS, 200)
        server.wait(f"{CORE}/serviceaccounts/default", 200)
    bad = total = 0
    try:
        for name, *request in steps():
            total += 1
            answers = []
            for server in servers:
                status, body = server.send(*request)
                answers.append({"status": status, "body": server.plain(body, "--messages" in sys.argv)})
            found = list(differences(*answers))
            if found:
                bad += 1
                print(f"{name}: {request[0]} {request[1]}")
                for line in found:
                    print("   ", line)
    finally:
        for server in servers:
            server.send("DELETE", f"/api/v1/namespaces/{NS}", None, None)
            server.send("DELETE", f"{crds}/{CRD['metadata']['name']}", None, None)
    print(f"{total} requests, {bad} answered differently")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
