#!/usr/bin/python3
"""Computes SigV4 vectors with botocore (Debian: python3-botocore), independent code, for signer_test.cpp.

  make_vectors.py > sigv4.json        write them anew
  make_vectors.py --check sigv4.json  compare; exit 1 when different, 77 when there is no botocore

The cases follow the manner of AWS's signing test suite: one peculiarity each.
"""
import json
import sys

try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from http.client import HTTPMessage
except ImportError:
    print("botocore is not installed", file=sys.stderr)
    sys.exit(77)

# The key pair that AWS's documentation uses everywhere; no account has it.
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "SESSIONTOKENEXAMPLE=="
HOST = "example.amazonaws.com"
TIME = "20150830T123600Z"


def case(name, method="GET", path="/", query=(), headers=(), body="", token="", time=TIME,
         region="us-east-1", service="service", host=HOST, secret=SECRET_KEY):
    return {"name": name, "method": method, "path": path, "query": [list(q) for q in query],
            "headers": [["Host", host]] + [list(h) for h in headers], "body": body, "token": token,
            "time": time, "region": region, "service": service, "accessKey": ACCESS_KEY,
            "secretKey": secret}


def json_call(name, operation, body, **more):
    return case(name, "POST", body=body, service="secretsmanager",
                headers=[("Content-Type", "application/x-amz-json-1.1"),
                         ("X-Amz-Target", "secretsmanager." + operation)],
                host="secretsmanager.us-east-1.amazonaws.com", **more)


FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")

CASES = [
    case("get-vanilla"),
    case("post-vanilla", "POST"),
    case("get-header-key-duplicate",
         headers=[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")]),
    case("get-header-value-order",
         headers=[("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3")]),
    case("get-header-value-trim",
         headers=[("My-Header1", "  value1  "), ("My-Header2", ' "a   b   c"\t ')]),
    case("get-header-value-multiline", headers=[("My-Header1", "value1\n  value2\n     value3")]),
    case("get-header-value-empty", headers=[("My-Header1", ""), ("My-Header2", "   ")]),
    case("post-header-key-case", "POST", headers=[("mY-hEADER1", "value1")]),
    case("post-header-key-sort", "POST", headers=[("My-Header10", "z"), ("My-Header1", "value1"),
                                                  ("My-Header", "p"), ("A", "1"), ("Zz", "2")]),
    case("post-header-value-case", "POST", headers=[("My-Header1", "VALUE1")]),
    case("headers-not-signed", "POST",
         headers=[("User-Agent", "keyturn"), ("Expect", "100-continue"), ("X-Amzn-Trace-Id", "Root=1"),
                  ("My-Header1", "v")]),
    case("get-query-order-key", query=[("Param2", "v"), ("Param1", "v"), ("Param", "v")]),
    case("get-query-order-key-case", query=[("b", "1"), ("B", "2"), ("a", "3"), ("A", "4")]),
    case("get-query-order-value", query=[("Param1", "value2"), ("Param1", "Value1"), ("Param1", "")]),
    case("get-query-order-encoded", query=[("a-b", "1"), ("a b", "2"), ("a", "3"), ("a%", "4")]),
    case("get-query-empty-value", query=[("Param1", "")]),
    case("get-query-unreserved",
         query=[("-._~0123456789ABCXYZabcxyz", "-._~0123456789ABCXYZabcxyz")]),
    case("get-query-reserved", query=[("@#$%^&+=/,?><`\";:\\|][{} ", "!*'()@#$%^&+=/,?><`\";:\\|][{} ")]),
    case("get-query-unicode", query=[("ሴ", "bar"), ("schlüssel", "größe 🔑")]),
    case("get-path-unicode", path="/ሴ"),
    case("get-path-space", path="/example space/"),
    case("get-path-encoded", path="/a%20b/c%2Fd"),
    case("get-path-relative", path="/example/.."),
    case("get-path-relative-relative", path="/example1/example2/../.."),
    case("get-path-dot-slash", path="/./example/."),
    case("get-path-slashes", path="//example//x//"),
    case("get-path-unreserved", path="/-._~0123456789ABCXYZabcxyz/@:$&'()*+,;="),
    case("post-x-www-form-urlencoded", "POST", headers=[FORM], body="Param1=value1"),
    case("get-vanilla-with-session-token", token=TOKEN),
    case("post-sts-token", "POST", headers=[FORM], token=TOKEN * 20,
         body="Action=AssumeRole&Version=2011-06-15", service="sts",
         host="sts.eu-west-1.amazonaws.com", region="eu-west-1"),
    case("post-body-unicode", "POST", headers=[("Content-Type", "application/json")],
         body='{"k":"schlüssel 🔑 \u0000 end"}'),
    case("host-with-port", "POST", body="{}", host="127.0.0.1:45669"),
    case("midnight", time="20240229T000000Z"),
    case("end-of-year", time="20251231T235959Z", region="us-gov-west-1"),
    case("odd-secret", secret="x"),
    json_call("describe-secret-with-token", "DescribeSecret", '{"SecretId":"MyTestDatabaseSecret"}',
              token=TOKEN),
    json_call("get-secret-value", "GetSecretValue", '{"SecretId":"a/b","VersionStage":"AWSCURRENT"}'),
]


def compute(c):
    url = "https://" + c["headers"][0][1] + c["path"]
    request = AWSRequest(method=c["method"], url=url, data=c["body"].encode(),
                         params=[tuple(q) for q in c["query"]])
    for name, value in c["headers"]:
        # add_header keeps repeats, which [] would too, but says so.
        HTTPMessage.add_header(request.headers, name, value)
    request.context["timestamp"] = c["time"]
    auth = SigV4Auth(Credentials(c["accessKey"], c["secretKey"], c["token"] or None), c["service"],
                     c["region"])
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    to_sign = auth.string_to_sign(request, canonical)
    sig = auth.signature(to_sign, request)
    auth._inject_signature_to_request(request, sig)
    return dict(c, canonicalRequest=canonical, stringToSign=to_sign, signature=sig,
                authorization=request.headers["Authorization"])


def main():
    text = json.dumps([compute(c) for c in CASES], indent=1, ensure_ascii=True) + "\n"
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as stored:
            same = json.load(stored) == json.loads(text)
        sys.exit(0 if same else 1)
    sys.stdout.write(text)


main()
