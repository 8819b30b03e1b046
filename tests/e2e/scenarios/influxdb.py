"""A real InfluxDB: that the tests can run one, and that the sandbox's, which the integration tests trust, answers as it does."""

from harness.influx import all_access_permissions, operator_permissions, permission
from harness.runner import NotRun, check, check_equal, scenario


@scenario("influxdb: a real one mints, deactivates and deletes tokens of every kind")
def tokens(world):
    influx = world.influx()
    user = influx.user_named("bob", "bobs-password", "members")
    kinds = {"operator": (operator_permissions(), None), "all access": (all_access_permissions(influx.org, user), user),
             "custom": ([permission("read", "buckets", influx.org, influx.bucket)], None)}
    for kind, (permissions, owner) in kinds.items():
        made = influx.create_token(permissions, owner, f"{kind}#1")
        check(influx.api.works(made["token"]), f"the {kind} token does not work")
        check_equal(influx.authorizations()[made["id"]]["description"], f"{kind}#1", "description")
        path = f"/api/v2/authorizations/{made['id']}"
        influx.call("PATCH", path, 200, {"status": "inactive"})
        check(not influx.api.works(made["token"]), f"the {kind} token works though it is inactive")
        influx.call("DELETE", path, 204)
        check(made["id"] not in influx.authorizations(), f"the {kind} token is still there")
    check(influx.api.sign_in("bob", "bobs-password"), "bob cannot sign in")
    check(not influx.api.sign_in("bob", "another-password"), "bob signs in with any password")


@scenario("influxdb: the sandbox answers as the real one")
def sandbox(world):
    program = world.binary.parent / "keyturn-sandbox"
    if not program.exists():
        raise NotRun(f"{program.name} is not beside {world.binary.name}")
    compare = world.repository / "tests" / "sandbox" / "compare_influx_with_real.py"
    done = world.run("python3", compare, world.influxd(), program, check_status=False)
    check(done.returncode == 0, f"they differ:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]
