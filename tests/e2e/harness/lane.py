"""An operator of its own for one scenario: other times, other namespaces, its own wire, with InfluxDB on the wire as well."""

import json

from .keyturn import Operator
from .wire import Proxy, Wire

# The waits of a credential's life, as short as two busy cores allow: a quiet of 3 s, and a second for a Secret to spread.
LIFE = {"minRotationInterval": "1s", "requestDeadline": "1s", "propagation": "1s"}
PROPAGATION = 1.0


class Lane:
    """Use with `with`: the world's own operator rests meanwhile (the next scenario starts it again). One thread starts and ends it."""

    def __init__(self, world, name, influx=None, namespaces=(), **config):
        world.operator.stop_if_running()
        self.world, self.name = world, name
        self.wire = Wire()
        self._proxies = world.proxies_for(self.wire)
        self._influx = influx
        if influx is not None:
            self._proxies.append(Proxy(self.wire, "influx", influx.port))
            self.influx_url = self._proxies[-1].url
        to_kube, to_aws = self._proxies[:2]
        self.operator = Operator(world.binary, world.folder / "operator", self.wire, to_kube.url, world.cluster.authority,
                                 world.token_file, to_aws.url,
                                 {**world.operator.config, **LIFE, **config, "namespaces": list(namespaces)}, f"lane-{name}")
        world.operators.append(self.operator)
        world.in_use = self.operator, self.wire

    def __enter__(self):
        self.operator.start()
        return self

    def __exit__(self, *_):
        try:
            if self.operator.running() and self.operator.ready():
                self.world.keep_evidence(self.operator)
        finally:
            self.operator.kill()
            for proxy in self._proxies:
                proxy.close()
            self.wire.drop_connections()

    def kill(self):
        self.operator.kill()

    def token_secret(self, kind, token=None, **more):
        """The value of an influxdbToken secret at this lane's server, with spacing that a careless rewrite would not keep."""
        fields = {"engine": "influxdb", "org": "shop", "type": kind, "url": self.influx_url, **more}
        text = json.dumps({**fields, "token": token} if token is not None else fields)
        return text.replace('{"engine": ', '{ "engine" :  ', 1)
