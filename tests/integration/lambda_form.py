"""The Lambda form against the sandbox: RotateSecret, the runtime endpoint, Secrets Manager and backends, over their own protocols."""
import json, os, re, subprocess, uuid, zipfile

from harness import MARKER, check, collection, until
from influxdb import Influx
from influxdb_user import Server
from rotation_function import STEPS, Function, cancel, is_rotated
from secret_commands import keyturn, new_secret
from secret_influxdb import new_secret as new_influx_secret

SCENARIOS, scenario = collection()

PASSWORD = '{"fields": [{"pointer": "/password"}]}'
TOKEN = ("--strategy", "influxdbToken", "--request-deadline", "500ms")


def labels(world, name):
    return world.sandbox.secret(name)["labels"]


@scenario
def lambda_rotates_when_aws_asks(world):
    before = new_secret(world, "alone/by-aws")
    function = Function(world, "by-aws", "generic", "alone/by-aws other/*", PASSWORD)
    version = function.rotates("alone/by-aws")
    check(function.steps() == [(step, True) for step in STEPS], f"{function.invocations()}")
    state = world.sandbox.secret("alone/by-aws")
    check(state["labels"] == {"AWSCURRENT": version, "AWSPREVIOUS": before["labels"]["AWSCURRENT"], "KEYTURN_LATEST": version}, f"{state['labels']}")
    [made] = [v for v in state["versions"] if v["id"] == version]
    check(made["byRotation"], "RotationToken was not passed on")
    value = json.loads(world.sandbox.value_of("alone/by-aws"))
    check(value["user"] == MARKER + "-user" and len(value["password"]) == 44, "a wrong field was touched")
    for step in STEPS:  # AWS may call any of them again
        done = function.call(step, state["arn"], version)
        check(done["ok"] and json.loads(done["response"])["versionId"] == version, f"{step} again: {done}")
    function.check_quiet_about(value["password"])
    function.end()


@scenario
def lambda_guards(world):
    """What the originals check, the list of secrets, and events that are none: each an error with a type and what to do, and nothing is written."""
    for name in ("alone/listed", "alone/unlisted"):
        new_secret(world, name)
    function = Function(world, "guards", "generic", "arn:aws:secretsmanager:*:*:secret:alone/listed-*", PASSWORD)
    listed, unlisted = (world.sandbox.secret(n)["arn"] for n in ("alone/listed", "alone/unlisted"))
    version = str(uuid.uuid4())
    world.sandbox.forget_calls()
    for event, kind, says in (
            ({"Step": "createSecret", "SecretId": listed, "ClientRequestToken": version}, "RotationNotEnabled", "keyturn secret rotate"),
            ({"Step": "createSecret", "SecretId": unlisted, "ClientRequestToken": version}, "SecretNotListed", "KEYTURN_SECRETS"),
            ({"Step": "dropSecret", "SecretId": listed, "ClientRequestToken": version}, "BadEvent", "dropSecret"),
            ({"Step": "createSecret", "SecretId": listed}, "BadEvent", "ClientRequestToken"),
            (["createSecret"], "BadEvent", "no JSON object"),
            ({"Step": "createSecret", "SecretId": listed + "x", "ClientRequestToken": version}, "ResourceNotFoundException", "DescribeSecret")):
        done = function.invoke(event)
        check(not done["ok"] and done["errorType"] == kind and says in done["errorMessage"], f"{event}: {done}")
    check(not [c for c in world.sandbox.calls("secretsmanager") if c["operation"] != "DescribeSecret"], "more than a look was asked for")
    world.sandbox.admin("/aws/secrets/alone/listed", {"rotationEnabled": True}, "PATCH")
    done = function.call("createSecret", listed, version)
    check(done["errorType"] == "NotPending" and version in done["errorMessage"], f"{done}")
    check(list(labels(world, "alone/listed")) == ["AWSCURRENT"], f"{labels(world, 'alone/listed')}")
    function.check_quiet_about()
    function.end()


@scenario
def lambda_tells_what_is_wrong_with_its_settings(world):
    for number, (env, says) in enumerate((({"KEYTURN_STRATEGY": "generc"}, "generic"), ({"KEYTURN_STRATEGY": ""}, "KEYTURN_STRATEGY"), ({"KEYTURN_SECRETS": " , "}, "KEYTURN_SECRETS"),
                                          ({"KEYTURN_OPTIONS": '{"field": 1}'}, "fields"), ({"KEYTURN_STRATEGY": "syncOnly"}, "KEYTURN_STRATEGY"),
                                          ({"KEYTURN_REQUEST_DEADLINE": "soon"}, "KEYTURN_REQUEST_DEADLINE"))):
        function = Function(world, f"settings-{number}", "generic", "alone/*", **env)
        check(function.process.wait(timeout=20) == 1, "it must end after its init phase failed")
        check(says in function.state()["initError"], f"{env}: {function.state()['initError']}")
    function = subprocess.run([f"{world.sandbox.binaries}/keyturn", "lambda"], env={}, capture_output=True, text=True)
    check(function.returncode == 2 and "AWS_LAMBDA_RUNTIME_API" in function.stderr, function.stderr)


@scenario
def lambda_keeps_the_old_token_until_the_next_rotation(world):
    influx, name = Influx(world, "by-aws-token", "2.9"), "alone/by-aws-token"
    token = new_influx_secret(world, influx, name)
    function = Function(world, "by-aws-token", "influxdbToken", "alone/*")
    first = function.rotates(name)
    check(influx.works(token["token"]) and influx.works(json.loads(world.sandbox.value_of(name))["token"]), "both tokens must work")
    check(labels(world, name)["KEYTURN_BATON"] == world.sandbox.secret(name)["labels"]["AWSPREVIOUS"], f"{labels(world, name)}")
    second = function.rotates(name)
    check(token["id"] not in influx.truth(), "the next rotation must revoke what the last one replaced")
    check(labels(world, name) == {"AWSCURRENT": second, "AWSPREVIOUS": first, "KEYTURN_LATEST": second, "KEYTURN_BATON": first}, f"{labels(world, name)}")
    cancel(world, name)
    keyturn(world, "secret", "retire", name, *TOKEN)
    check(list(influx.truth().values())[-1]["token"] == json.loads(world.sandbox.value_of(name))["token"] and "KEYTURN_BATON" not in labels(world, name), "retire must revoke the last one")
    influx.truth()
    function.check_quiet_about(*influx.issued)
    function.end()


@scenario
def lambda_sends_no_credential_to_a_host_that_is_not_listed(world):
    influx, name = Influx(world, "by-aws-elsewhere", "2.7"), "alone/by-aws-elsewhere"
    new_influx_secret(world, influx, name)
    function = Function(world, "by-aws-elsewhere", "influxdbToken", "alone/*", KEYTURN_BACKENDS="influx.internal:8086")
    world.sandbox.admin("/lambda/patience", {"attempts": 1, "betweenMs": 200})
    world.sandbox.forget_calls()
    function.begin(name)
    until("the refusal", lambda: function.invocations())
    [refused] = function.invocations()
    check(refused["errorType"] == "BackendNotListed" and "KEYTURN_BACKENDS" in refused["errorMessage"], f"{refused}")
    check(not world.sandbox.calls("influxdb"), "the server was asked")
    world.sandbox.admin("/lambda/patience", {"attempts": 5, "betweenMs": 500})
    function.end()


@scenario
def lambda_respects_its_deadline(world):
    """A server that does not answer: the error comes before Lambda ends the function without a word, and AWS's next try succeeds."""
    influx, name = Influx(world, "by-aws-silent", "2.7"), "alone/by-aws-silent"
    new_influx_secret(world, influx, name)
    function = Function(world, "by-aws-silent", "influxdbToken", "alone/*", timeout_ms=4_000, KEYTURN_REQUEST_DEADLINE="15s")
    world.sandbox.fault(service="influxdb", kind="black-hole")
    version = function.begin(name)
    until("the first try is over", lambda: function.invocations())
    first = function.invocations()[0]
    check(first["errorType"] == "TimeLimit" and "function's time" in first["errorMessage"], f"{first}")
    world.sandbox.admin("/faults", method="DELETE")
    until("another try succeeds", lambda: is_rotated(world, name, version), 60)
    function.end()


def check_one_version(world, name, before, version):
    after = world.sandbox.secret(name)
    new = [v["id"] for v in after["versions"] if v["id"] not in [w["id"] for w in before["versions"]]]
    check(new == [version], f"new versions: {new}")
    check(after["labels"]["AWSCURRENT"] == version and after["labels"]["AWSPREVIOUS"] == before["labels"]["AWSCURRENT"], f"{after['labels']}")


def dies_at_every_request(world, what, strategy, make, works):
    """The n-th request takes effect, its answer never comes, and the process dies; AWS calls a new one. One new version, and it works."""
    deaths = 0
    world.sandbox.admin("/lambda/patience", {"attempts": 5, "betweenMs": 50})
    for service in ("secretsmanager", "influxdb"):
        for n in range(1, 60):
            name = f"alone/{what}-{service[:2]}-{n:02}"
            subject = make(name, f"{what}-{service[:2]}-{n}")
            before = world.sandbox.secret(name)
            function = Function(world, f"{what}-{service[:2]}-{n}", strategy, "alone/*", KEYTURN_REQUEST_DEADLINE="250ms")
            match = {"resource": f"**{name}**"} if service == "secretsmanager" else {"namespace": subject.name}
            version = str(uuid.uuid4())
            # RotateSecret itself is this test's request.
            world.sandbox.fault(id="kill", service=service, kind="hold-reply", skip=n - 1 + (service == "secretsmanager"), times=1, **match)
            function.begin(name, version)
            hit = lambda: world.sandbox.admin("/faults")["faults"][0]["hits"] > 0
            until(f"request {n} or the end", lambda: hit() or is_rotated(world, name, version))
            over = not hit()
            if not over:
                world.sandbox.admin("/faults", method="DELETE")
                function.kill()
                function.start()
            world.sandbox.admin("/faults", method="DELETE")
            until(f"AWS has rotated {name}", lambda: is_rotated(world, name, version))
            check_one_version(world, name, before, version)
            works(subject, name)
            function.kill()
            world.sandbox.admin(f"/influx/instances/{subject.name}", method="DELETE")
            if over:
                break
            deaths += 1
    world.sandbox.admin("/lambda/patience", {"attempts": 5, "betweenMs": 500})
    check(deaths > 15, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def lambda_token_killed_at_every_request(world):
    def make(name, server):
        influx = Influx(world, server, "2.7")
        influx.old = new_influx_secret(world, influx, name)
        return influx

    def works(influx, name):
        value = json.loads(world.sandbox.value_of(name))
        check(influx.works(value["token"]) and influx.works(influx.old["token"]), "both must work")
        check(labels(world, name)["KEYTURN_BATON"] == labels(world, name)["AWSPREVIOUS"], f"{labels(world, name)}")
    return dies_at_every_request(world, "aws-token", "influxdbToken", make, works)


@scenario
def lambda_user_killed_at_every_request(world):
    def make(name, server):
        server = Server(world, server)
        world.sandbox.admin("/aws/secrets", {"name": name, "value": json.dumps(server.value(note=MARKER))})
        return server

    def works(server, name):
        check(json.loads(world.sandbox.value_of(name))["password"] == server.password(), "AWSCURRENT is not what the server takes")
        check("KEYTURN_BATON" not in labels(world, name), "nothing is left to be revoked")
    return dies_at_every_request(world, "aws-user", "influxdbUser", make, works)


# --- the package, and what it may do

def unpacked(world):
    folder = f"{world.sandbox.dir}/package"
    if not os.path.exists(folder):
        env = {**os.environ, "KEYTURN": f"{world.sandbox.binaries}/keyturn"}
        done = subprocess.run([f"{world.sandbox.source}/scripts/lambda.sh", folder + "-build"], env=env, capture_output=True, text=True)
        check(done.returncode == 0, done.stdout + done.stderr)
        archive = zipfile.ZipFile(folder + "-build/keyturn-lambda.zip")
        archive.extractall(folder)
        for entry in archive.infolist():
            os.chmod(f"{folder}/{entry.filename}", entry.external_attr >> 16 & 0o777)
    return folder


@scenario
def lambda_package_runs_with_nothing_of_this_machine(world):
    """What Lambda would unpack, with an empty environment but for its own variables: every library is the package's, and a rotation works over TLS."""
    folder = unpacked(world)
    for name in ("bootstrap", "keyturn"):
        check(os.access(f"{folder}/{name}", os.X_OK), f"{name} is not executable")
    before = new_secret(world, "alone/packed")
    function = Function(world, "packed", "generic", "alone/packed", PASSWORD, program=f"{folder}/bootstrap")
    version = function.rotates("alone/packed")
    check_one_version(world, "alone/packed", before, version)
    if os.geteuid() == 0:  # the program is not dumpable: nobody else may look
        files = {line.split()[-1] for line in open(f"/proc/{function.process.pid}/maps") if "/" in line}
        strays = {f for f in files if not f.startswith(os.path.realpath(folder))}
        check(files and not strays, f"of the machine: {strays}")
    function.end()


def allow(world, access_key, *policies):
    # IAM's star passes a slash; its question mark stands for one character.
    listed = lambda value: [v.replace("*", "**").replace("?", "*") for v in ([value] if isinstance(value, str) else value)]
    rules = [{"effect": s["Effect"], "actions": listed(s["Action"]), "resources": listed(s["Resource"])} for policy in policies for s in policy["Statement"]]
    world.sandbox.admin("/aws/keys", {"accessKey": access_key, "secretKey": "of-the-role", "rules": rules})


@scenario
def lambda_role_is_exactly_what_iam_prints(world):
    """With `keyturn secret iam`'s role alone two rotations succeed; without any one of its actions on the secret they do not. Its files lie beside the zip."""
    influx, name = Influx(world, "by-role", "2.7", admin_secret="alone/by-role-admin"), "alone/by-role"
    token = influx.token(influx.user("reader"), type="allAccess")
    world.sandbox.admin("/aws/secrets", {"name": name, "value": json.dumps(influx.secret("allAccess", token["token"], adminSecretArn=influx.admin_arn))})
    policy = json.loads(keyturn(world, "secret", "iam", name, "--strategy", "influxdbToken", "--region", "eu-west-1", "--account", "123456789012", "--lambda", "by-role", "--reads", "alone/by-role-admin").out)
    function = Function(world, "by-role", "influxdbToken", name, AWS_ACCESS_KEY_ID="AKIAROLE", AWS_SECRET_ACCESS_KEY="of-the-role")
    allow(world, "AKIAROLE", policy)
    function.rotates(name)
    function.rotates(name)
    world.sandbox.admin("/lambda/patience", {"attempts": 1, "betweenMs": 50})
    for missing in [a for s in policy["Statement"] for a in s["Action"] if not a.startswith("logs:")]:
        if missing.endswith("GetDbCluster"):
            continue  # the database is an instance
        less = {"Statement": [{**s, "Action": [a for a in s["Action"] if a != missing]} for s in policy["Statement"]]}
        allow(world, "AKIAROLE", less)
        count = len(function.invocations())
        version = function.begin(name)
        until("a refusal", lambda: any(not i["ok"] for i in function.invocations()[count:]))
        failed = [i for i in function.invocations()[count:] if not i["ok"]][0]
        check(failed["errorType"] == "AccessDeniedException", f"without {missing}: {failed}")
        allow(world, "AKIAROLE", policy)
        function.begin(name, version)
        until("with it AWS's rotation succeeds", lambda: is_rotated(world, name, version), 60)
    world.sandbox.admin("/lambda/patience", {"attempts": 5, "betweenMs": 500})
    function.end()
    build = unpacked(world) + "-build"
    strategies = re.search(r"How the secret rotates:(.*?)--options", " ".join(keyturn(world, "secret", "rotate", "--help").out.split())).group(1)
    for strategy in [s.strip() for s in strategies.split(",") if s.strip() not in ("syncOnly", "lambda")]:
        role = json.load(open(f"{build}/{strategy}-role.json"))
        check(role["Statement"][0]["Action"][0] == "secretsmanager:DescribeSecret", f"{role}")
        invoke = json.load(open(f"{build}/{strategy}-invoke.json"))["Statement"][0]
        check(invoke["Principal"] == {"Service": "secretsmanager.amazonaws.com"} and invoke["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012", f"{invoke}")
