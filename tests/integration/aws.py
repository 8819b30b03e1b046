"""A second, small client of Secrets Manager for these tests: Signature Version 4 with the standard library only."""
import hashlib, hmac, json, time, urllib.error, urllib.request


class AwsError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]}")


def call(sandbox, operation, **body):
    """Signed with the sandbox's own keys, in its region."""
    env = sandbox.env
    endpoint = env["AWS_ENDPOINT_URL"]
    host, region, service = endpoint.split("://")[1].rstrip("/"), env["AWS_REGION"], "secretsmanager"
    payload = json.dumps(body).encode()
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-date": at, "x-amz-target": f"secretsmanager.{operation}"}
    names = ";".join(sorted(headers))
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, hashlib.sha256(payload).hexdigest()])
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + env["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (at[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={env['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, "
                                f"Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")
    request = urllib.request.Request(endpoint, data=payload, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, context=sandbox.tls) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise AwsError(error.code, error.read().decode()) from None
