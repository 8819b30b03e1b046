#!/usr/bin/env python3
"""An exhaustive model of the label protocol (../protocol.md): every interleaving of two leaders, crashes, wrong and missing answers and acts of
people within budgets, for the kinds of backend that can lose a credential: `two` (old and new credential live side by side), `forward` (one
password; setting it is a request of its own) and `list` (at most two passwords; every write replaces all of them). A change to the protocol is
made here first.

A leader looks (one request) and plans the next request on what it saw; that request is carried out at any later time, when the world may be
another. Quiet is where time passes: what somebody planned before the labels or the gate last changed has landed by then (another branch) or has
expired. Checked in every world: I1, I2; and that whichever leader is left alone brings it to a clean end: I3, I4.

usage: model.py [--kind two|forward|list] [--budgets CRASHES PEOPLE WRONG ROTATIONS] [--without RULE]
       model.py --quick    small budgets, and each rule (or two that stand in for each other) taken away, which must be missed (seconds; what `make test` runs)
       model.py --long     larger budgets too (minutes)
Standard library only. Ends with status 0 when everything is as it must be."""
import sys
import time
from collections import deque

from table import Leader, Protocol, Version, World


# --- what people do ---

def people(w, kind):
    if not w.people:
        return
    forward = kind == 'forward'
    asked = {l.request[0] for l in w.leaders if l.request}
    revoking = asked & {'kill', 'replace'}  # in that instant only a commanded roll-back is safe
    less = w._replace(people=w.people - 1, edits=w.edits + 1)
    took_over = less._replace(excused=w.excused | {w.cred(w.C)} | ({w.cred(w.V)} if w.V else set()))
    name = f'person{less.edits}'

    def saved(cred, others, backend):
        return took_over._replace(versions=w.versions + (Version(name, None, cred, others),), V=w.C, C=name, others=others, backend=backend)

    def moved(to):
        return took_over._replace(C=to, V=w.C, others=w.find(to).others, excused=took_over.excused | {w.cred(to)})

    if w.V and not revoking and (forward or w.lives(w.V)):
        yield 'a person moves AWSCURRENT back', moved(w.V)
    if w.V and not revoking and not forward and w.lives(w.V):
        yield 'a person saves the previous credential again', saved(w.cred(w.V), w.others, w.backend)
    if w.P not in (None, w.C) and not revoking and w.lives(w.P):
        yield 'a person moves AWSCURRENT to the pending version', moved(w.P)
    yield 'a person edits another field', saved(w.cred(w.C), less.edits, w.backend)
    in_use = {w.cred(w.C), w.secret[1], w.pod}
    own = {'two': w.backend | {name}, 'forward': frozenset({name}), 'list': frozenset({name} | in_use)}[kind]
    # who replaces the list while a write of ours is on its way, or with three in use, is not promised anything
    if kind != 'list' or len(in_use) == 1 and not asked & {'set', 'replace'}:
        yield 'a person saves a credential of their own', saved(name, w.others, own)._replace(excused=took_over.excused | {name})
    if w.P is not None:
        yield 'a person drops AWSPENDING', less._replace(P=None)
    if w.K is not None:
        yield 'a person drops the baton', took_over._replace(K=None)
    if w.L is not None:
        yield 'a person drops KEYTURN_LATEST', less._replace(L=None, stray=True)
    if not forward and w.K not in (None, w.C, w.L) and w.C == w.L and w.P in (None, w.C):
        yield 'a person asks to roll back', less._replace(roll_back=w.C)


# --- what must hold ---

def wrong_now(w, forward):
    if not forward and w.secret[1] not in w.backend - w.disabled:
        return "I1: the Secret's credential is dead"
    if not forward and w.pod not in w.backend - w.disabled:
        return "I1: the pod's credential is dead"
    holders = (w.C, w.P, w.V) + ((w.L,) if forward else ())
    return None if any(w.accepts(h) for h in holders) else 'I2: no labelled version holds a working credential'


def wrong_at_rest(w, forward):
    if w.stray and w.P not in (None, w.C):
        return None  # refused as somebody else's until a person says
    if not w.accepts(w.C):
        return 'I3: AWSCURRENT does not work'
    if w.gate() != (True, True) or w.secret[1] != w.cred(w.C):
        return 'I3: the target or the pod does not hold AWSCURRENT'
    if w.K is not None or w.P not in (None, w.C):
        return 'I3: a label of ours is left'
    if w.find(w.C).others != w.others:
        return "a person's edit of another field is lost"
    if not w.edits and not w.wronged and w.finished != w.rotations + (1 if forward else 0):
        return 'I4: a due rotation did not happen exactly once'
    return None if forward or not (w.backend - {w.cred(w.C)} - w.excused) else 'I3: a credential is left over'


# --- the search ---

class Search:
    def __init__(self, kind, budgets, without=None):
        self.protocol = Protocol(kind, without)
        self.kind = kind
        self.forward = kind == 'forward'
        self.budgets = dict(zip(('crashes', 'people', 'wrong', 'rotations'), budgets))
        self.settled = set()
        self.rows = set()

    def noticing(self, before, after):  # every change makes the views of both leaders old, the changer's own included
        if before.labels() + before.gate() != after.labels() + after.gate():
            after = after._replace(leaders=tuple(l._replace(stale=True) for l in after.leaders))
        return after._replace(leaders=tuple(l if l.request else l._replace(stale=False) for l in after.leaders))

    def steps(self, w, n):
        leader = w.leaders[n]
        if leader.request is None:
            row = self.protocol.plan(w, n)
            if row:
                self.rows.add(row[0])
            if row and row[1]:
                yield f'leader {n} sees row {row[0]}', w.with_leader(n, leader._replace(request=row[1], stale=False))
            return
        for how, after, then in self.protocol.carry_out(w, n):
            yield f'leader {n}: {leader.request}{how}', self.noticing(w, after.asking(n, then))

    def successors(self, w):
        for n in (0, 1):
            yield from self.steps(w, n)
            if w.crashes and w.leaders[n] != Leader():
                yield f'leader {n} dies', w._replace(crashes=w.crashes - 1).with_leader(n, Leader())
        for what, after in people(w, self.kind):
            yield what, self.noticing(w, after)
        if w.pod != w.secret[1]:
            yield 'the pod restarts', self.noticing(w, w._replace(pod=w.secret[1]))

    def settle(self, w, n):
        """no more faults, leader n alone: what is wrong on the way or at the end"""
        w = w._replace(crashes=0, people=0, wrong=0).with_leader(1 - n, Leader())
        path = []
        for _ in range(300):
            if (n, w) in self.settled:
                break
            path.append((n, w))
            after = next((x for _, x in self.steps(w, n)), None)
            if after is None and w.pod != w.secret[1]:
                after = self.noticing(w, w._replace(pod=w.secret[1]))
            if after is None and w.ending == 0:
                after = w._replace(ending=1)
            if after is None or w.ending == 2 and after.leaders[n].request is None and self.protocol.plan(after, n) is None:
                wrong = wrong_at_rest(after or w, self.forward)
                if wrong:
                    return wrong
                break
            wrong = wrong_now(after, self.forward)
            if wrong:
                return wrong + ' (later)'
            w = after
        else:
            return 'never settles'
        self.settled.update(path)
        return None

    def run(self, stop_at_first=False):
        first = World(versions=(Version('v0', None, 'c0', 0),), C='v0', backend=frozenset({'c0'}), secret=('v0', 'c0'), pod='c0', **self.budgets)
        seen = {first: None}
        queue = deque([first])
        found = {}
        while queue and not (found and stop_at_first):
            w = queue.popleft()
            wrong = wrong_now(w, self.forward) or self.settle(w, 0) or self.settle(w, 1)
            if wrong:
                found.setdefault(wrong, w)
                continue
            for how, after in self.successors(w):
                if after not in seen:
                    seen[after] = (w, how)
                    queue.append(after)
        return len(seen), {wrong: trace(seen, w) for wrong, w in found.items()}


def trace(seen, w):
    lines = [f'=> {w.labels()} backend {sorted(w.backend)} secret {w.secret} pod {w.pod}']
    while seen[w]:
        w, how = seen[w]
        lines.append(how)
    return lines[::-1]


# Each rule with the smallest budgets (crashes, people, wrong, rotations) at which its loss is found.
RULES = {
    'quiet': ('two', (0, 1, 0, 1)),
    "quiet before a rollback's test": ('two', (0, 1, 0, 1)),
    'chained ids': ('two', (0, 0, 1, 1)),
    'comparing': ('two', (0, 1, 0, 1)),
    'sparing what others hold': ('two', (0, 3, 0, 1)),
    # which at budgets like these stands in for the other, wholly or mostly
    'AWSPENDING first + sparing what others hold': ('two', (0, 2, 0, 1)),
    'keeping what was current + sparing what others hold': ('two', (0, 2, 0, 1)),
    'only what was minted + sparing what others hold': ('two', (0, 1, 1, 1)),
    'base check': ('two', (0, 1, 0, 1)),
    'leftovers': ('two', (1, 0, 0, 1)),
    'gate': ('two', (0, 0, 0, 1)),
    'giving back': ('two', (1, 1, 0, 1)),
    'quiet before a label is dropped': ('two', (1, 1, 0, 1)),
    'row 9 before the gate': ('two', (1, 1, 0, 1)),
    'quiet before set': ('forward', (0, 1, 0, 1)),
    'AWSPENDING last': ('forward', (0, 1, 0, 1)),
    'asking': ('forward', (0, 0, 1, 1)),
    'quiet before a list is set': ('list', (0, 1, 0, 1)),
    'giving up behind the gate': ('list', (0, 1, 0, 1)),
    'setting behind the gate': ('list', (0, 2, 0, 1)),
}


def report(kind, budgets, without=None, verbose=True):
    started = time.time()
    search = Search(kind, budgets, without)
    states, found = search.run(stop_at_first=without is not None)
    what = f'without {without}' if without else 'rows ' + ' '.join(map(str, sorted(search.rows)))
    print(f'{kind:8} crashes {budgets[0]}, people {budgets[1]}, wrong {budgets[2]}, rotations {budgets[3]}: {states} states, {what}, '
          f'{len(found)} kinds of violation ({time.time() - started:.1f} s)', flush=True)
    for wrong, lines in found.items():
        print(f'  {"found" if without else "VIOLATION"}: {wrong}')
        if verbose:
            print('\n'.join('    ' + line for line in lines))
    return not found


def every_rule():
    missed = [rule for rule, (kind, budgets) in RULES.items() if report(kind, budgets, rule, verbose=False)]
    for rule in missed:
        print(f'NOT MISSED: {rule}; the model does not see what this rule is for')
    return not missed


def main(args):
    kind, budgets, without = 'two', (0, 1, 0, 1), None
    if args in (['--quick'], ['--long']):
        sizes = [(0, 1, 0, 1), (1, 0, 1, 1)] + ([(0, 1, 1, 1), (1, 1, 0, 1)] if args == ['--long'] else [])
        good = all([report(k, size) for k in ('two', 'forward', 'list') for size in sizes])
        return 0 if every_rule() and good else 1
    while args:
        option = args.pop(0)
        if option == '--kind':
            kind = args.pop(0)
        elif option == '--budgets':
            budgets = tuple(int(args.pop(0)) for _ in range(4))
        elif option == '--without' and args and args[0] in RULES:
            without = args.pop(0)
            kind, budgets = RULES[without]
        else:
            print(__doc__, '\nrules:', ', '.join(RULES), file=sys.stderr)
            return 2
    clean = report(kind, budgets, without)
    return 0 if clean == (without is None) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
