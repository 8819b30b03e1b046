"""The world of the model, the protocol's table (../protocol.md) and the requests that it leads to. See model.py."""
from typing import NamedTuple, Optional


class Version(NamedTuple):
    name: str
    base: Optional[str]  # the version it was made from; None: not ours
    cred: str
    others: int  # the value's other fields


class Leader(NamedTuple):
    request: Optional[tuple] = None  # planned or under way; None: about to look
    stale: bool = False  # labels or gate have changed since its last look
    works: Optional[tuple] = None  # forward: (C, L) of which it knows that C's credential works


class World(NamedTuple):
    versions: tuple
    C: str
    V: Optional[str] = None
    P: Optional[str] = None
    L: Optional[str] = None
    K: Optional[str] = None
    backend: frozenset = frozenset()  # credentials that it knows
    disabled: frozenset = frozenset()  # and those of them that it does not accept: on the way to being revoked
    secret: tuple = ()  # the target: (version, credential)
    pod: str = ''  # the credential that it read
    leaders: tuple = (Leader(), Leader())
    crashes: int = 0
    people: int = 0
    wrong: int = 0
    rotations: int = 0
    attempts: int = 0
    finished: int = 0
    others: int = 0  # a person's last word about the other fields
    edits: int = 0
    minted: int = 0
    wronged: int = 0
    excused: frozenset = frozenset()  # credentials that a person took over: reported, not revoked
    roll_back: Optional[str] = None  # asked for while this version was current
    stray: bool = False  # AWSPENDING may look like somebody else's: a person has to say
    ending: int = 0  # alone: 1 the last clean-up (forward: a last rotation) is asked for, 2 it was done

    def find(self, name):
        return next((v for v in self.versions if v.name == name), None)

    def cred(self, name):
        v = self.find(name)
        return v.cred if v else None

    def accepts(self, name):
        return self.lives(name) and self.cred(name) not in self.disabled

    def lives(self, name):
        return self.cred(name) in self.backend

    def made_from(self, name, base):
        v = self.find(name)
        return v is not None and base is not None and v.base == base

    def gate(self):
        return self.secret[0] == self.C, self.pod == self.cred(self.C)

    def labels(self):
        return self.C, self.V, self.P, self.L, self.K

    def with_leader(self, n, leader):
        pair = list(self.leaders)
        pair[n] = leader
        return self._replace(leaders=tuple(pair))

    def asking(self, n, request):
        return self.with_leader(n, self.leaders[n]._replace(request=request))


def for_whom(cred):  # the mark: for which version a credential was minted
    return cred.split('#')[0] if '#' in cred else None


class Protocol:
    """The table and the requests. `without`: rules that are taken away, joined by ' + '."""

    def __init__(self, kind, without=None):
        self.forward = kind == 'forward'
        self.list = kind == 'list'
        self.without = without.split(' + ') if without else []

    def has(self, rule):
        return rule not in self.without

    def successor(self, c, latest):
        return f"<{c},{latest if self.has('chained ids') else '*'}>"

    def latest(self, w):  # L, should somebody have taken the label from our own pending version
        if w.P in (None, w.C):
            return w.L
        from_current = w.made_from(w.P, w.C)
        ours = from_current or w.made_from(w.P, w.V)
        return w.P if (from_current and w.K == w.P) or (ours and w.L is None) else w.L

    def same(self, w, a, b):
        return self.has('comparing') and None not in (a, b) and w.cred(a) == w.cred(b)

    def based(self, w, name):
        return not self.has('base check') or w.made_from(name, w.C)

    def due(self, w):
        resting = w.K is None and w.P in (None, w.C)
        return resting and (w.finished < w.rotations and w.attempts < w.rotations + 2 or self.forward and w.ending == 1)

    def release(self, label, holder):  # a version that may be in use again: what was disabled of it is given back, when nobody disables any more
        drop = ('move', label, holder, None)
        if self.forward or self.list or not self.has('giving back'):
            return drop
        return ('quiet', ('restore', holder, drop)) if self.has('quiet before a label is dropped') else ('restore', holder, drop)

    # --- the table: the first row that fits; (row, request) or None ---

    def plan(self, w, n):
        C, V, P, K, L = w.C, w.V, w.P, w.K, self.latest(w)
        vid = self.successor(C, L)
        ask = ('quiet', ('ask', vid, C, L))
        synced, rolled_out = w.gate()
        must_ask = self.forward and self.has('asking') and L not in (None, C) and w.leaders[n].works != (C, L)
        if K is not None and K == L != C:
            to = V if not self.forward and V != K and self.same(w, V, K) else None
            if P != K or not self.based(w, K):
                return (1, ask) if must_ask else (1, ('move', 'K', K, to))
            test = ('test', K, C, to)
            if self.list and not to:  # the whole list is written: behind the gate, and nothing that was planned before may land after it
                if not (synced and rolled_out) and self.has('setting behind the gate'):
                    return (7, ('sync', C, w.cred(C), w.secret)) if not synced else (8, None)
                return 2, (('quiet', ('set', K, C, to)) if self.has('quiet before a list is set') else ('set', K, C, to))
            return 2, (('quiet', test) if to and self.has("quiet before a rollback's test") else test)
        if K is not None and K == C and L not in (None, C, V) and self.based(w, L):
            last = self.forward or self.list
            pending_first = self.has('AWSPENDING last' if last else 'AWSPENDING first') != last
            return 3, (('move', 'P', L, None) if P == L and pending_first else ('retest', C, L, vid))
        if K is not None and K == C:
            return (4, ask) if must_ask else (4, self.release('K', K))
        if P is not None and P == C:
            return 5, self.release('P', P)
        given_up = P is not None and P == L
        if must_ask and (given_up or K is not None):
            return 6, ask
        gate_first = self.list and self.has('giving up behind the gate') and not (synced and rolled_out)
        if given_up and (not gate_first or L == V):
            held = self.has('sparing what others hold') and (self.same(w, P, C) or self.same(w, P, V))
            drop = self.forward or held or L == V and self.has('keeping what was current')
            return 6, (self.release('P', P) if drop else ('quiet', ('abandon', P)))
        if w.roll_back == C and not self.forward and K is not None and C == L and P is None:
            return 12, ('carry', K, vid, C, L)
        if K is not None and not self.forward and self.has('row 9 before the gate') and self.same(w, K, C):
            return 9, self.release('K', K)
        if not synced:
            return 7, ('sync', C, w.cred(C), w.secret)
        if not rolled_out and self.has('gate'):
            return 8, None
        if K is not None:
            keep = self.forward or self.same(w, K, C)
            return (9, self.release('K', K)) if keep else (10, ('quiet', ('revoke', K, C)))
        if P is not None:
            return 11, None
        if not self.forward and w.ending == 1:
            return 12, ('sweep', None, C, L)
        if self.due(w):
            return 12, (('check', vid, C, L) if self.forward else ('sweep', vid, C, L))
        return None

    # --- requests: each yields (what happened, world, the next request of the same pass) ---

    def carry_out(self, w, n):
        kind, *args = w.leaders[n].request
        return getattr(self, 'do_' + kind)(w, n, *args)

    def do_quiet(self, w, n, then):
        other = w.leaders[1 - n]
        if other.request and other.stale and self.has('quiet'):
            w = w.with_leader(1 - n, other._replace(request=None))
        w = w.with_leader(n, w.leaders[n]._replace(stale=False))
        # what the table must still say: this very thing, or the test that led to it
        led_to = {'set': [('test', *then[1:])], 'ask': [('retest', *then[2:4], then[1]), ('check', *then[1:4])]}
        row = self.plan(w, n)
        yield '', w, (then if row and row[1] in [('quiet', then), then] + led_to.get(then[0], []) else None)

    def do_move(self, w, n, label, holder, to):
        held = getattr(w, label)
        if held != holder:
            yield ' (lost the race)', w, None
        elif label == 'C':
            ended = 2 if self.forward and w.ending == 1 else w.ending
            yield '', w._replace(C=to, V=w.C, finished=w.finished + 1, ending=ended), None
        else:
            yield '', w._replace(**{label: to}), None

    def answers(self, w, cred):  # of a login; the honest one first
        accepted = cred in w.backend - w.disabled
        yield ('accepted' if accepted else 'rejected'), w
        if w.wrong and accepted:
            less = w._replace(wrong=w.wrong - 1, wronged=w.wronged + 1)
            yield 'rejected', less
            yield 'unknown', less

    def do_test(self, w, n, k, c, to):
        for answer, w2 in self.answers(w, w.cred(k)):
            rejected = ('move', 'K', k, to)
            if self.forward:  # setting is revoking here: it waits for quiet
                rejected = ('quiet', ('set', k, c, to)) if self.has('quiet before set') else ('set', k, c, to)
            yield f' ({answer})', w2, {'accepted': ('move', 'K', k, c), 'rejected': rejected, 'unknown': None}[answer]

    def do_set(self, w, n, k, c, to):
        if self.list:
            yield from self.set_list(w, n, k, c, to)
            return
        let_in = w.accepts(c) or w.accepts(w.V) or w.accepts(k)
        if not let_in:
            yield ' (not let in)', w, None
            return
        yield '', w._replace(backend=frozenset({w.cred(k)})), ('prove', k, c, to)
        if w.wrong:
            yield ' (no answer)', w._replace(backend=frozenset({w.cred(k)}), wrong=w.wrong - 1, wronged=w.wronged + 1), None

    def set_list(self, w, n, k, c, to):  # at most two: the new one, and the one that readers hold
        whole = frozenset({w.cred(k), w.cred(c)})
        if w.accepts(k):
            yield ' (is there already)', w, ('prove', k, c, to)
        if w.accepts(k) and not w.wrong:
            return
        less = w._replace(wrong=w.wrong - 1, wronged=w.wronged + 1) if w.accepts(k) else w
        yield '', less._replace(backend=whole), ('prove', k, c, to)
        if less.wrong:
            yield ' (no answer)', less._replace(backend=whole, wrong=less.wrong - 1, wronged=less.wronged + 1), None

    def do_prove(self, w, n, k, c, to):
        for answer, w2 in self.answers(w, w.cred(k)):
            yield f' ({answer})', w2, {'accepted': ('move', 'K', k, c), 'rejected': ('move', 'K', k, to), 'unknown': None}[answer]

    def do_retest(self, w, n, c, latest, vid):  # nothing becomes current that does not work now
        for answer, w2 in self.answers(w, w.cred(latest)):
            rejected = ('move', 'K', c, None)
            if self.forward and self.has('asking'):
                rejected = ('quiet', ('ask', vid, c, latest, 'decided'))
            yield f' ({answer})', w2, {'accepted': ('move', 'C', c, latest), 'rejected': rejected, 'unknown': None}[answer]

    def do_ask(self, w, n, vid, c, latest, decided=None, at=0):
        """forward: which of the known values does the backend accept? One login a request; a missing answer ends it without a verdict"""
        names = (c, latest, w.V, w.K)
        creds = [w.cred(name) for name in names]
        while at < 4 and (creds[at] is None or creds[at] in creds[:at]):
            at += 1
        if at == 4:
            yield ' (none works)', w, None
            return
        for answer, w2 in self.answers(w, w.cred(names[at])):
            if answer != 'accepted':
                yield f' ({names[at]} {answer})', w2, (('ask', vid, c, latest, decided, at + 1) if answer == 'rejected' else None)
            elif names[at] == c:
                knowing = w2.with_leader(n, w2.leaders[n]._replace(works=(c, latest)))
                yield ' (the current one works)', knowing, (('move', 'K', c, None) if decided else None)
            elif decided and names[at] == latest:
                yield ' (the new one works after all)', w2, ('move', 'C', c, latest)
            else:
                yield f' ({names[at]} works)', w2, ('carry', names[at], vid, c, latest)

    def do_carry(self, w, n, source, vid, c, latest):
        if w.find(vid):
            yield ' (taken)', w, ('adopt', vid, w.L)
        else:
            yield '', w, ('put', vid, w.cred(source), c, w.find(c).others, False)

    def do_check(self, w, n, vid, c, latest):  # forward: first of all a credential that works
        for answer, w2 in self.answers(w, w.cred(c)):
            ask = ('quiet', ('ask', vid, c, latest)) if self.has('asking') and latest is not None else None
            put = ('put', vid, f'{vid}#{w.minted}', c, w.find(c).others, False)
            w2 = w2._replace(minted=w.minted + 1) if answer == 'accepted' else w2
            yield f' ({answer})', w2, {'accepted': put, 'rejected': ask, 'unknown': None}[answer]

    def do_sweep(self, w, n, vid, c, latest, quiet=False):  # leftovers: ours by their mark, old, and nobody's
        held = {w.cred(w.C), w.cred(w.V)}
        busy = {l.request[2] for l in w.leaders if l.request and l.request[0] == 'put'}
        marked = self.has('leftovers') and not self.list  # a list keeps no marks
        old = {x for x in w.backend if for_whom(x) and x not in held | busy} if marked else set()
        if w.made_from(w.C, w.V) and self.has('leftovers') and not self.same(w, w.V, w.C):
            old |= {w.cred(w.V)} & w.backend  # its retirement record was lost
        start = ('mint', vid, c, latest) if vid else None
        done = w if vid else w._replace(ending=2)
        if not old:
            yield '', done, start
        elif not quiet:
            for _, w2, _ in self.do_quiet(w, n, ('sweep', vid, c, latest)):
                row = self.plan(w2, n)
                if row and row[1] == ('sweep', vid, c, latest):
                    yield from self.do_sweep(w2, n, vid, c, latest, quiet=True)
                else:
                    yield ' (overtaken)', w2, None
        else:
            kill = ('replace', c) if self.list else ('kill', frozenset(old))
            yield f' (finds {len(old)})', w, (*kill, start, 'ended' if not vid else None)

    def do_mint(self, w, n, vid, c, latest):
        if w.find(vid):  # looked at before minting
            yield ' (taken)', w, ('adopt', vid, w.L)
            return
        cred = f'{vid}#{w.minted}'
        backend = w.backend if self.list else w.backend | {cred}
        yield '', w._replace(backend=backend, minted=w.minted + 1), ('put', vid, cred, c, w.find(c).others, not self.list)

    def do_put(self, w, n, vid, cred, base, others, made_here):
        there = w.find(vid)
        if there:
            lost = made_here and there.cred != cred
            yield ' (taken)', w, (('kill', frozenset({cred}), None, None) if lost else None)
            return
        version = Version(vid, base, cred, others)
        yield '', w._replace(versions=w.versions + (version,), P=vid, L=vid, K=vid, attempts=w.attempts + 1, roll_back=None), None

    def do_adopt(self, w, n, vid, latest):  # the id is taken though LATEST has not moved: somebody removed our label
        unchanged = w.L == latest and not w.leaders[n].stale
        yield ('', w._replace(L=vid), None) if unchanged else (' (somebody was faster)', w, None)

    def still(self, w, n, request):  # the last look, directly before a revocation
        row = self.plan(w, n)
        return row is not None and row[1] == ('quiet', request)

    def do_abandon(self, w, n, p):
        if not self.still(w, n, ('abandon', p)):
            yield ' (overtaken)', w, None
            return
        cred = w.cred(p)
        if self.list:
            yield '', w, ('replace', w.C, ('move', 'P', p, None), None)
            return
        ours = for_whom(cred) == p or not self.has('only what was minted')
        drop = ('move', 'P', p, None)
        yield '', w, (('disable', cred, ('abandon', p), drop) if ours else drop)

    def do_revoke(self, w, n, k, c):
        if self.list:
            yield ('', w, ('replace', c, ('move', 'K', k, None), None)) if self.still(w, n, ('revoke', k, c)) else (' (overtaken)', w, None)
            return
        disable = ('disable', w.cred(k), ('revoke', k, c), ('move', 'K', k, None))
        yield ('', w, disable) if self.still(w, n, ('revoke', k, c)) else (' (overtaken)', w, None)

    def do_disable(self, w, n, cred, wanted, then):
        yield '', w._replace(disabled=w.disabled | {cred} & w.backend), ('confirm', cred, wanted, then)

    def do_confirm(self, w, n, cred, wanted, then):
        yield ('', w, ('kill', frozenset({cred}), then, None)) if self.still(w, n, wanted) else (' (overtaken)', w, ('enable', cred, None))

    def do_enable(self, w, n, cred, then):
        yield '', w._replace(disabled=w.disabled - {cred}), then

    def do_restore(self, w, n, holder, then):
        yield '', w, ('enable', w.cred(holder), then)

    def do_kill(self, w, n, creds, then, ended):
        yield '', w._replace(backend=w.backend - creds, disabled=w.disabled - creds, ending=2 if ended else w.ending), then

    def do_replace(self, w, n, keep, then, ended, asked=False):
        """list: revoking is writing the current one alone, which must work: a value that never was a password must not become one"""
        if asked:
            yield '', w._replace(backend=frozenset({w.cred(keep)}), ending=2 if ended else w.ending), then
            return
        for answer, w2 in self.answers(w, w.cred(keep)):
            yield f' ({answer})', w2, (('replace', keep, then, ended, True) if answer == 'accepted' else None)

    def do_sync(self, w, n, version, cred, seen):
        yield ('', w._replace(secret=(version, cred)), None) if w.secret == seen else (' (somebody else wrote it)', w, None)
