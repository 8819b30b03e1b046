"""astraToken: the real operator, and `keyturn secret`, against the sandbox's Astra, over TLS."""
import json, re, urllib.error, urllib.request

from budgets import asked_of_aws, written_to_kubernetes
from commands import ended, run
from harness import MARKER, Operator, Subject, check, check_untold, collection, until
from identities import ALL
from influxdb import SOON, at_rest, rotated
from secret_commands import keyturn, rotate_and_retire

SCENARIOS, scenario = collection()

RULES = 'access: [{namespaces: ["*"], secrets: ["{namespace}/*"], backends: ["127.0.0.1:*"]}]'


class Astra:
    """One organisation, its root's secret, and clients that hold tokens."""

    def __init__(self, world, name, root_secret="", **behaviour):
        self.sandbox, self.name, self.issued = world.sandbox, name, set()
        self.about = world.sandbox.admin("/astra/orgs", {"name": name, **behaviour})
        self.options = {"url": self.about["url"]}
        self.root, self.root_secret = self.about["root"], root_secret or f"it/{name}-root"
        self.admin_secret = self.root_secret
        self.root_arn = self.store(self.root_secret, self.root, self.root_secret)

    def client(self, *roles, **more):
        return self.sandbox.admin(f"/astra/orgs/{self.name}/clients", {"roles": roles or ["Reader"], **more})

    def value(self, client, rootarn="", **fields):
        return {"astraKey": client["token"], "clientID": client["clientId"], "clientSecret": client["secret"], "engine": "Astra", "rootarn": rootarn or self.root_arn, **fields}

    def store(self, secret, client, rootarn=""):
        self.sandbox.admin("/aws/secrets", {"name": secret, "value": json.dumps(self.value(client, rootarn, note=MARKER))})
        return self.sandbox.secret(secret)["arn"]

    def subject(self, world, client, name, **spec):
        return Subject(world.sandbox, "it", name, {"astraToken": self.options}, json.dumps(self.value(client, note=MARKER)), **{"retirement": SOON, **spec})

    def truth(self):
        clients = self.sandbox.admin(f"/astra/orgs/{self.name}")["clients"]
        self.issued.update(text for c in clients for text in (c["token"], c["secret"]))
        return {c["clientId"]: c for c in clients}

    def ours(self):
        return {i for i, c in self.truth().items() if "[keyturn " in c["description"]}

    def works(self, token):
        request = urllib.request.Request(self.about["url"] + "/v2/currentOrg", headers={"Authorization": "Bearer " + token})
        try:
            with urllib.request.urlopen(request, context=self.sandbox.tls) as reply:
                return json.load(reply)["id"] == self.about["id"]
        except urllib.error.HTTPError as error:
            check(error.code == 401, f"Astra answered {error.code}")
            return False

    def says_nothing(self, world, *done):
        """No token and no secret of this organisation is in a log, an event, a status, a metric or an output."""
        self.truth()
        check_untold(world, self.issued, *done)


@scenario
def astra_nothing_is_asked_before_a_rule_allows_it(world):
    astra = Astra(world, "denied", root_secret="roots/denied")
    host = astra.about["url"].split("//")[1]
    s = astra.subject(world, astra.client(), "astra-denied")
    s.settle()
    world.sandbox.forget_calls()
    s.request()
    s.says("Stalled", "True", f'backends: ["{host}"]', reason="NoAccessRule")
    ended(run(world, "plan", s.name, "-n", "it", "--config", world.operator.config), 1, "DENIED", "roots/denied")
    world.operator.read_rules(RULES)
    s.says("Stalled", "True", "roots/denied", reason="NoAccessRule")
    check(not world.sandbox.calls("astra"), "Astra was asked although a rule is missing")
    check(not [c for c in world.sandbox.calls("secretsmanager") if c["operation"] == "GetSecretValue" and astra.root_arn in c["resource"]], "the root secret was read")
    before = world.sandbox.secret(s.id)
    world.operator.read_rules(RULES.replace('"{namespace}/*"', '"{namespace}/*", "roots/*"'))
    rotated(s, before)
    until("the rotation ends", lambda: at_rest(s), 60)
    world.operator.read_rules(RULES)


@scenario
def astra_rotates_and_the_old_client_goes_last(world):
    world.operator.read_rules(RULES)
    astra = Astra(world, "rotates", deleteStatus=204)
    old = astra.client(description="orders service", tokenExpiry="2031-08-19T14:30:00Z")
    bystander = astra.client()
    s = astra.subject(world, old, "astra-rotates")
    s.settle()
    notes = []
    for which, budget in (("first", 15), ("second", 14)):
        until("it rests", lambda: at_rest(s))
        before, held = world.sandbox.secret(s.id), json.loads(world.sandbox.value_of(s.id))
        world.sandbox.forget_calls()
        s.request()
        new = rotated(s, before)
        check(astra.works(new["astraKey"]) and astra.works(held["astraKey"]), "old and new token must work side by side")
        made = astra.truth()[new["clientID"]]
        check(made["secret"] == new["clientSecret"] and made["roles"] == old["roles"] and made["tokenExpiry"] == old["tokenExpiry"], f"another client than the old one: {made['roles']}")
        check(made["description"].startswith("orders service [keyturn arn:"), f"the description: {made['description']}")
        check(new["note"] == MARKER and new["rootarn"] == astra.root_arn, "another field was touched")
        until("the old client is revoked", lambda: held["clientID"] not in astra.truth(), 60)
        until("it rests", lambda: at_rest(s))
        s.one_new_version(before)
        check(not astra.works(held["astraKey"]) and astra.works(world.sandbox.data("it", s.name)["astraKey"]), "the wrong token works")
        calls, polls = asked_of_aws(world, astra, s.id, looks=1)
        writes = written_to_kubernetes(world)
        check(len(calls) <= budget, f"the {which} rotation's {len(calls)} AWS calls: {calls}")
        check(len(writes) <= 7, f"the {which} rotation's {len(writes)} Kubernetes writes: {writes}")
        asked = [f"{c['operation']} {c['resource']}" for c in world.sandbox.calls("astra")]
        notes.append(f"{which}: AWS {len(calls)} and {polls} looks while waiting, Kubernetes {len(writes)}, Astra {asked}")
    check(bystander["clientId"] in astra.truth() and len(astra.ours()) == 1, "another client was touched")
    astra.says_nothing(world)
    return "; ".join(notes)


@scenario
def astra_root_rotates_itself_while_others_need_it(world):
    """By its ARN and by its name: the new root revokes the old one, and what hangs on it goes on, at once."""
    world.operator.read_rules(RULES)
    for how in ("arn", "name"):
        astra = Astra(world, "root-" + how)
        if how == "arn":
            world.sandbox.admin(f"/aws/secrets/{astra.root_secret}", {"value": json.dumps(astra.value(astra.root, note=MARKER))}, "PUT")
        root = Subject(world.sandbox, "it", astra.name + "-root", {"astraToken": astra.options}, secret=astra.root_secret, retirement=SOON)
        leaf = astra.subject(world, astra.client(), "astra-leaf-" + how)
        for s in (root, leaf):
            s.settle()
        before = [world.sandbox.secret(s.id) for s in (root, leaf)]
        for s in (root, leaf):
            s.request()
        new = [rotated(s, b) for s, b in zip((root, leaf), before)]
        until("the old clients are revoked", lambda: set(astra.truth()) == {n["clientID"] for n in new}, 90)
        check(all(astra.works(n["astraKey"]) for n in new), "a token does not work")
        for s in (root, leaf):
            until("it rests", lambda: at_rest(s))
        before = world.sandbox.secret(leaf.id)
        leaf.request()
        rotated(leaf, before)  # by the new root
        until("the old client is revoked", lambda: new[1]["clientID"] not in astra.truth(), 60)
        astra.says_nothing(world)


@scenario
def astra_dies_where_a_client_could_be_lost(world):
    """The operator dies with the answer outstanding: to the POST, and to the DELETE. Of the secret's own client, and of the root's."""
    world.operator.read_rules(RULES)
    for self_root in (False, True):
        astra = Astra(world, f"dies-{self_root}".lower())
        if self_root:
            s = Subject(world.sandbox, "it", "astra-dies-root", {"astraToken": astra.options}, secret=astra.root_secret, retirement=SOON)
        else:
            s = astra.subject(world, astra.client(), "astra-dies")
        s.settle()
        orphans = 0
        for operation in ("create", "delete"):
            until("it rests", lambda: at_rest(s))
            before, held = world.sandbox.secret(s.id), json.loads(world.sandbox.value_of(s.id))
            world.sandbox.fault(id="kill", service="astra", namespace=astra.name, operation=operation, kind="hold-reply", times=1)
            s.request()
            until(f"the {operation}", lambda: world.sandbox.hits() > 0, 60)
            world.operator.kill()
            world.sandbox.admin("/faults", method="DELETE")
            world.operator = Operator(world.sandbox)
            world.operator.read_rules(RULES)
            s.request() if operation == "create" else None
            new = rotated(s, before)
            until("the old client is revoked", lambda: held["clientID"] not in astra.truth(), 60)
            check(astra.works(new["astraKey"]), "the current token does not work")
            s.settle()
            orphans += operation == "create"
            check(len(astra.ours()) == 1 + orphans, f"after {operation}: {len(astra.ours())} clients of ours")
        astra.says_nothing(world)


@scenario
def astra_a_client_whose_answer_was_lost_goes_with_the_next_rotation(world):
    """The answer to the POST never comes and the operator dies. Two hours later (the server's clock was behind then) the next rotation revokes what carries our mark. Where
    Astra dropped the description it is told, with whoever else looks so, and nothing is revoked."""
    for drops in (False, True):
        world.operator.read_rules(RULES)
        astra = Astra(world, f"orphaned-{drops}".lower(), dropsDescriptions=drops)
        world.sandbox.admin("/astra/clock", {"offsetMs": -7200_000})
        bystander = astra.client()
        s = astra.subject(world, astra.client(), f"astra-{astra.name}")
        s.settle()
        known = set(astra.truth())
        world.sandbox.fault(id="kill", service="astra", namespace=astra.name, operation="create", kind="hold-reply", times=1)
        s.request()
        until("the POST", lambda: world.sandbox.hits() > 0, 60)
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        world.sandbox.admin("/astra/clock", {"offsetMs": 0})
        [orphan] = set(astra.truth()) - known
        world.operator = Operator(world.sandbox)
        world.operator.read_rules(RULES)
        for _ in range(1 + drops):  # what drops descriptions is known by a rotation that has ended
            until("it rests", lambda: at_rest(s))
            before = world.sandbox.secret(s.id)
            held = json.loads(world.sandbox.value_of(s.id))["clientID"]
            s.request()
            new = rotated(s, before)
            until("the old client is revoked", lambda: held not in astra.truth(), 60)
        told = until("it is told", lambda: (s.event("CleanedUp") or {}).get("note", ""))
        left = set(astra.truth())
        check(orphan.lower() in told and ("by hand" in told) == drops and (bystander["clientId"].lower() in told) == drops, told)
        check((orphan in left) == drops and bystander["clientId"] in left and new["clientID"] in left, f"left: {left}")
        astra.says_nothing(world)


@scenario
def astra_documented_permissions_are_enough(world):
    """What docs/install.md says, which is what `keyturn secret iam` prints: the statements for every policy, and of those for another secret that a value names."""
    text = open(f"{world.sandbox.source}/docs/install.md").read()
    every, named = (json.loads(block)["Statement"] for block in re.findall(r"```json\n(.*?)```", text, re.S) if "Statement" in block)
    [reads] = [s for s in named if "secretsmanager:GetSecretValue" in s["Action"]]
    reads = {**reads, "Resource": reads["Resource"].replace("influx/admin", "astra/root")}
    printed = json.loads(keyturn(world, "secret", "iam", "shop/*", "--region", "eu-west-1", "--account", "123456789012", "--strategy", "astraToken", "--reads", "astra/root").out)["Statement"]
    check(printed == every + [reads], f"printed: {printed}")
    stars = lambda value: [v.replace("*", "**").replace("?", "*") for v in ([value] if isinstance(value, str) else value)]  # IAM's star passes a slash

    def allow(statements):
        world.sandbox.admin("/aws/rules", {"rules": [{"effect": s["Effect"], "actions": stars(s["Action"]), "resources": stars(s["Resource"])} for s in statements]})
    astra = Astra(world, "permitted", root_secret="astra/root")
    world.operator.read_rules(RULES.replace('"{namespace}/*"', '"{namespace}/*", "astra/root"'))
    world.sandbox.namespace("shop")
    allow(every)
    old = astra.client()
    s = Subject(world.sandbox, "shop", "astra", {"astraToken": astra.options}, json.dumps(astra.value(old)), retirement=SOON)
    s.settle()
    s.request()
    s.says("Ready", "False", "secretsmanager:DescribeSecret")
    allow(every + [reads])
    s.sync_now()
    until("the old client is revoked", lambda: old["clientId"] not in astra.truth(), 90)
    s.settle()
    world.sandbox.admin("/aws/rules", {"rules": ALL})
    world.operator.read_rules(RULES)


# --- without Kubernetes

def words(astra, deadline="500ms"):
    return ("--strategy", "astraToken", "--options", json.dumps(astra.options), "--request-deadline", deadline)


def current(world, name):
    return json.loads(world.sandbox.value_of(name))


@scenario
def secret_astra_steps_abandon_and_end(world):
    astra, name = Astra(world, "alone-steps"), "alone/astra-steps"
    old = astra.client()
    astra.store(name, old)
    done = [keyturn(world, "secret", "step", "createSecret", name, *words(astra))]
    check(len(astra.ours()) == 1 and current(world, name)["clientID"] == old["clientId"], "createSecret did not make a client beside the old one")
    done.append(keyturn(world, "secret", "abandon", name, *words(astra)))
    check(not astra.ours() and "AWSPENDING" not in world.sandbox.secret(name)["labels"], "the attempt was not revoked")
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        check(current(world, name)["clientID"] == old["clientId"], "a step before finishSecret moved AWSCURRENT")
        done.append(keyturn(world, "secret", "step", step, name, *words(astra), "--force"))
    now = current(world, name)
    check(astra.works(now["astraKey"]) and astra.works(old["token"]), "both must work")
    done.append(keyturn(world, "secret", "status", name, *words(astra)[:4]))
    check("RetirementLeft" in done[-1].out, done[-1].out)
    done.append(keyturn(world, "secret", "retire", name, *words(astra)))
    check(old["clientId"] not in astra.truth() and astra.works(now["astraKey"]), "the wrong client was revoked")
    done.append(keyturn(world, "secret", "delete", name, *words(astra), "--yes"))
    check(not astra.ours() and world.sandbox.secret(name)["deleted"], "something is left")
    root = keyturn(world, "secret", "delete", astra.root_secret, *words(astra), "--yes", status=1)
    check(astra.works(astra.root["token"]) and not world.sandbox.secret(astra.root_secret)["deleted"], root.err)
    astra.says_nothing(world, *done, root)


def at_every_request(world, kind, which, services, self_root=False, drops=False):
    """The n-th request takes effect and its answer never comes: the command dies, or goes on. The same commands again: one token works and is current, the old client is
    gone, nobody else's is, and nothing else lives but a client that was made and not stored."""
    hit = 0
    for service in services:
        for n in range(1, 60):
            label = f"{which}-{service[:2]}-{n:02}"
            astra, name = Astra(world, label, root_secret=f"roots/{label}", dropsDescriptions=drops), f"alone/{label}"
            bystander = astra.client()
            old = astra.client("Organization Administrator" if self_root else "Reader")
            astra.store(name, old, name if self_root else "")
            match = {"resource": f"**{label}**"} if service == "secretsmanager" else {"namespace": label}
            world.sandbox.fault(id="kill", service=service, kind=kind, skip=n - 1, times=1, **match)
            met, told = rotate_and_retire(world, name, words(astra, "250ms"), kind == "hold-reply")
            now, left = current(world, name), astra.truth()
            unanswered = sum(len(re.findall(r"waiting .*POST \S+/clientIdSecrets: ", t.out + t.err)) for t in told)
            check(astra.works(now["astraKey"]) and now["clientID"] in left, f"{label}: AWSCURRENT does not work")
            check(old["clientId"] not in left, f"{label}: the old client is still there")
            check({bystander["clientId"], astra.root["clientId"]} <= set(left), f"{label}: somebody else's client is gone")
            check(len(left) <= 4 + unanswered, f"{label}: {len(left)} clients, {unanswered} answers late")
            stored = {json.loads(v["secretString"]).get("clientID") for v in world.sandbox.secret(name)["versions"]}
            check(stored & set(left) == {now["clientID"]}, f"{label}: a stored client that is not current lives")
            labels = set(world.sandbox.secret(name)["labels"])
            check(labels == {"AWSCURRENT", "AWSPREVIOUS", "KEYTURN_LATEST"}, f"{label}: {labels}")
            astra.says_nothing(world, *told)
            if not met:
                break
            hit += 1
    return hit


@scenario
def secret_astra_killed_at_every_request(world):
    deaths = at_every_request(world, "hold-reply", "dies", ("secretsmanager", "astra"))
    check(deaths > 20, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def secret_astra_every_reply_lost_once(world):
    lost = at_every_request(world, "reset-after", "lost", ("astra",))
    check(lost > 6, f"only {lost} replies could be lost")
    return f"{lost} replies"


@scenario
def secret_astra_root_killed_at_every_request(world):
    deaths = at_every_request(world, "hold-reply", "self", ("astra",), self_root=True)
    check(deaths > 6, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def secret_astra_killed_where_descriptions_are_dropped(world):
    deaths = at_every_request(world, "hold-reply", "drop", ("astra",), drops=True)
    check(deaths > 6, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"
