"""The table for a group with one token, or two after ROTATE (../protocol.md, "Two tokens in a row"). See model.py.

The group says whether it is being changed, never which tokens it knows. ROTATE adds a token and, where there are two, drops the oldest; SET leaves one, which
must be the newest. Both are refused while the group is being changed, and take effect some time after they were accepted."""
from table import Protocol


class TokenProtocol(Protocol):
    def __init__(self, kind, without=None):
        super().__init__('forward', without)
        self.retries = 3  # a ROTATE that was decided and never sent loses one, too

    # --- the table: rows 1 to 6 as forward only (a login decides, nothing is given up before the group was asked), 7 to 10 as for two credentials ---

    def plan(self, w, n):
        C, V, P, K, L = w.C, w.V, w.P, w.K, self.latest(w)
        vid = self.successor(C, L)
        ask = ('quiet', ('ask', vid, C, L))
        must_ask = L not in (None, C) and w.leaders[n].works != (C, L)
        if K is not None and K == L != C:
            if P != K or not self.based(w, K):
                return (1, ask) if must_ask else (1, ('move', 'K', K, None))
            return 2, self.after_quiet(('test', K, C), 'quiet before ROTATE')
        if K is not None and K == C and L not in (None, C, V) and self.based(w, L):
            return 3, ('retest', C, L, vid)
        if K is not None and K == C:
            return (4, ask) if must_ask else (4, ('move', 'K', K, None))
        if P is not None and P == C:
            return 5, ('move', 'P', P, None)
        given_up = P is not None and P == L
        if must_ask and (given_up or K is not None):
            return 6, ask
        if given_up:
            return 6, ('move', 'P', P, None)
        if K is not None and self.same(w, K, C):
            return 9, ('move', 'K', K, None)
        synced, rolled_out = w.gate()
        if not synced:
            return 7, ('sync', C, w.cred(C), w.secret)
        if not rolled_out and self.has('the gate before SET'):
            return 8, None
        if K is not None:
            return 10, self.after_quiet(('retire', C, vid, L), 'quiet before SET')
        if P is not None:
            return 11, None
        if self.due(w):
            return 12, ('quiet', ('check', vid, C, L))
        return None

    def after_quiet(self, request, rule):
        return ('quiet', request) if self.has(rule) else request

    def do_quiet(self, w, n, then):
        other = w.leaders[1 - n]
        if other.request and other.request[0] in ('look', 'rotate'):  # decided and not sent in all that time: an attempt is lost, here once
            if w.stalls:
                return
            w = w._replace(stalls=1)
        yield from super().do_quiet(w, n, then)

    def led_to(self, then):
        vid, c, latest = then[1:4] if then[0] == 'ask' else (None, None, None)
        return [('retest', c, latest, vid), ('quiet', ('check', vid, c, latest)), ('quiet', ('retire', c, vid, latest))]

    # --- logins: none tells anything while the group is being changed, and none is wrong when it is not ---

    def answers(self, w, cred):
        if w.changing is not None and self.has('waiting until available'):
            yield 'unknown', w
            return
        yield ('accepted' if cred in w.backend else 'rejected'), w
        if w.wrong:
            yield 'unknown', w._replace(wrong=w.wrong - 1, wronged=w.wronged + 1)

    def others(self, w, c, names):  # the other tokens that are known, each once
        found = []
        for name in names:
            if name is not None and w.cred(name) not in [w.cred(x) for x in [c, *found]]:
                found.append(name)
        return tuple(found)

    # --- an attempt: only who moves the baton sends ROTATE, once, so that no token is ever rotated twice ---

    def do_test(self, w, n, k, c):
        rejected = ('ready', k, c)
        if not self.has('the new one first'):
            yield '', w, rejected
            return
        for answer, w2 in self.answers(w, w.cred(k)):
            yield f' ({answer})', w2, {'accepted': ('move', 'K', k, c), 'rejected': rejected, 'unknown': None}[answer]

    def do_ready(self, w, n, k, c, left=None):
        """ROTATE would drop the older of two: the current one must work, and no other that is known"""
        asked = c if left is None else left[0]
        rest = self.others(w, c, (w.V,)) if left is None else left[1:]
        claim = ('claim', k, c) if self.has('one sends ROTATE') else ('rotate', k, c)
        go_on = ('ready', k, c, rest) if rest else claim
        give_up = ('move', 'K', k, None)
        for answer, w2 in self.answers(w, w.cred(asked)):
            then = {'accepted': go_on if left is None else give_up, 'rejected': give_up if left is None else go_on, 'unknown': None}
            yield f' ({asked} {answer})', w2, then[answer]

    def do_claim(self, w, n, k, c):  # the baton is moved first: finishing is decided before the group has the token
        if w.K != k:
            yield ' (lost the race)', w, None
        else:
            yield '', w._replace(K=c), (('look', k, c) if self.has('looking again before ROTATE') else ('rotate', k, c))

    def do_look(self, w, n, k, c):
        fresh = w.with_leader(n, w.leaders[n]._replace(stale=False))
        yield ('', fresh, ('rotate', k, c)) if (w.C, w.P, self.latest(w), w.K) == (c, k, k, c) else (' (overtaken)', fresh, None)

    def do_rotate(self, w, n, k, c):
        if w.changing is not None:
            yield ' (refused: being changed)', w, None
            return
        token = w.cred(k)
        bad = len(w.tokens) == 2 and w.cred(w.C) in w.tokens or token in w.tokens
        done = w._replace(changing=(*w.tokens, token)[-2:], sin=w.sin or ('ROTATE while two tokens are live, one of them the current one' if bad else ''))
        yield '', done, (('move', 'K', k, c) if not self.has('one sends ROTATE') else None)
        if w.wrong:
            yield ' (fails)', w._replace(wrong=w.wrong - 1, wronged=w.wronged + 1), None

    def do_retest(self, w, n, c, latest, vid):
        for answer, w2 in self.answers(w, w.cred(latest)):
            ask = ('quiet', ('ask', vid, c, latest, 'decided'))
            yield f' ({answer})', w2, {'accepted': ('move', 'C', c, latest), 'rejected': ask, 'unknown': None}[answer]

    def do_ask(self, w, n, vid, c, latest, decided=None, left=None):
        """which of the known values does the group accept? The new one first where finishing was decided: the current one may work beside it"""
        if left is None:
            known = self.others(w, c, (latest, w.V, w.K))
            left = (known[0], c, *known[1:]) if decided and known and known[0] == latest else (c, *known)
        if not left:
            yield ' (none works)', w, None
            return
        for answer, w2 in self.answers(w, w.cred(left[0])):
            how = f' ({left[0]} {answer})'
            if answer != 'accepted':
                yield how, w2, (('ask', vid, c, latest, decided, left[1:]) if answer == 'rejected' else None)
            elif left[0] == c:
                knowing = w2.with_leader(n, w2.leaders[n]._replace(works=(c, latest)))
                yield how, knowing, (('move', 'K', c, None) if decided else None)
            elif decided and left[0] == latest:
                yield how, w2, ('move', 'C', c, latest)
            else:
                yield how, w2, ('carry', left[0], vid, c, latest)

    # --- one token: before another is made, and when the old one retires ---

    def do_check(self, w, n, vid, c, latest):
        """row 12: the current one works, and is the only one: the group does not tell, so SET makes it so"""
        if w.find(vid):
            yield ' (taken)', w, ('adopt', vid, w.L)
            return
        alone = w.leaders[n].alone == (c, w.V, latest) or not self.has('SET before another token')
        for answer, w2 in self.answers(w, w.cred(c)):
            if answer == 'accepted' and alone:
                w2 = w2._replace(minted=w2.minted + 1)
            works = ('put', vid, f'{vid}#{w.minted}', c, w.find(c).others, False) if alone else ('only', ('check', vid, c, latest), None)
            yield f' ({answer})', w2, {'accepted': works, 'rejected': ('quiet', ('ask', vid, c, latest)), 'unknown': None}[answer]

    def do_retire(self, w, n, c, vid, latest):
        """row 10: SET even if the old one is refused by now: another may live beside the current one. The baton goes when it has taken effect"""
        done = w.leaders[n].alone == (c, w.V, latest)
        only = ('move', 'K', w.K, None) if done else ('only', ('retire', c, vid, latest), None)
        for answer, w2 in self.answers(w, w.cred(c)):
            dead = ('quiet', ('ask', vid, c, latest)) if self.has('asking before SET') else only
            yield f' ({answer})', w2, {'accepted': only, 'rejected': dead, 'unknown': None}[answer]

    def do_only(self, w, n, wanted, then):  # the last look before SET
        row = self.plan(w, n)
        now = row and row[1] and (row[1][1] if row[1][0] == 'quiet' else row[1])
        if now != wanted and self.has('looking again before SET'):
            yield ' (overtaken)', w, None
        else:
            args = wanted[1:] if wanted[0] == 'check' else (wanted[2], wanted[1], wanted[3])
            yield '', w, ('set_only', *args, w.V, then)

    def do_set_only(self, w, n, vid, c, latest, previous, then):
        token = w.cred(c)
        if w.changing is not None:
            yield ' (refused: being changed)', w, None
            return
        if token != w.tokens[-1]:
            yield ' (refused: not the newest)', w, ('newest', vid, c, latest)
        sin = w.sin or ('' if token in w.tokens else 'SET of a token that the group does not have')
        knowing = w.with_leader(n, w.leaders[n]._replace(alone=(c, previous, latest)))
        yield '', knowing._replace(changing=(token,), sin=sin), then  # a group that takes another than the newest is no worse
        if w.wrong:
            yield ' (fails)', w._replace(wrong=w.wrong - 1, wronged=w.wronged + 1), None

    def do_newest(self, w, n, vid, c, latest, left=None):
        """the token that was rotated after the current one: its successor carries it on"""
        left = self.others(w, c, (latest, w.V, w.K)) if left is None else left
        if not left:
            yield ' (none is known)', w, None
            return
        for answer, w2 in self.answers(w, w.cred(left[0])):
            then = {'accepted': ('carry', left[0], vid, c, latest), 'rejected': ('newest', vid, c, latest, left[1:]), 'unknown': None}[answer]
            yield f' ({left[0]} {answer})', w2, then
