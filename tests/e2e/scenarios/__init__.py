"""The scenarios, in the order in which they run: importing a module registers its scenarios."""

from . import (install, sandbox, rotation, lifecycle, bad_input, drift, requests, outages, crashes, commands, influxdb, influx_tokens,  # noqa: F401
               influx_users, credential_life, life_rollouts, life_commands, life_crashes, ending)
