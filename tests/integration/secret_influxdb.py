"""`keyturn secret …` with a strategy whose credentials live in a backend: influxdbToken, alone and killed at any request."""
import json, re, signal

from harness import Subject, check, collection, until
from influxdb import RULES, Influx
from secret_commands import keyturn, rotate_and_retire, start, wait

SCENARIOS, scenario = collection()

# Waits are three request deadlines long.
TOKEN = ("--strategy", "influxdbToken", "--request-deadline", "500ms")
HASTY = ("--strategy", "influxdbToken", "--request-deadline", "250ms")


def ours(influx):
    """What carries Keyturn's mark at the server, by id."""
    return {i: t for i, t in influx.truth().items() if "keyturn" in t["description"]}


def new_secret(world, influx, name):
    token = influx.token(influx.user("reader"), type="allAccess")  # its user's only one: 2.9 hides tokens
    value = json.dumps(influx.secret("allAccess", token["token"], adminSecretArn=influx.admin_arn, url=influx.about["url"], dbIdentifier=""))
    world.sandbox.admin("/aws/secrets", {"name": name, "value": value})
    return token


def current(world, name):
    return json.loads(world.sandbox.value_of(name))


def check_says_nothing(influx, *done):
    influx.truth()
    for one in done:
        check(not any(token in one.out + one.err for token in influx.issued), "a token was printed")


@scenario
def secret_influxdb_from_the_first_token_to_the_last(world):
    influx = Influx(world, "alone-life", "2.9")
    file, name = f"{world.sandbox.dir}/first.json", "alone/influx-life"
    open(file, "w").write(json.dumps(influx.secret("allAccess", "", adminSecretArn=influx.admin_arn)))
    made = keyturn(world, "secret", "new", name, *TOKEN, "--options", '{"allowCreate": true}', "--from-file", file)
    check(influx.works(current(world, name)["token"]), "the first token does not work")
    first = current(world, name)
    rotated = keyturn(world, "secret", "rotate", name, *TOKEN, "--force")
    check("keyturn secret retire" in rotated.out, f"the old credential is not told of: {rotated.out}")
    second = current(world, name)
    check(influx.works(first["token"]) and influx.works(second["token"]), "the old token must work beside the new one")
    status = keyturn(world, "secret", "status", name, *TOKEN[:2])
    check("RetirementLeft" in status.out and "the old credential, to be revoked" in status.out, status.out)
    retired = keyturn(world, "secret", "retire", name, *TOKEN)
    check(list(ours(influx)) == [second["authorizationId"]], f"at the server: {ours(influx)}")
    unsure = keyturn(world, "secret", "delete", name, *TOKEN, status=1)
    check(influx.works(second["token"]), "revoked without --yes")
    deleted = keyturn(world, "secret", "delete", name, *TOKEN, "--yes")
    check(not ours(influx) and world.sandbox.secret(name)["deleted"], f"left: {ours(influx)}")
    check_says_nothing(influx, made, rotated, status, retired, unsure, deleted)


@scenario
def secret_influxdb_four_steps(world):
    influx = Influx(world, "alone-steps", "2.7")
    name = "alone/influx-steps"
    old = new_secret(world, influx, name)
    keyturn(world, "secret", "step", "createSecret", name, *TOKEN)
    check(len(ours(influx)) == 1 and current(world, name)["token"] == old["token"], "createSecret did not mint beside the old one")
    for step in ("setSecret", "testSecret"):
        keyturn(world, "secret", "step", step, name, *TOKEN)
    check(current(world, name)["token"] == old["token"], "a step before finishSecret moved AWSCURRENT")
    keyturn(world, "secret", "step", "finishSecret", name, *TOKEN)
    check(influx.works(current(world, name)["token"]) and influx.works(old["token"]), "both must work")
    world.sandbox.admin(f"/influx/instances/{influx.name}/stop", {})
    unknown = keyturn(world, "secret", "delete", name, *TOKEN, "--yes", "--timeout", "1s", status=1)
    check("goes on from here" in unknown.err and not world.sandbox.secret(name)["deleted"], unknown.err)
    world.sandbox.admin(f"/influx/instances/{influx.name}/start", {})


@scenario
def secret_influxdb_rejected_and_abandoned(world):
    influx = Influx(world, "alone-rejected", "2.9")
    name = "alone/influx-rejected"
    old = new_secret(world, influx, name)
    keyturn(world, "secret", "step", "createSecret", name, *TOKEN)
    [minted] = ours(influx)
    world.sandbox.admin(f"/influx/instances/{influx.name}/authorizations/{minted}", {"status": "inactive"}, method="PATCH")
    for step in ("testSecret", "finishSecret"):
        tested = keyturn(world, "secret", "step", step, name, *TOKEN, status=1)
        check("does not work" in tested.err, tested.err)
    check("AWSPENDING" in world.sandbox.secret(name)["labels"], "a step gave the attempt up")
    keyturn(world, "secret", "abandon", name, *TOKEN)
    labels = world.sandbox.secret(name)["labels"]
    check(not ours(influx) and influx.works(old["token"]) and not {"AWSPENDING", "KEYTURN_BATON"} & set(labels), f"{ours(influx)} {labels}")


@scenario
def secret_influxdb_ctrl_c_during_quiet(world):
    influx = Influx(world, "alone-stopped", "2.9")
    name = "alone/influx-stopped"
    old = new_secret(world, influx, name)
    keyturn(world, "secret", "rotate", name, *TOKEN)
    process = start(world, "secret", "retire", name, "--strategy", "influxdbToken")
    line = process.stdout.readline()
    check("waiting" in line, line)
    process.send_signal(signal.SIGINT)
    done = wait(process)
    check(done.status == 1 and "goes on from there" in done.err and influx.works(old["token"]), done.err)


@scenario
def secret_influxdb_beside_the_operator(world):
    """Begun here, finished there; and both at once: one version, one token, and the operator retires what was replaced."""
    world.operator.read_rules(RULES)
    influx = Influx(world, "beside", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "influx-beside", {"influxdbToken": {}}, json.dumps(influx.secret("allAccess", old["token"], adminSecretArn=influx.admin_arn)), retirement={"gracePeriod": "0s"})
    for begin in (("step", "createSecret"), ("rotate",)):
        world.sandbox.admin(f"/aws/secrets/{s.id}", {"ageSeconds": 3600}, method="PATCH")
        s.settle()
        before = world.sandbox.secret(s.id)
        if begin == ("rotate",):
            s.request()
        done = wait(start(world, "secret", *begin, s.id, "--strategy", "influxdbToken", "--request-deadline", "2s"))
        check(done.status == 0 or "two rotations start at least" in done.err, done.err)
        s.sync_now()
        until("the old token is gone", lambda: "KEYTURN_BATON" not in world.sandbox.secret(s.id)["labels"] and world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"], 60)
        now = current(world, s.id)
        check(influx.works(now["token"]) and list(ours(influx)) == [now["authorizationId"]] and old["id"] not in influx.truth(), f"at the server: {ours(influx)}")
        s.settle()
        s.one_new_version(before)
    check_says_nothing(influx, done)


@scenario
def secret_influxdb_killed_at_every_request(world):
    """The n-th request to AWS or to the server takes effect, its answer never comes, and the command dies. The same commands again: the
    current token works, the old one is gone, and nothing else lives but a token that was minted and not stored: it carries our mark and goes as a leftover in an hour.
    That is one at most, for the death, and one for each mint whose answer came after the request deadline (a slow machine), of which the command tells."""
    deaths = late = 0
    for service in ("secretsmanager", "influxdb"):
        for n in range(1, 60):
            influx = Influx(world, f"alone-{service[:2]}-{n}", "2.9")
            name = f"alone/influx-{service[:2]}-{n:02}"
            old = new_secret(world, influx, name)
            match = {"resource": f"**{name}**"} if service == "secretsmanager" else {}
            world.sandbox.fault(id="kill", service=service, kind="hold-reply", skip=n - 1, times=1, **match)
            met, told = rotate_and_retire(world, name, HASTY, dies=True)
            check_says_nothing(influx, *told)
            unanswered = sum(len(re.findall(r"waiting .*POST \S+/authorizations: ", one.out + one.err)) for one in told)
            late += unanswered
            now, left = current(world, name), ours(influx)
            check(influx.works(now["token"]) and now["authorizationId"] in left, f"{service} {n}: AWSCURRENT does not work")
            check(old["id"] not in influx.truth(), f"{service} {n}: the old token is still there")
            stored = {json.loads(v["secretString"]).get("authorizationId") for v in world.sandbox.secret(name)["versions"]}
            check(stored & set(left) == {now["authorizationId"]}, f"{service} {n}: a stored token that is not current lives")
            check(len(left) <= 2 + unanswered, f"{service} {n}: {len(left)} tokens of ours, {unanswered} answers late")
            labels = set(world.sandbox.secret(name)["labels"])
            check(labels == {"AWSCURRENT", "AWSPREVIOUS", "KEYTURN_LATEST"}, f"{service} {n}: {labels}")
            world.sandbox.admin(f"/influx/instances/{influx.name}", method="DELETE")
            if not met:
                break
            deaths += 1
    return f"{deaths} deaths" + (f", {late} answers late" if late else "")


@scenario
def secret_commands_take_an_endpoint_and_answer_as_json(world):
    """Without AWS_ENDPOINT_URL: the flag alone leads to Secrets Manager and to Timestream. What a program reads along is one object, and nothing else."""
    env = {name: value for name, value in world.sandbox.env.items() if name != "AWS_ENDPOINT_URL"}

    def told(*words):
        return json.loads(keyturn(world, "secret", *words, "--endpoint-url", world.sandbox.env["SANDBOX_AWS_TLS"], "-o", "json", env=env).out)

    def labels():
        return world.sandbox.secret(name)["labels"]

    influx, name = Influx(world, "alone-flag", "2.9"), "alone/influx-flag"
    old = influx.token(influx.user("reader"), type="allAccess")
    world.sandbox.admin("/aws/secrets", {"name": name, "value": json.dumps(influx.secret("allAccess", old["token"], adminSecretArn=influx.admin_arn, authorizationId=old["id"]))})
    arn, first = world.sandbox.secret(name)["arn"], labels()["AWSCURRENT"]
    world.sandbox.forget_calls()

    stepped = told("step", "createSecret", name, *TOKEN)
    given_up = labels()["AWSPENDING"]
    check((stepped["secretArn"], stepped["step"], stepped["versionId"]) == (arn, "createSecret", given_up) and stepped["steps"][0]["step"] == "createSecret", f"{stepped}")
    check("GetDbInstance" in [c["operation"] for c in world.sandbox.calls("timestream-influxdb")], "Timestream was not asked")
    abandoned = told("abandon", name, *TOKEN)
    check((abandoned["secretArn"], abandoned["versionId"]) == (arn, given_up) and abandoned["steps"] and "AWSPENDING" not in labels() and not ours(influx), f"{abandoned}")

    world.sandbox.admin(f"/aws/secrets/{name}", {"value": "{}", "labels": ["AWSPENDING"]}, method="PUT")
    theirs = labels()["AWSPENDING"]
    discarded = told("discard-pending", theirs, name)
    check((discarded["secretArn"], discarded["versionId"], discarded["steps"]) == (arn, theirs, []) and "AWSPENDING" not in labels(), f"{discarded}")

    world.sandbox.admin("/influx/clock", {"offsetMs": -7200_000})
    left = influx.token(influx.user("left"), f"[keyturn {arn}#{given_up} replaces {old['id']}]", type="allAccess")["id"]
    world.sandbox.admin("/influx/clock", {"offsetMs": 0})
    created = told("step", "createSecret", name, *TOKEN, "--force")
    check(left in created["steps"][-1]["note"] and left not in influx.truth(), f"a leftover: {created}")
    told("step", "finishSecret", name, *TOKEN)
    retired = told("retire", name, *TOKEN)
    check((retired["secretArn"], retired["versionId"]) == (arn, first) and "revoked" in retired["note"] and old["id"] not in influx.truth(), f"{retired}")
    deleted = told("delete", name, *TOKEN, "--yes", "--recovery-days", "7")
    check(deleted["secretArn"] == arn and deleted["deletionDate"].endswith("Z") and deleted["note"] and world.sandbox.secret(name)["deleted"] and not ours(influx), f"{deleted}")
