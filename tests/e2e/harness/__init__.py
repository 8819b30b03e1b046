"""What the e2e scenarios stand on: a real control plane, moto, a wire that counts, and the operator itself.

Python 3.11's standard library only. Nothing in here sleeps to synchronise: `waiting.eventually` polls a condition with a bound.
"""
