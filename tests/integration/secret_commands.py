"""`keyturn secret …` as a process against the sandbox, alone and beside the operator."""
import json, signal, subprocess

from harness import MARKER, PATIENCE, Subject, check, collection, until

SCENARIOS, scenario = collection()

GENERIC = ("--strategy", "generic", "--options", '{"fields": [{"pointer": "/password"}]}')


class Done:
    def __init__(self, process, out, err):
        self.status, self.out, self.err = process.returncode, out, err


def start(world, *words, env=None):
    command = [f"{world.sandbox.binaries}/keyturn", *words]
    return subprocess.Popen(command, env=env or world.sandbox.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait(process, reveals=False):
    out, err = process.communicate(timeout=60 * PATIENCE)
    check(reveals or MARKER not in out + err, f"a secret value was printed: {process.args}\n{out}{err}")
    return Done(process, out, err)


def keyturn(world, *words, status=0, reveals=False, env=None):
    done = wait(start(world, *words, env=env), reveals)
    check(done.status == status, f"{words}: exit status {done.status}, not {status}\n{done.out}{done.err}")
    return done


def new_secret(world, name, value=None):
    value = value or json.dumps({"user": MARKER + "-user", "password": MARKER + "-first"})
    world.sandbox.admin("/aws/secrets", {"name": name, "value": value})
    return world.sandbox.secret(name)


def rotate_and_retire(world, name, words, dies):
    """`rotate` and `retire`, until one meets the fault `kill`: it dies there, or goes on; then both again without the fault. Returns whether it was met, and all that was told."""
    told = []
    for command in ("rotate", "retire"):
        process = start(world, "secret", command, name, *words)
        if dies:
            until(f"request of {command} or its end", lambda: world.sandbox.hits() > 0 or process.poll() is not None)
            if world.sandbox.hits():
                process.kill()
        told.append(wait(process))
        if world.sandbox.hits():
            break
    met = world.sandbox.hits() > 0
    world.sandbox.admin("/faults", method="DELETE")
    again = wait(start(world, "secret", "rotate", name, *words))
    check(again.status == 0 or "two rotations start at least" in again.err, again.err)
    return met, [*told, again, keyturn(world, "secret", "retire", name, *words)]


def check_rotated_once(world, name, before):
    after = world.sandbox.secret(name)
    new = [v["id"] for v in after["versions"] if v["id"] not in [w["id"] for w in before["versions"]]]
    check(len(new) == 1, f"{name}: {len(new)} new versions instead of one")
    want = {"AWSCURRENT": new[0], "AWSPREVIOUS": before["labels"]["AWSCURRENT"], "KEYTURN_LATEST": new[0]}
    check(after["labels"] == want, f"{name}: labels {after['labels']}, not {want}")
    value = json.loads(world.sandbox.value_of(name))
    check(value["user"] == MARKER + "-user" and not value["password"].startswith(MARKER), f"{name}: a wrong field was touched")


@scenario
def secret_rotates_without_kubernetes(world):
    before = new_secret(world, "alone/whole")
    done = keyturn(world, "secret", "rotate", "alone/whole", *GENERIC)
    check("createSecret" in done.out and "finishSecret" in done.out, f"no steps shown: {done.out}")
    check_rotated_once(world, "alone/whole", before)
    again = keyturn(world, "secret", "rotate", "alone/whole", *GENERIC, status=1)
    check("--force" in again.err, again.err)
    result = json.loads(keyturn(world, "secret", "rotate", "alone/whole", *GENERIC, "--force", "-o", "json").out)
    check(result["versionId"] == world.sandbox.secret("alone/whole")["labels"]["AWSCURRENT"], f"{result}")


@scenario
def secret_four_steps_do_what_rotate_does(world):
    before = new_secret(world, "alone/steps")
    for step in ("createSecret", "createSecret", "setSecret", "testSecret", "finishSecret", "finishSecret"):
        keyturn(world, "secret", "step", step, "alone/steps", *GENERIC)
    check_rotated_once(world, "alone/steps", before)
    early = keyturn(world, "secret", "step", "testSecret", "alone/steps", *GENERIC, status=1)
    check("createSecret" in early.err, early.err)


@scenario
def secret_shows_labels_and_no_value_unless_asked(world):
    new_secret(world, "alone/shown")
    keyturn(world, "secret", "step", "createSecret", "alone/shown", *GENERIC)
    labels = world.sandbox.secret("alone/shown")["labels"]
    text = keyturn(world, "secret", "status", "alone/shown", *GENERIC).out
    check(all(word in text for word in (*labels, *labels.values(), "MoveCurrent (Finishing)")), text)
    story = json.loads(keyturn(world, "secret", "status", "alone/shown", *GENERIC, "-o", "json").out)
    check(story["next"]["action"] == "MoveCurrent" and len(story["versions"]) == 2, f"{story}")
    keyturn(world, "secret", "get", "alone/shown")
    keyturn(world, "secret", "get", "alone/shown", "-o", "json")
    keyturn(world, "secret", "get", "alone/shown", "--field", "/user", status=2)
    value = keyturn(world, "secret", "get", "alone/shown", "--reveal", "--field", "/user", reveals=True).out
    check(value == MARKER + "-user\n", value)
    whole = json.loads(keyturn(world, "secret", "get", "alone/shown", "--reveal", "-o", "json", reveals=True).out)
    check(whole["value"] == world.sandbox.value_of("alone/shown"), f"{whole}")


@scenario
def secret_killed_at_every_request(world):
    """The n-th request takes effect, its answer never comes, and the command dies; the same command again makes no second version."""
    n = 0
    while True:
        n += 1
        name = f"alone/killed-{n:02}"
        before = new_secret(world, name)
        world.sandbox.fault(id="kill", service="secretsmanager", resource=f"**{name}**", kind="hold-reply", skip=n - 1, times=1)
        process = start(world, "secret", "rotate", name, *GENERIC)
        hit = lambda: world.sandbox.hits() > 0
        until(f"request {n} or the end", lambda: hit() or process.poll() is not None)
        over = process.poll() is not None
        if not over:
            process.kill()
        process.communicate()
        world.sandbox.admin("/faults", method="DELETE")
        done = wait(start(world, "secret", "rotate", name, *GENERIC))
        check(done.status == 0 or "two rotations start at least" in done.err, done.err)
        check_rotated_once(world, name, before)
        if over:
            check(n > 5, f"only {n - 1} requests were there to die after")
            return f"{n - 1} deaths"


@scenario
def secret_stops_between_requests_on_ctrl_c(world):
    before = new_secret(world, "alone/stopped")
    world.sandbox.fault(id="slow", service="secretsmanager", operation="PutSecretValue", kind="delay", delayMs=1500, times=1)
    process = start(world, "secret", "rotate", "alone/stopped", *GENERIC)
    until("the slow request", lambda: world.sandbox.admin("/faults")["faults"][0]["hits"] > 0)
    process.send_signal(signal.SIGINT)
    done = wait(process)
    world.sandbox.admin("/faults", method="DELETE")
    check(done.status == 1 and "goes on from there" in done.err, f"{done.status} {done.err}")
    check("AWSPENDING" in world.sandbox.secret("alone/stopped")["labels"], "the request under way was not waited for")
    done = keyturn(world, "secret", "rotate", "alone/stopped", *GENERIC)
    check("earlier run" in done.out, done.out)
    check_rotated_once(world, "alone/stopped", before)


@scenario
def secret_begun_here_is_finished_by_the_operator(world):
    s = Subject(world.sandbox, "it", "begun-alone")
    s.settle()
    before = world.sandbox.secret(s.id)
    keyturn(world, "secret", "step", "createSecret", s.id, *GENERIC)
    s.sync_now()
    until("the operator goes on", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
    s.settle()
    s.one_new_version(before)


@scenario
def secret_and_operator_rotate_at_once_and_make_one_version(world):
    """One has sent its value, and it is held on the way while the other rotates: whoever comes second finds the version there and goes on from it."""
    for held in ("operator", "command"):
        s = Subject(world.sandbox, "it", f"at-once-{held}", age=3600)
        s.settle()
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(id="held", service="secretsmanager", operation="PutSecretValue", resource=f"**{s.id}**", kind="delay", delayMs=1200, times=1)
        sent = lambda: world.sandbox.admin("/faults")["faults"][0]["hits"] > 0
        if held == "operator":
            s.request()
            until("the operator's value is sent", sent)
            process = start(world, "secret", "rotate", s.id, *GENERIC)
        else:
            process = start(world, "secret", "rotate", s.id, *GENERIC)
            until("the command's value is sent", sent)
            s.request()
        done = wait(process)
        check(done.status == 0 or "two rotations start at least" in done.err, done.err)
        until("a rotation", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"])
        world.sandbox.admin("/faults", method="DELETE")
        s.sync_now()
        s.settle()
        until("one rotation, and nothing left of it", lambda: check_rotated_once(world, s.id, before) or True)


@scenario
def secret_attempts_are_given_up_or_discarded(world):
    before = new_secret(world, "alone/given-up")
    keyturn(world, "secret", "step", "createSecret", "alone/given-up", *GENERIC)
    ours = world.sandbox.secret("alone/given-up")["labels"]["AWSPENDING"]
    refused = keyturn(world, "secret", "discard-pending", ours, "alone/given-up", status=1)
    check("keyturn secret abandon" in refused.err, refused.err)
    keyturn(world, "secret", "abandon", "alone/given-up", *GENERIC)
    labels = world.sandbox.secret("alone/given-up")["labels"]
    check(labels["AWSCURRENT"] == before["labels"]["AWSCURRENT"] and "AWSPENDING" not in labels, f"{labels}")
    world.sandbox.admin("/aws/secrets/alone/given-up", {"value": MARKER + "-theirs", "labels": ["AWSPENDING"]}, method="PUT")
    theirs = world.sandbox.secret("alone/given-up")["labels"]["AWSPENDING"]
    blocked = keyturn(world, "secret", "rotate", "alone/given-up", *GENERIC, "--force", status=1)
    check("discard-pending" in blocked.err and theirs in blocked.err, blocked.err)
    keyturn(world, "secret", "discard-pending", theirs, "alone/given-up")
    keyturn(world, "secret", "rotate", "alone/given-up", *GENERIC, "--force")


@scenario
def secret_is_made_and_deleted(world):
    whole = ("--strategy", "generic")
    keyturn(world, "secret", "new", "alone/life", *whole, "--description", "an API key")
    check(len(world.sandbox.value_of("alone/life")) == 44, "not 32 bytes as base64")
    taken = keyturn(world, "secret", "new", "alone/life", *whole, status=1)
    check("already exists" in taken.err and "keyturn secret rotate" in taken.err, taken.err)
    file = f"{world.sandbox.dir}/value.json"
    open(file, "w").write(json.dumps({"user": MARKER + "-user", "password": ""}))
    keyturn(world, "secret", "new", "alone/fields", *GENERIC, "--from-file", file, "-o", "json")
    value = json.loads(world.sandbox.value_of("alone/fields"))
    check(value["user"] == MARKER + "-user" and len(value["password"]) == 44, "the fields were not made")
    unsure = keyturn(world, "secret", "delete", "alone/life", *whole, status=1)
    check("nothing was done" in unsure.err and not world.sandbox.secret("alone/life").get("deleted"), unsure.err)
    keyturn(world, "secret", "delete", "alone/life", *whole, "--yes", "--recovery-days", "3", status=2)
    done = keyturn(world, "secret", "delete", "alone/life", *whole, "--yes", "--recovery-days", "7")
    check("restore-secret" in done.out, done.out)
    again = keyturn(world, "secret", "delete", "alone/life", *whole, "--yes")
    check("already awaits deletion" in again.out, again.out)
    gone = keyturn(world, "secret", "rotate", "alone/life", *whole, status=1)
    check("scheduled for deletion" in gone.err, gone.err)
    keyturn(world, "secret", "new", "alone/life", *whole, status=1)


@scenario
def secret_schedule_asks_nobody(world):
    world.sandbox.forget_calls()
    plan = json.loads(keyturn(world, "secret", "schedule", "0 3 * * 0", "--time-zone", "Europe/Berlin", "--from", "2026-10-20T00:00:00Z", "--count", "2", "--window", "1h", "-o", "json").out)
    check([t["opens"] for t in plan["times"]] == ["2026-10-25T02:00:00Z", "2026-11-01T02:00:00Z"] and plan["window"] == "1h", f"{plan}")
    check("OPENS" in keyturn(world, "secret", "schedule", "rate(30 days)").out, "no table")
    check("rate" in keyturn(world, "secret", "schedule", "rate(0 days)", status=1).err, "the fault is not named")
    check(not world.sandbox.calls("secretsmanager"), "AWS was asked")


@scenario
def secret_of_a_policy_file(world):
    before = new_secret(world, "alone/of-file")
    file = f"{world.sandbox.dir}/policy.yaml"
    open(file, "w").write("apiVersion: keyturn.dev/v1alpha1\nkind: RotationPolicy\nmetadata: {name: p, namespace: alone}\nspec:\n  secretId: alone/of-file\n  strategy: {generic: {fields: [{pointer: /password}]}}\n")
    keyturn(world, "secret", "rotate", "-f", file)
    check_rotated_once(world, "alone/of-file", before)
    keyturn(world, "secret", "rotate", "another", "-f", file, status=2)


@scenario
def secret_commands_say_what_is_wrong(world):
    for words, status, says in ((("secret",), 2, ""), (("secret", "rotate", "alone/nope"), 2, "--strategy"), (("secret", "rotate", "alone/nope", *GENERIC), 1, "alone/nope"),
                                (("secret", "rotate", "alone/nope", "--strategy", "generc"), 1, "generic"), (("secret", "status"), 2, "name the secret"),
                                (("secret", "step", "spring", "alone/nope", *GENERIC), 2, "finishSecret"), (("secret", "rotate", "alone/nope", *GENERIC, "--timeout", "soon"), 2, "--timeout")):
        done = keyturn(world, *words, status=status)
        check(says in done.err, f"{words}: {done.err}")
