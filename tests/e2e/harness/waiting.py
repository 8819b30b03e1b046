"""Polling with a bound: the only way that the e2e tests wait."""

import time


class TimedOut(AssertionError):
    """The condition did not come true in time; the message says what was seen last."""


def eventually(what, probe, seconds=30.0, every=0.05):
    """Calls probe until it returns something true, and returns that.

    A probe may raise AssertionError, OSError or LookupError for "not yet"; the last one is quoted when time is up. Anything
    else is a mistake in the test and is passed on at once.
    """
    deadline = time.monotonic() + seconds
    seen = None
    while True:
        try:
            seen = probe()
            if seen:
                return seen
        except (AssertionError, OSError, LookupError) as not_yet:
            seen = not_yet
        if time.monotonic() >= deadline:
            raise TimedOut(f"not within {seconds:g} s: {what}; last seen: {_short(seen)}")
        time.sleep(every)


def _short(value):
    text = f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)
    return text if len(text) <= 600 else text[:600] + "…"
