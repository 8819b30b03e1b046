#include "tests/simulation/model_explorer.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <stdexcept>
#include <utility>

#include "tests/simulation/model_influx.h"

namespace keyturn::simulation::model {

namespace {

constexpr int kSettleSteps = 600;
const std::string kNo(1, '\0');
const std::string kYes(1, '\1');
const std::string kUnknown(1, '\2');

std::string bytes(const Seen& seen) { return {reinterpret_cast<const char*>(&seen), sizeof(Seen)}; }
std::string byte(std::uint8_t value) { return std::string(1, static_cast<char>(value)); }

Ver World::*label(char letter) {
  switch (letter) {
    case 'C':
      return &World::current;
    case 'P':
      return &World::pending;
    case 'L':
      return &World::latest;
    default:
      return &World::baton;
  }
}

void drop_pass(World& w, std::size_t n) {
  w.actor[n] = 0;
  w.minted[n] = 0;
}

void looked(World& w, std::size_t n) {
  w.stale = static_cast<std::uint8_t>(w.stale & ~(1u << n));
  w.written = static_cast<std::uint8_t>(w.written & ~(1u << n));
}

std::uint8_t swapped(std::uint8_t bits) {
  return static_cast<std::uint8_t>((bits >> 1 & 1u) | (bits & 1u) << 1);
}

World other_way_round(World w) {
  std::swap(w.actor[0], w.actor[1]);
  std::swap(w.minted[0], w.minted[1]);
  std::swap(w.works[0], w.works[2]);
  std::swap(w.works[1], w.works[3]);
  w.stale = swapped(w.stale);
  w.written = swapped(w.written);
  return w;
}

bool revokes(const Tree& tree, Node node) {
  if (node == 0) return false;
  const Request& r = tree.entry(node).next;
  return r.kind == Request::Kind::Revoke ||
         (r.kind == Request::Kind::Replace && r.other_token == 0);
}

bool writes(const Tree& tree, Node node) {
  return node != 0 && tree.entry(node).next.kind == Request::Kind::Replace;
}

// Influx: what the server shows of an authorization.
std::string shown(const World& w, Cred t) {
  Shown all{.mark = w.mark[t], .replaces = w.replaces[t]};
  all.flags = static_cast<std::uint8_t>((w.accepts(t) ? 1 : 0) | ((w.retiring >> t & 1u) << 1));
  return {reinterpret_cast<const char*>(&all), sizeof all};
}

}  // namespace

// Answers at once what cannot depend on when it is asked, and ends passes.
void Explorer::absorb(World& w, std::size_t n) {
  for (;;) {
    if (w.actor[n] == 0) return;
    const Request& r = tree_.entry(w.actor[n]).next;
    rows_ |= r.rows;
    std::string reply;
    switch (r.kind) {
      case Request::Kind::Read: {
        const Stored* v = w.find(r.version);
        if (v == nullptr) return;
        reply = byte(v->token) + byte(v->others);
        break;
      }
      case Request::Kind::Choose:
        reply = byte(++w.tokens);
        break;
      case Request::Kind::Remember:
        w.works[n * 2] = w.current;
        w.works[n * 2 + 1] = w.latest;
        break;
      case Request::Kind::Rollout:  // pods restart whenever they like; when all else is at rest,
                                    // they do when they are told
        if (settling_) w.pod = w.secret_token;
        break;
      case Request::Kind::End:
        if (r.cleaned_up && w.ending == 1) w.ending = 2;
        drop_pass(w, n);
        return;
      default:
        return;
    }
    w.actor[n] = tree_.child(w.actor[n], reply);
  }
}

void Explorer::answer(World w, std::size_t n, const std::string& reply, const char* how,
                      const std::function<void(const World&, const char*)>& emit) {
  w.actor[n] = tree_.child(w.actor[n], reply);
  absorb(w, n);
  emit(w, how);
}

// The labels have been quiet: what the other leader planned from an older view has landed (an
// earlier branch) or expired.
void Explorer::expire_others(World& w, std::size_t n) {
  const std::size_t other = 1 - n;
  if (w.actor[other] == 0) return;
  const bool stale =
      rules_.undone_changes
          ? ((w.stale >> other) & 1u) != 0
          : !tree_.entry(w.actor[other]).seen.same_labels_and_gate(look(w, kind_, other));
  if (stale) drop_pass(w, other);
}

// A request that cannot succeed any more and ends its pass: its leader is as good as between two
// passes. AWSPENDING never returns to a version, since ids never repeat, and AWSCURRENT only by a
// person's hand.
bool Explorer::in_vain(const World& w, const Request& r, std::size_t n) const {
  if (r.kind == Request::Kind::Sync) return rules_.revision && (w.written >> n & 1u) != 0;
  if (r.kind != Request::Kind::Update || r.version == 0) return false;
  if (r.label == 'P') return w.pending != r.version;
  return r.label == 'C' && w.people == 0 && w.current != r.version;
}

// Every change makes the views of all passes under way stale, the changer's own included. And what
// can make no difference is forgotten.
World Explorer::noticing(const World& before, World after) const {
  const bool changed =
      !look(before, Kind::None, 0).same_labels_and_gate(look(after, Kind::None, 0));
  for (unsigned n = 0; n < 2; ++n) {
    if (changed) after.stale = static_cast<std::uint8_t>(after.stale | 1u << n);
    if (after.actor[n] != 0 && in_vain(after, tree_.entry(after.actor[n]).next, n))
      drop_pass(after, n);
    if (after.actor[n] == 0) looked(after, n);
    if (!after.lives(after.minted[n])) after.minted[n] = 0;
  }
  after.disabled &= after.live;
  after.retiring &= after.live;
  for (Cred t = 1; t <= after.tokens; ++t) {
    if (!after.lives(t)) after.mark[t] = after.replaces[t] = 0;
  }
  after.excused &= after.live;
  return after;
}

void Explorer::execute(const World& before, std::size_t n,
                       const std::function<void(const World&, const char* how)>& emit) {
  const Request r = tree_.entry(before.actor[n]).next;
  World w = before;
  switch (r.kind) {
    case Request::Kind::Describe:
      looked(w, n);
      return answer(w, n, bytes(look(w, kind_, n)), "", emit);
    case Request::Kind::Read:
      return answer(w, n, kNo, " (not there)", emit);
    case Request::Kind::Put: {
      if (const Stored* there = w.find(r.version)) {
        const bool same = there->token == r.token && there->others == r.others;
        return answer(w, n, same ? kYes : kNo, same ? " (already there)" : " (taken)", emit);
      }
      w.add(r.version, r.token, r.others);
      w.pending = w.latest = r.version;
      if (r.baton) w.baton = r.version;
      w.attempts++;
      w.rollback_of = 0;
      if (w.minted[n] == r.token) w.minted[n] = 0;
      return answer(w, n, kYes, "", emit);
    }
    case Request::Kind::Update: {
      Ver& held = w.*label(r.label);
      const bool as_expected = r.version == 0 ? held == 0 || held == r.to : held == r.version;
      const bool forced = r.label == 'K' && !rules_.baton_cas;
      if (!as_expected && !forced) return answer(w, n, kNo, " (lost the race)", emit);
      if (r.label == 'C') {
        w.move_current(r.to);
        w.finished++;
        if (w.ending == 1 && !two_credentials(kind_)) w.ending = 2;
      } else {
        held = r.to;
      }
      return answer(w, n, kYes, "", emit);
    }
    case Request::Kind::Mint: {
      const Cred token = ++w.tokens;
      w.live |= 1u << token;
      w.mark[token] = r.version;
      w.replaces[token] = r.other_token;
      w.minted[n] = token;
      return answer(w, n, byte(token), "", emit);
    }
    case Request::Kind::Revoke:
      w.live &= ~(1u << r.token);
      return answer(w, n, "", "", emit);
    case Request::Kind::Look:
      return answer(w, n, w.lives(r.token) ? shown(w, r.token) : "", "", emit);
    case Request::Kind::Switch: {
      if (!w.lives(r.token)) return answer(w, n, kNo, " (not there)", emit);
      const auto put = [&](std::uint32_t& bits, bool on) {
        bits = on ? bits | 1u << r.token : bits & ~(1u << r.token);
      };
      put(w.disabled, (r.others & 1) == 0);
      put(w.retiring, (r.others & 2) != 0);
      w.mark[r.token] = r.version;
      w.replaces[r.token] = r.other_token;
      return answer(w, n, kYes, "", emit);
    }
    case Request::Kind::Login: {
      const bool accepted = w.accepts(r.token);
      answer(w, n, accepted ? kYes : kNo, accepted ? " (accepted)" : " (rejected)", emit);
      if (accepted && w.wrong > 0) {
        w.wrong--;
        w.wronged++;
        answer(w, n, kNo, " (wrongly rejected)", emit);
        if (kind_ == Kind::ForwardOnly) answer(w, n, kUnknown, " (no answer)", emit);
      }
      return;
    }
    case Request::Kind::List: {
      std::string reply;
      for (Cred t = 1; t <= w.tokens; ++t) {
        const bool listed = w.lives(t) && (kind_ == Kind::Influx || w.mark[t] != 0);
        if (!listed) continue;
        const bool busy = w.minted[0] == t || w.minted[1] == t;
        if (kind_ == Kind::Influx) {
          reply += byte(t) + byte(busy ? 1 : 0) + shown(w, t);
          continue;
        }
        reply += byte(t) + std::string(reinterpret_cast<const char*>(&w.mark[t]), sizeof(Ver)) +
                 byte(busy ? 1 : 0);
      }
      return answer(w, n, reply, "", emit);
    }
    case Request::Kind::Change:
      if (!w.accepts(r.token)) return answer(w, n, kNo, " (not let in)", emit);
      w.live = 1u << r.other_token;
      return answer(w, n, kYes, "", emit);
    case Request::Kind::Replace:
      w.live = 1u << r.token;
      if (r.other_token != 0) w.live |= 1u << r.other_token;
      return answer(w, n, "", "", emit);
    case Request::Kind::Quiet: {
      // Time passes; the leader looks again, now after quiet.
      expire_others(w, n);
      drop_pass(w, n);
      looked(w, n);
      Seen seen = look(w, kind_, n);
      seen.quiet = 1;
      return answer(w, n, bytes(seen), "", emit);
    }
    case Request::Kind::Sync:
      if ((w.written >> n & 1u) != 0 && rules_.revision)
        return answer(w, n, "", " (somebody else wrote it)", emit);
      w.secret_version = r.version;
      w.secret_token = r.token;
      w.written = 3;
      return answer(w, n, "", "", emit);
    case Request::Kind::Rollout:
    case Request::Kind::Choose:
    case Request::Kind::Remember:
    case Request::Kind::End:
      return;  // absorbed
  }
}

// The two leaders are alike: of two worlds that differ only in who is who, one is enough.
World Explorer::canonical(World w) { return w.actor[0] < w.actor[1] ? other_way_round(w) : w; }

void Explorer::successors(const World& w, const Emit& tell) {
  const auto emit = [&](const std::string& name, const World& next) {
    tell(name, canonical(noticing(w, next)));
  };
  for (std::size_t n = 0; n < 2; ++n) {
    std::string who, what;
    if (naming_) {
      who = w.actor[n] == 0 ? "a leader " : "leader #" + std::to_string(w.actor[n]) + " ";
      what = who + to_string(tree_.entry(w.actor[n]).next);
    }
    execute(w, n,
            [&](const World& next, const char* how) { emit(naming_ ? what + how : what, next); });
    if (w.crashes > 0 &&
        (w.actor[n] != 0 || w.works[n * 2] != 0)) {  // after its last request, before its next
      World dead = w;
      dead.crashes--;
      drop_pass(dead, n);
      dead.works[n * 2] = dead.works[n * 2 + 1] = 0;
      emit(naming_ ? who + "dies" : who, dead);
    }
  }
  people(w, kind_, revokes(tree_, w.actor[0]) || revokes(tree_, w.actor[1]),
         writes(tree_, w.actor[0]) || writes(tree_, w.actor[1]),
         [&](const char* name, const World& next) { emit(naming_ ? name : std::string(), next); });
  if (w.pod != w.secret_token) {
    World n = w;
    n.pod = n.secret_token;
    emit("the pod restarts", n);
  }
}

// No more faults: one leader alone, to the end.
std::string Explorer::settle_alone(World w, std::vector<std::string>* told) {
  w.crashes = w.people = w.wrong = 0;
  drop_pass(w, 1);
  looked(w, 1);
  w.works[2] = w.works[3] = 0;
  if (w.pending != w.current && version_name(w.pending).starts_with("person-")) {
    World finished = w;  // somebody else's rotation ends
    finished.pending = 0;
    w = noticing(w, finished);
  }
  std::vector<std::uint64_t> path;
  for (int step = 0; step < kSettleSteps; ++step) {
    const std::uint64_t hash = WorldHash()(w);
    if (settled_.contains(hash)) {
      for (const std::uint64_t each : path) settled_.insert(each);
      return {};
    }
    path.push_back(hash);
    World next = w;
    bool first = true;
    const Request asked = tree_.entry(w.actor[0]).next;
    execute(w, 0, [&](const World& n, const char* how) {
      if (!std::exchange(first, false)) return;
      next = noticing(w, n);
      if (told != nullptr && step < 60) told->push_back("  then alone " + to_string(asked) + how);
    });
    if (std::string wrong = check_always(next, kind_); !wrong.empty()) return wrong;
    if (next == w || next.ending == 2) {
      if (next.ending == 0) {
        next.ending = 1;
      } else if (next.ending == 1 || next == w) {
        const bool foreign = next.stray_pending != 0 && next.pending != 0 &&
                             next.pending != next.current;  // a person has to say
        if (next.ending == 1 && !foreign) return "I3: does not come to its end";
        if (std::string wrong = check_at_rest(next, kind_); !wrong.empty()) return wrong;
        for (const std::uint64_t each : path) settled_.insert(each);
        return {};
      }
    }
    w = next;
  }
  return "never settles";
}

std::string Explorer::settle(const World& from, std::vector<std::string>* told) {
  settling_ = true;
  std::string wrong = settle_alone(from, told);
  const bool alike = from.actor[1] == from.actor[0] && from.minted[1] == from.minted[0];
  if (wrong.empty() && !alike) {
    if (told != nullptr) told->clear();
    wrong = settle_alone(other_way_round(from), told);
  }
  settling_ = false;
  return wrong;
}

void Explorer::grow() {
  table_.assign(std::max<std::size_t>(1 << 16, table_.size() * 2), 0);
  for (std::size_t i = 0; i < worlds_.size(); ++i) {
    std::size_t at = WorldHash()(worlds_[i]) & (table_.size() - 1);
    while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

std::size_t Explorer::intern(const World& w, std::uint32_t parent, bool& fresh) {
  if (worlds_.size() * 2 >= table_.size()) grow();
  std::size_t at = WorldHash()(w) & (table_.size() - 1);
  for (; table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
    if (worlds_[table_[at] - 1] == w) {
      fresh = false;
      return table_[at] - 1;
    }
  }
  fresh = true;
  worlds_.push_back(w);
  parents_.push_back(parent);
  table_[at] = static_cast<std::uint32_t>(worlds_.size());
  return worlds_.size() - 1;
}

std::vector<std::string> Explorer::trace(std::size_t state) {
  std::vector<std::string> lines;
  naming_ = true;
  for (; state != 0; state = parents_[state]) {
    std::string how = "?";
    const World child = worlds_[state];
    successors(worlds_[parents_[state]], [&](const std::string& name, const World& next) {
      if (next == child && how == "?") how = name;
    });
    lines.insert(lines.begin(), how);
  }
  naming_ = false;
  return lines;
}

Outcome Explorer::explore(std::size_t limit, bool stop_at_first) {
  Outcome out;
  std::set<std::string> kinds;
  bool fresh = false;
  intern(first_world(kind_, budgets_.crashes, budgets_.people, budgets_.wrong, budgets_.rotations),
         0, fresh);
  for (std::size_t at = 0; at < worlds_.size(); ++at) {
    const World w = worlds_[at];
    try {
      std::string wrong = check_always(w, kind_);
      if (wrong.empty()) wrong = settle(w, nullptr);
      if (wrong.empty()) {
        successors(w, [&](const std::string&, const World& next) {
          intern(next, static_cast<std::uint32_t>(at), fresh);
        });
      } else if (kinds.insert(wrong).second) {
        out.violations.push_back(tell(wrong, at));
      }
    } catch (const std::runtime_error& stuck) {
      if (kinds.insert(stuck.what()).second) out.violations.push_back({stuck.what(), trace(at)});
    }
    if (stop_at_first && !out.violations.empty()) break;
    if (worlds_.size() > limit) {
      out.exhaustive = false;
      break;
    }
  }
  out.states = worlds_.size();
  out.local_states = tree_.size();
  out.rows = rows_;
  return out;
}

Violation Explorer::tell(const std::string& wrong, std::size_t state) {
  Violation found{wrong, trace(state)};
  const World& w = worlds_[state];
  std::vector<std::string> ending;
  if (check_always(w, kind_).empty()) (void)settle(w, &ending);
  found.trace.insert(found.trace.end(), ending.begin(), ending.end());
  return found;
}

}  // namespace keyturn::simulation::model
