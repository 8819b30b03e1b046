"""influxdbUser against a real InfluxDB: one password, changed by its user, never lost on the way."""

import json

from harness.lane import Lane
from harness.runner import check, check_equal, scenario
from harness.waiting import eventually

_STRATEGY = {"influxdbUser": {}}
_CHANGE = "PUT /api/v2/me/password"


class User:
    """One user, the secret with its password, and the policy that rotates it."""

    def __init__(self, lane, influx, namespace, name):
        self._influx, self.name, self._first = influx, f"{namespace}-{name}", "a-password-by-hand"
        self.id = influx.create_user(self.name, self._first, "members")
        value = {"engine": "influxdb", "username": self.name, "password": self._first, "url": lane.influx_url, "note": "kept"}
        self.subject = lane.world.subject(namespace, name, json.dumps(value, indent=1), _STRATEGY)

    def signs_in(self, password):
        return self._influx.api.sign_in(self.name, password) is not None

    def check_rotated(self, before, from_version):
        """At rest with one new version, whose password is the server's, and all else as it was."""
        self.subject.wait_rotated(from_version, 60)
        self.subject.wait_at_rest()
        self.subject.check_one_new_version(before, from_version)
        self.subject.check_default_mapping()
        fields = self.subject.fields()
        check(self.signs_in(fields["password"]), "the current password does not sign in")
        check(not self.signs_in(self._first), "the old password signs in")
        check_equal(len(fields["password"]), 32, "length of the password")
        check_equal((fields["username"], fields["note"]), (self.name, "kept"), "other fields")
        self._first = fields["password"]


@scenario("influxdbUser, a real InfluxDB: the user's password rotates; its sessions and tokens go on")
def rotates(world):
    influx, namespace = world.influx(), world.namespace("users")
    with Lane(world, "users", influx) as lane:
        user = User(lane, influx, namespace, "plain")
        session = influx.api.sign_in(user.name, user.subject.fields()["password"])
        for _ in range(2):
            before, version = user.subject.versions(), user.subject.current()
            mark = lane.wire.mark()
            user.subject.request_rotation()
            user.check_rotated(before, version)
            asked = [str(request) for request in lane.wire.since(mark) if request.upstream in ("aws", "influx")]
            change = asked.index(_CHANGE)
            check_equal(asked[change + 1:change + 7], ["POST /api/v2/signout", "POST /api/v2/signin", "GET /api/v2/me", "POST /api/v2/signout",
                                                       "UpdateSecretVersionStage", "UpdateSecretVersionStage"], "requests of the dead window")
        check_equal(influx.api.send("GET", "/api/v2/me", session=session).status, 200, "an older session")


@scenario("influxdbUser, a real InfluxDB: the operator killed at the change of the password, before and after it takes effect, goes forward")
def killed(world):
    influx, namespace = world.influx(), world.namespace("users-killed")
    points = [("lost", _CHANGE), ("answered", _CHANGE), ("lost", "UpdateSecretVersionStage"), ("lost", "POST /api/v2/signin")]
    with Lane(world, "users-killed", influx) as lane:
        for index, (mode, point) in enumerate(points):
            user = User(lane, influx, namespace, f"point-{index}")
            before, version = user.subject.versions(), user.subject.current()
            wire = lane.wire.arm(1, mode, lane.kill, lambda request, point=point: point in str(request))
            user.subject.request_rotation()
            eventually(f"the operator is killed at {point}", lambda: wire.tripped_by, 60)
            lane.operator.restart_after_kill()
            lane.wire.reopen()
            user.check_rotated(before, version)


@scenario("influxdbUser, a real InfluxDB: AWSCURRENT overwritten by hand with a wrong password is mended from AWSPREVIOUS, then rotated")
def mended(world):
    influx, namespace = world.influx(), world.namespace("users-mended")
    with Lane(world, "users-mended", influx) as lane:
        user = User(lane, influx, namespace, "wrong")
        right = user.subject.fields()
        world.aws.call("PutSecretValue", SecretId=user.subject.secret_id, SecretString=json.dumps({**right, "password": "a typing mistake"}))
        user.subject.sync_now()
        wrong = user.subject.current()
        user.subject.request_rotation()
        eventually("another version is current", lambda: user.subject.current() != wrong, 60)
        user.subject.wait_at_rest()
        check(user.signs_in(user.subject.fields()["password"]), "the current password does not sign in")
        check_equal(user.subject.fields()["note"], "kept", "another field")
