"""What a person asks the operator for: rollback, revoke, the leak drill."""
import json, signal, subprocess

from commands import ended, foreign_pending, mend_while_the_stall_shows, run
from harness import Subject, check, collection, until
from influxdb import RULES, Influx

SCENARIOS, scenario = collection()


@scenario
def rollback_and_revoke_say_when_a_strategy_cannot(world):
    s = Subject(world.sandbox, "it", "ask-generic")
    s.settle()
    here = ("ask-generic", "-n", "it")
    ended(run(world, "revoke", *here), 1, "it/ask-generic", "no old credential to revoke")
    ended(run(world, "rotate", *here, "--revoke-now"), 1, "leave --revoke-now out")
    Subject(world.sandbox, "it", "ask-follower", {"syncOnly": {}}, secret=s.id).settle()
    ended(run(world, "rollback", "ask-follower", "-n", "it"), 1, "syncOnly", "cannot bring an old credential back")
    ended(run(world, "revoke", "ask-nobody", "-n", "it"), 1, "no RotationPolicy", "keyturn status -A")
    ended(run(world, "revoke"), 2)


@scenario
def rollback_brings_the_old_value_back_as_a_new_version(world):
    s = Subject(world.sandbox, "it", "ask-back")
    s.settle()
    first = world.sandbox.value_of(s.id)
    ended(run(world, "rotate", "ask-back", "-n", "it", "--wait"), 0, "rotated it/ask-back")
    check(world.sandbox.value_of(s.id) != first, "nothing was rotated")
    second = world.sandbox.secret(s.id)["labels"]["AWSCURRENT"]
    ended(run(world, "rollback", "ask-back", "-n", "it"), 0, "rollback of it/ask-back asked for", "keyturn status ask-back -n it")
    until("the old value is back", lambda: world.sandbox.value_of(s.id) == first)
    check(world.sandbox.secret(s.id)["labels"]["AWSPREVIOUS"] == second, "rollback did not go forward")
    s.settle()


@scenario
def a_command_that_waits_ends_on_ctrl_c(world):
    s = Subject(world.sandbox, "it", "ask-forever", suspend=True)
    s.settle()
    process = subprocess.Popen([f"{world.sandbox.binaries}/keyturn", "rotate", "ask-forever", "-n", "it", "--wait"], env=world.sandbox.env, stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a run in the background ignores it
    check("asked for" in process.stdout.readline(), "the request was not made")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    check(process.returncode == -signal.SIGINT, f"exit status {process.returncode}")


@scenario
def leak_drill_rotates_and_revokes_at_once(world):
    world.operator.read_rules(RULES)
    influx = Influx(world, "drill", "2.9")
    old = influx.token(influx.user("reader"), type="allAccess")
    s = Subject(world.sandbox, "it", "ask-drill", {"influxdbToken": {}}, json.dumps(influx.secret("custom", old["token"], adminSecretArn=influx.admin_arn)))
    s.settle()
    ended(run(world, "rollback", "ask-drill", "-n", "it"), 1, "no old credential that still lives")
    ended(run(world, "revoke", "ask-drill", "-n", "it", "--yes"), 1, "no old credential waits")
    foreign = foreign_pending(world, s)
    s.request()
    s.says("Stalled", "True", foreign, reason="ForeignPending")
    mend_while_the_stall_shows(world, s, foreign)  # what stalled it before ends no drill
    drill = ended(run(world, "rotate", "ask-drill", "-n", "it", "--revoke-now", "--wait", "--timeout", "50s"), 0, "rotated it/ask-drill", "is revoked")
    check(old["id"] not in influx.truth(), f"the leaked token is still there: {drill.said}")
    check(influx.works(json.loads(world.sandbox.value_of(s.id))["token"]), "the new token does not work")
    s.settle()
