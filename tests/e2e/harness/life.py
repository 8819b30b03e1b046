"""A token of a real InfluxDB on its way: the secret, the policy that rotates it, and the workloads that read it."""

from .influx import all_access_permissions
from .lane import PROPAGATION
from .readers import Readers
from .runner import check, check_equal
from .subject import Subject, manifest
from .waiting import eventually
from .workloads import KEY

SOON = {"gracePeriod": "1s"}
AUTO = {"restart": "Auto", "timeout": "2m"}


def target(name):
    return {"name": name, "data": {KEY: "{{ token }}"}}


class Life:
    """Made in sync. The token is an all-access one that replaces itself; rollout and other parts of the spec as given."""

    def __init__(self, lane, influx, namespace, name, rollout=AUTO, **spec):
        self._world, self._influx = lane.world, influx
        made = influx.create_token(all_access_permissions(influx.org, influx.user), None, f"{namespace}/{name}")
        self.subject = self._world.subject(
            namespace, name, lane.token_secret("allAccess", made["token"], authorizationId=made["id"]), {"influxdbToken": {}},
            [target(name)], rollout=rollout, **{"retirement": SOON, **spec})
        self.arn = self.subject.status()["secretArn"]
        self.readers = self.readers_in(namespace, name)

    def readers_in(self, namespace, secret):
        return Readers(self._world.kube, namespace, secret, self._influx.api.works, PROPAGATION)

    def follower(self, namespace, name, rollout=AUTO):
        """A policy of another namespace that follows the same secret, in sync."""
        self._world.kube.apply(manifest(namespace, name, self.subject.secret_id, {"syncOnly": {}}, [target(name)], rollout=rollout))
        subject = Subject(self._world.kube, self._world.aws, namespace, name, self.subject.secret_id)
        subject.wait_in_sync()
        return subject

    def token(self):
        """The current one: its value and its authorization's id."""
        fields = self.subject.fields()
        return fields["token"], fields["authorizationId"]

    def rotate(self):
        """Asks for a rotation and waits until the Secrets hold another version; the token before."""
        old, version = self.token(), self.subject.current()
        self.subject.request_rotation()
        self.wait_written(version)
        return old

    def wait_written(self, since):
        eventually(f"{self.subject} has written another version", lambda: self.subject.current() != since and
                   self.subject.data()[KEY].decode() == self.subject.fields()["token"])

    def retiring(self):
        return self.subject.status().get("retiring", {})

    def waits_for(self, *names, seconds=30):
        """Waits until status.retiring names all of these; what it says."""

        def named():
            said = self.retiring().get("waitingFor", "")
            check(all(name in said for name in names), f"it waits for {said!r}; {self.subject.conditions_in_short()}")
            return said

        return eventually(f"{self.subject} waits for {', '.join(names)}", named, seconds)

    def authorizations(self):
        return self._influx.authorizations()

    def works(self, token):
        return self._influx.api.works(token[0])

    def check_alive(self, token, what):
        check(self.works(token), f"{what} does not work")
        check_equal(self._influx.authorizations()[token[1]]["status"], "active", f"status of {what}")

    def wait_gone(self, token, what, seconds=60):
        eventually(f"{what} is gone", lambda: token[1] not in self._influx.authorizations(), seconds)
        check(not self.works(token), f"{what} works though its authorization is gone")

    def marked(self):
        """Ids of the living tokens that Keyturn made for this secret."""
        return {each["id"] for each in self._influx.authorizations().values() if f"{self.arn}#" in each["description"]}

    def check_only_current_left(self):
        value, key = self.token()
        check_equal(self.marked(), {key}, "tokens that Keyturn made for this secret")
        check(self._influx.api.works(value), "the current token does not work")
