"""elasticacheUser: the real operator, `keyturn secret` and `keyturn lambda`, against the sandbox's ElastiCache and its redis-servers, over TLS."""
import json, socket, time

from budgets import written_to_kubernetes
from commands import ended, run
from harness import MARKER, Operator, Subject, check, check_untold, collection, until
from influxdb import SOON, at_rest, rotated
from rotation_function import Function
from secret_commands import keyturn, rotate_and_retire

SCENARIOS, scenario = collection()

RULES = 'access: [{namespaces: ["*"], secrets: ["{namespace}/*"], resources: ["arn:aws:elasticache:**"], backends: ["127.0.0.1:*"]}]'


class Cache:
    """A replication group of real redis-servers, and one user whose first password begins with the marker."""

    def __init__(self, world, name, shards=1, password=True, redis="", **user):
        self.world, self.sandbox, self.name, self.redis = world, world.sandbox, name, redis or name
        self.endpoints = world.sandbox.admin("/elasticache/groups", {"id": f"{name}-cache", "shards": shards})["endpoints"]
        self.first = f"{MARKER}-first-password-of-{name}"
        self.user = world.sandbox.admin("/elasticache/users", {"id": f"{name}-id", "name": self.redis, "group": f"{name}-cache", "passwords": [self.first], **user})
        self.issued = set()
        self.value = {"user_arn": self.user["arn"], "username": name, "note": MARKER, **({"password": self.first} if password else {})}

    def truth(self):
        truth = self.sandbox.admin(f"/elasticache/users/{self.name}-id")
        self.issued.update(truth["passwords"])
        return truth

    def logs_in(self, password, endpoint=None):
        """As a program would: AUTH and PING over TLS."""
        host, port = (endpoint or self.endpoints[0]).split(":")
        with socket.create_connection((host, int(port)), timeout=10) as plain, self.sandbox.tls.wrap_socket(plain, server_hostname=host) as tls:
            words = ("AUTH", self.redis, password)
            tls.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            reply = b""
            while not reply.endswith(b"\r\n"):
                reply += tls.recv(200) or check(False, "the server hung up")
        check(reply == b"+OK\r\n" or reply.startswith(b"-WRONGPASS"), f"Redis answers {reply}")
        return reply == b"+OK\r\n"

    def subject(self, name="", **spec):
        return Subject(self.sandbox, "it", name or f"cache-{self.name}", {"elasticacheUser": {}}, json.dumps(self.value), **{"retirement": SOON, **spec})

    def store(self, secret):
        self.sandbox.admin("/aws/secrets", {"name": secret, "value": json.dumps(self.value)})

    def says_nothing(self, *done):
        """No password is in a log, an event, a status, a metric or an output."""
        self.truth()
        check_untold(self.world, self.issued, *done)


def ends_well(cache, s, before):
    until("the old password is dropped", lambda: len(cache.truth()["passwords"]) == 1, 90)
    until("it rests", lambda: at_rest(s), 60)
    s.one_new_version(before)
    new = json.loads(cache.sandbox.value_of(s.id))["password"]
    check(all(cache.logs_in(new, endpoint) for endpoint in cache.endpoints), "AWSCURRENT does not log in")
    check(not cache.logs_in(cache.first), "the first password still logs in")
    check(cache.sandbox.data("it", s.name)["password"] == new, "the Secret differs")
    cache.says_nothing()
    return new


@scenario
def cache_nothing_is_asked_before_a_rule_allows_it(world):
    cache = Cache(world, "denied")
    s = cache.subject()
    s.settle()
    world.sandbox.forget_calls()
    s.request()
    s.says("Stalled", "True", f'resources: ["{cache.user["arn"]}"]', reason="NoAccessRule")
    ended(run(world, "plan", s.name, "-n", "it", "--config", world.operator.config), 1, "DENIED", cache.user["arn"])
    check(not world.sandbox.calls("elasticache"), "ElastiCache was asked although a rule is missing")
    world.operator.read_rules(RULES.replace("elasticache:**", "elasticache:*:*:user:*"))
    s.says("Stalled", "True", "replicationgroup:denied-cache", reason="NoAccessRule")
    world.operator.read_rules(RULES.replace("127.0.0.1:*", "elsewhere:*"))
    s.says("Stalled", "True", f'backends: ["{cache.endpoints[0]}"]', reason="NoAccessRule")
    check(not [c for c in world.sandbox.calls("elasticache") if c["operation"] == "ModifyUser"], "something was changed")
    before = world.sandbox.secret(s.id)
    world.operator.read_rules(RULES)
    rotated(s, before)
    ends_well(cache, s, before)


@scenario
def cache_passwords_rotate_and_the_old_one_goes_last(world):
    world.operator.read_rules(RULES)
    cache = Cache(world, "rotates", shards=2, access="on ~* &* -@all +get")  # no PING
    s = cache.subject()
    s.settle()
    notes = []
    for which in ("first", "second"):
        until("it rests", lambda: at_rest(s))
        before, held = world.sandbox.secret(s.id), json.loads(world.sandbox.value_of(s.id))
        world.sandbox.forget_calls()
        s.request()
        new = rotated(s, before)
        check(all(cache.logs_in(p, e) for p in (held["password"], new["password"]) for e in cache.endpoints), "old and new must log in side by side")
        check(new["note"] == MARKER and new["user_arn"] == cache.user["arn"] and new["username"] == "rotates", "another field was touched")
        ends_well(cache, s, before)
        check(not cache.logs_in(held["password"]), "the old password logs in")
        asked = [c["operation"] for c in world.sandbox.calls() if c["service"] == "elasticache" or c["service"] == "secretsmanager" and s.id in c["resource"]]
        count = {operation: asked.count(operation) for operation in sorted(set(asked))}
        writes = {"PutSecretValue": 1, "UpdateSecretVersionStage": 4, "ModifyUser": 2}
        check({k: count.get(k) for k in writes} == writes, f"the {which} rotation: {count}")
        # A look that waits is DescribeSecret, once it is quiet with two values and the user. Those directly before the two writes are of DescribeSecret alone.
        looks = count["DescribeSecret"] - 2
        check(count["GetSecretValue"] <= 2 * looks and count["DescribeUsers"] <= looks + 2, f"the {which} rotation: {count}")
        writes = written_to_kubernetes(world)
        check(len(writes) <= 8, f"the {which} rotation's {len(writes)} Kubernetes writes: {writes}")
        notes.append(f"{which}: {count}, Kubernetes {len(writes)} writes, Redis {len(cache.endpoints)} primaries")
    return "; ".join(notes)


@scenario
def cache_the_first_password_of_a_secret_without_one(world):
    world.operator.read_rules(RULES)
    cache = Cache(world, "first", password=False)
    s = cache.subject()
    s.settle()
    before = world.sandbox.secret(s.id)
    s.request()
    rotated(s, before)
    ends_well(cache, s, before)


@scenario
def cache_changes_nothing_that_it_could_not_prove(world):
    """What the secret says is wrong, then no password, then the cache is down: each is told, and nothing is changed before a rotation can be proved."""
    world.operator.read_rules(RULES)
    cache = Cache(world, "refused", redis="another")
    s = cache.subject()
    s.settle()
    s.request()
    s.says("Stalled", "True", "username", reason="Contradiction")
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps({**cache.value, "username": "another", "password": MARKER + "-never-was-a-password"})}, "PUT")
    s.request()
    s.says("Stalled", "True", "does not log in", reason="CurrentRefused")
    check(cache.truth()["changes"] == 0, "something was changed")
    world.sandbox.admin(f"/elasticache/groups/{cache.name}-cache/stop", {})
    world.sandbox.admin(f"/aws/secrets/{s.id}", {"value": json.dumps({**cache.value, "username": "another"})}, "PUT")
    s.request()
    until("the cache is missed", lambda: "127.0.0.1" in (s.condition("Reconciling") or {}).get("message", ""), 60)
    check(cache.truth()["changes"] == 0 and "AWSPENDING" not in world.sandbox.secret(s.id)["labels"], "a rotation began that could not be proved")
    world.sandbox.admin(f"/elasticache/groups/{cache.name}-cache/start", {})
    before = world.sandbox.secret(s.id)
    s.request()
    new = until("it rotates", lambda: world.sandbox.secret(s.id)["labels"]["AWSCURRENT"] != before["labels"]["AWSCURRENT"] and json.loads(world.sandbox.value_of(s.id))["password"], 120)
    check(cache.logs_in(new), "AWSCURRENT does not log in")
    until("it rests", lambda: at_rest(s), 90)


@scenario
def cache_a_change_by_hand_is_left_alone(world):
    """A person replaces the passwords after the rotation, before its retirement: nothing is dropped, and it is told."""
    world.operator.read_rules(RULES)
    cache = Cache(world, "meddled")
    s = cache.subject(retirement={"after": "Sync", "gracePeriod": "3s"})
    s.settle()
    before = world.sandbox.secret(s.id)
    s.request()
    rotated(s, before)
    by_hand = [MARKER + "-set-by-a-person-1", MARKER + "-set-by-a-person-2"]
    world.sandbox.admin(f"/elasticache/users/{cache.name}-id", {"passwords": by_hand}, "PATCH")
    until("it is told", lambda: "does not log in" in (s.event("RotationFailed") or {}).get("note", ""), 60)
    check(cache.truth()["passwords"] == by_hand, "the person's passwords are gone")
    world.sandbox.admin(f"/elasticache/users/{cache.name}-id", {"passwords": [json.loads(world.sandbox.value_of(s.id))["password"], by_hand[0]]}, "PATCH")
    until("it goes on", lambda: at_rest(s), 120)
    check(len(cache.truth()["passwords"]) == 1, "the retirement did not end")


@scenario
def cache_rolls_back_while_the_old_password_lives(world):
    world.operator.read_rules(RULES)
    cache = Cache(world, "back")
    s = cache.subject(retirement={"gracePeriod": "1h"})
    s.settle()
    before = world.sandbox.secret(s.id)
    s.request()
    bad = rotated(s, before)["password"]
    until("the grace period runs", lambda: s.status().get("retiring", {}).get("earliest"), 60)
    created = max(v["createdDate"] for v in world.sandbox.secret(s.id)["versions"])
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(time.time(), created + 1)))
    world.sandbox.patch_policy("it", s.name, {"spec": {"retirement": {"after": "Sync", "gracePeriod": "0s"}}, "metadata": {"annotations": {"keyturn.dev/rollback-requested-at": at}}})
    until("the first password is back", lambda: json.loads(world.sandbox.value_of(s.id))["password"] == cache.first, 90)
    until("the failed one is dropped", lambda: cache.truth()["passwords"] == [cache.first], 90)
    until("it rests", lambda: at_rest(s), 60)
    check(cache.logs_in(cache.first) and not cache.logs_in(bad), "the wrong one logs in")
    check(cache.truth()["changes"] == 2, "the rollback set something")


@scenario
def cache_dies_with_the_list_half_changed(world):
    """The operator dies with the answer outstanding: to the ModifyUser that sets, and to the one that drops."""
    world.operator.read_rules(RULES)
    for skip in (0, 1):
        cache = Cache(world, f"dies-{skip}")
        s = cache.subject()
        s.settle()
        before = world.sandbox.secret(s.id)
        world.sandbox.fault(id="kill", service="elasticache", operation="ModifyUser", resource=f"{cache.name}-id", kind="hold-reply", skip=skip, times=1)
        s.request()
        until("the change", lambda: world.sandbox.hits() > 0, 90)
        world.operator.kill()
        world.sandbox.admin("/faults", method="DELETE")
        world.operator = Operator(world.sandbox)
        world.operator.read_rules(RULES)
        rotated(s, before)
        ends_well(cache, s, before)


@scenario
def cache_documented_permissions_are_enough(world):
    """Of docs/install.md's table, which is what `keyturn secret iam` prints."""
    printed = json.loads(keyturn(world, "secret", "iam", "it/*", "--region", "eu-west-1", "--account", "123456789012", "--strategy", "elasticacheUser").out)["Statement"]
    stars = lambda value: [v.replace("*", "**").replace("?", "*") for v in ([value] if isinstance(value, str) else value)]  # IAM's star passes a slash
    rules = [{"effect": s["Effect"], "actions": stars(s["Action"]), "resources": stars(s["Resource"])} for s in printed]
    text = open(f"{world.sandbox.source}/docs/install.md").read()
    for action in [a for s in printed for a in stars(s["Action"]) if a.startswith("elasticache:")]:
        check(f"`{action}`" in text, f"docs/install.md does not name {action}")
    world.operator.read_rules(RULES)
    cache = Cache(world, "permitted")
    s = cache.subject()
    s.settle()
    world.sandbox.admin("/aws/rules", {"rules": [r for r in rules if "elasticache:ModifyUser" not in r["actions"]]})
    before = world.sandbox.secret(s.id)
    s.request()
    s.says("Ready", "False", "elasticache:DescribeUsers")
    world.sandbox.admin("/aws/rules", {"rules": rules})
    s.sync_now()
    rotated(s, before)
    ends_well(cache, s, before)
    world.sandbox.admin("/aws/rules", {"rules": [{"effect": "Allow"}]})


# --- without Kubernetes

def words(cache, deadline="500ms"):
    return ("--strategy", "elasticacheUser", "--options", json.dumps({"endpoint": cache.endpoints[0]}), "--request-deadline", deadline)


def password(world, name):
    return json.loads(world.sandbox.value_of(name)).get("password")


@scenario
def secret_cache_steps_abandon_and_end(world):
    cache, name = Cache(world, "alone-steps"), "alone/cache-steps"
    cache.store(name)
    done = [keyturn(world, "secret", "step", step, name, *words(cache)) for step in ("createSecret", "setSecret")]
    check(len(cache.truth()["passwords"]) == 2 and password(world, name) == cache.first, "setSecret did not set a password beside the old one")
    done.append(keyturn(world, "secret", "abandon", name, *words(cache)))
    check(cache.truth()["passwords"] == [cache.first] and "AWSPENDING" not in world.sandbox.secret(name)["labels"], "the attempt was not taken back")
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        check(password(world, name) == cache.first, "a step before finishSecret moved AWSCURRENT")
        done.append(keyturn(world, "secret", "step", step, name, *words(cache), "--force"))
    now = password(world, name)
    check(cache.logs_in(now) and cache.logs_in(cache.first), "both must log in")
    done.append(keyturn(world, "secret", "status", name, *words(cache)[:4]))
    check("RetirementLeft" in done[-1].out, done[-1].out)
    done.append(keyturn(world, "secret", "retire", name, *words(cache)))
    check(cache.truth()["passwords"] == [now] and not cache.logs_in(cache.first), "the wrong password was dropped")
    done.append(keyturn(world, "secret", "delete", name, *words(cache), "--yes", status=1))
    check("CredentialKept" in done[-1].err or "cannot revoke" in done[-1].err, done[-1].err)
    cache.says_nothing(*done)


@scenario
def secret_cache_as_a_rotation_function(world):
    """keyturn lambda: AWS calls the four steps; the old password stays until the next rotation."""
    cache, name = Cache(world, "by-aws"), "alone/cache-by-aws"
    cache.store(name)
    function = Function(world, "cache-by-aws", "elasticacheUser", "alone/*", KEYTURN_OPTIONS=json.dumps({"endpoint": cache.endpoints[0]}), KEYTURN_BACKENDS=cache.endpoints[0])
    function.rotates(name)
    second = password(world, name)
    check(cache.logs_in(second) and cache.logs_in(cache.first), "both must log in")
    function.rotates(name)
    third = password(world, name)
    check(sorted(cache.truth()["passwords"]) == sorted([second, third]) and not cache.logs_in(cache.first), "the first password must be gone")
    function.check_quiet_about(*cache.issued)
    function.end()


def at_every_request(world, kind, which, services):
    """The n-th request takes effect and its answer never comes: the command dies, or goes on. The same commands again: one password works, and it is AWSCURRENT's."""
    hit = 0
    for service in services:
        for n in range(1, 80):
            label = f"{which}-{service[:2]}-{n:02}"
            cache, name = Cache(world, label), f"alone/{label}"
            cache.store(name)
            resource = f"**{label}**"
            world.sandbox.fault(id="kill", service=service, kind=kind, skip=n - 1, times=1, resource=resource)
            met, told = rotate_and_retire(world, name, words(cache, "250ms"), kind == "hold-reply")
            now = password(world, name)
            check(cache.truth()["passwords"] == [now], f"{label}: the user has {len(cache.truth()['passwords'])} passwords")
            check(cache.logs_in(now) and not cache.logs_in(cache.first), f"{label}: the wrong password logs in")
            labels = set(world.sandbox.secret(name)["labels"])
            check(labels == {"AWSCURRENT", "AWSPREVIOUS", "KEYTURN_LATEST"}, f"{label}: {labels}")
            cache.says_nothing(*told)
            world.sandbox.admin(f"/elasticache/groups/{label}-cache/stop", {})
            if not met:
                break
            hit += 1
    return hit


@scenario
def secret_cache_killed_at_every_request(world):
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    deaths = at_every_request(world, "hold-reply", "dies", ("secretsmanager", "elasticache"))
    check(deaths > 20, f"only {deaths} requests were there to die after")
    return f"{deaths} deaths"


@scenario
def secret_cache_every_reply_lost_once(world):
    world.sandbox.admin("/elasticache/behaviour", {"changeMs": 50})
    lost = at_every_request(world, "reset-after", "lost", ("elasticache",))
    check(lost > 4, f"only {lost} replies could be lost")
    return f"{lost} replies"
