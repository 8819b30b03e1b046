"""Runs scenarios one after the other; one line each, and a last line with the count: `N passed, N failed`, and `, N skipped`
after it where a scenario lacked a prerequisite."""

import time
import traceback

_scenarios = []


class NotRun(Exception):
    """Raised by a scenario that lacks what it needs; the message says what."""


def scenario(name):
    """Registers a function of one argument, the world. Scenarios run in the order of registration."""

    def register(function):
        if any(each == name for each, _ in _scenarios):
            raise ValueError(f"two scenarios are called {name!r}")
        _scenarios.append((name, function))
        return function

    return register


def chosen(words):
    """The scenarios whose name contains one of the words; all of them without words."""
    return [(name, function) for name, function in _scenarios if not words or any(word in name for word in words)]


def check(condition, message):
    """An assertion with a message that is not lost under python -O."""
    if not condition:
        raise AssertionError(message)


def check_equal(got, expected, what):
    check(got == expected, f"{what}: expected {expected!r}, got {got!r}")


def run(scenarios, world):
    """Runs them all, whatever fails; True if none did."""
    passed = failed = skipped = 0
    for name, function in scenarios:
        began = time.monotonic()
        try:
            world.before_scenario()
            note = function(world) or ""
            passed += 1
            print(f"ok      {name} ({time.monotonic() - began:.1f} s){': ' + note if note else ''}", flush=True)
        except NotRun as lacking:
            skipped += 1
            print(f"########  DID NOT RUN  {name}: {lacking}", flush=True)
        except Exception as error:  # one scenario's failure must not hide the others'
            failed += 1
            print(f"FAILED  {name} ({time.monotonic() - began:.1f} s): {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            world.explain_failure()
    print(f"{passed} passed, {failed} failed{f', {skipped} skipped' if skipped else ''}", flush=True)
    return failed == 0
