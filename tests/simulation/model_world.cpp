#include "tests/simulation/model_world.h"

#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/engine/labels.h"
#include "tests/simulation/model_actor.h"

namespace keyturn::simulation::model {

namespace {

struct Registry {
  std::vector<std::string> names{""};
  std::unordered_map<std::string, Ver> numbers{{"", 0}};
};
Registry& registry() {
  static Registry all;
  return all;
}

}  // namespace

Ver version_number(const std::string& name) {
  Registry& all = registry();
  const auto [at, fresh] = all.numbers.try_emplace(name, static_cast<Ver>(all.names.size()));
  if (fresh) all.names.push_back(name);
  return at->second;
}

const std::string& version_name(Ver number) { return registry().names[number]; }

void World::add(Ver id, Cred t, std::uint8_t other_fields) {
  for (Stored& v : versions) {
    if (v.id != 0) continue;
    v = {id, t, other_fields};
    return;
  }
  throw std::length_error("the model world has room for fewer versions");
}

std::size_t WorldHash::operator()(const World& w) const {
  const auto* words = reinterpret_cast<const unsigned char*>(&w);
  std::uint64_t h = 0x9e3779b97f4a7c15u;
  for (std::size_t i = 0; i < sizeof(World); i += 4) {
    std::uint32_t word;
    std::memcpy(&word, words + i, 4);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return h;
}
static_assert(sizeof(World) % 4 == 0);

Seen look(const World& w, Kind kind, std::size_t actor) {
  const bool may_start = w.finished < w.rotations && w.attempts < w.rotations + 2;
  Seen s{};
  s.current = w.current;
  s.previous = w.previous;
  s.pending = w.pending;
  s.latest = w.latest;
  s.baton = w.baton;
  s.synced = w.secret_version == w.current;
  s.rolled_out = w.pod == w.token(w.current);
  const bool at_rest =
      w.baton == 0 && (w.pending == 0 || w.pending == w.current);  // else nothing starts
  s.due = at_rest && (may_start || (!two_credentials(kind) && w.ending == 1));
  s.rollback = w.rollback_of != 0 && w.rollback_of == w.current && w.baton != 0 &&
               w.baton != w.current;  // else it was refused
  s.clean_up = two_credentials(kind) && w.ending == 1;
  s.works = kind == Kind::ForwardOnly && w.works[actor * 2] == w.current &&
            w.works[actor * 2 + 1] == w.latest;
  return s;
}

std::string check_always(const World& w, Kind kind) {
  if (kind == Kind::None) return {};
  if (two_credentials(kind)) {
    if (!w.accepts(w.secret_token)) return "I1: the Secret's credential is dead";
    if (!w.accepts(w.pod)) return "I1: the pod's credential is dead";
  }
  const bool resting = w.baton == 0 && (w.pending == 0 || w.pending == w.current);
  if (kind == Kind::ForwardOnly && resting && w.edits == 0 && !w.accepts(w.token(w.current))) {
    return "I3: given up although the backend holds the new password alone";
  }
  bool held = w.accepts(w.token(w.current)) || w.accepts(w.token(w.pending)) ||
              w.accepts(w.token(w.previous));
  if (kind == Kind::ForwardOnly) held = held || w.accepts(w.token(w.latest));
  return held ? "" : "I2: no labelled version holds a working credential";
}

std::string check_at_rest(const World& w, Kind kind) {
  if (kind != Kind::None && !w.accepts(w.token(w.current))) return "I3: AWSCURRENT does not work";
  if (!w.consumed()) return "I3: the target or the pod does not hold AWSCURRENT";
  if (w.baton != 0) return "I3: the baton is left";
  if (w.pending != 0 && w.pending != w.current && w.stray_pending == 0)
    return "I3: AWSPENDING is left";
  const Stored* current = w.find(w.current);
  if (current->others != w.others) return "a person's edit of another field is lost";
  const int due = w.rotations + (!two_credentials(kind) && w.ending == 2 ? 1 : 0);
  if (w.edits == 0 && w.wronged == 0 && w.finished != due)
    return "I4: a due rotation did not happen exactly once";
  if (!two_credentials(kind)) return {};
  for (Cred t = 1; t <= w.tokens; ++t) {
    const bool ours = w.lives(t) && t != w.token(w.current) && ((w.excused >> t) & 1u) == 0;
    if (ours) return "I3: a credential is left over";
  }
  return {};
}

namespace {

// A person took over: what stood is reported, not revoked.
World taken_over(const World& w) {
  World n = w;
  n.people--;
  n.excused |= 1u << w.token(w.current);
  if (w.previous != 0) n.excused |= 1u << w.token(w.previous);
  return n;
}

World saved(const World& w, Cred token, std::uint8_t others) {
  World n = taken_over(w);
  n.edits++;
  const Ver id = version_number("person-" + std::to_string(n.edits));
  n.add(id, token, others);
  n.others = others;
  n.move_current(id);
  return n;
}

}  // namespace

void people(const World& w, Kind kind, bool revocation_under_way, bool write_under_way,
            const std::function<void(const char*, const World&)>& emit) {
  if (w.people == 0) return;
  // Between our last look and a revocation only a commanded rollback is safe (docs/protocol.md).
  const bool back_is_safe = !revocation_under_way && w.previous != 0;
  // Influx: also what is disabled and not deleted yet, for a leader may die in between.
  const auto may_return = [&](Ver id) {
    return kind == Kind::Influx ? w.lives(w.token(id)) : w.accepts(w.token(id));
  };
  if (back_is_safe && (!two_credentials(kind) || may_return(w.previous))) {
    World n = taken_over(w);
    n.others = w.find(w.previous)->others;
    n.move_current(w.previous);
    n.edits++;
    emit("a person moves AWSCURRENT back by hand", n);
  }
  if (!revocation_under_way && w.pending != 0 && w.pending != w.current && may_return(w.pending)) {
    World n = taken_over(w);
    n.others = w.find(w.pending)->others;
    n.excused |= 1u << w.token(w.pending);
    n.move_current(w.pending);
    n.edits++;
    emit("a person moves AWSCURRENT to the pending version by hand", n);
  }
  if (kind == Kind::Influx && back_is_safe && may_return(w.previous)) {
    emit("a person saves the previous credential again", saved(w, w.token(w.previous), w.others));
  }
  emit("a person edits another field",
       saved(w, w.token(w.current), static_cast<std::uint8_t>(w.edits + 1)));
  // Who replaces a list keeps what is in use; while a write of ours is on its way, or with more in
  // use than the list holds, nothing is promised.
  const bool list = kind == Kind::List;
  if (!list || (w.consumed() && !write_under_way)) {
    const Cred fresh = static_cast<Cred>(w.tokens + 1);
    World n = saved(w, fresh, w.others);
    n.tokens = fresh;
    n.live = kind == Kind::ForwardOnly ? 1u << fresh : n.live | 1u << fresh;
    if (list) n.live = 1u << fresh | 1u << w.token(w.current);
    n.excused |= 1u << fresh;
    emit("a person saves a credential of their own", n);
  }
  const auto drop = [&](const char* name, Ver World::*label, bool takes_over) {
    if (w.*label == 0) return;
    World n = takes_over ? taken_over(w) : w;
    if (!takes_over) n.people--;
    n.*label = 0;
    n.edits++;
    if (label == &World::latest) n.stray_pending = 1;
    emit(name, n);
  };
  drop("a person drops AWSPENDING", &World::pending, false);
  drop("a person drops the baton", &World::baton, true);
  drop("a person drops KEYTURN_LATEST", &World::latest, false);
  {
    World n = w;  // somebody else's rotation: its value is nothing to us
    n.people--;
    n.edits++;
    const Ver id = version_number("person-" + std::to_string(n.edits));
    n.tokens++;
    n.add(id, n.tokens, w.others);
    n.pending = id;
    n.stray_pending = 1;
    emit("a person puts a pending version of their own", n);
  }
  const bool retiring = w.baton != 0 && w.baton != w.current && w.baton != w.latest;
  if (two_credentials(kind) && retiring && w.current == w.latest &&
      (w.pending == 0 || w.pending == w.current) && w.rollback_of != w.current) {
    World n = w;
    n.people--;
    n.rollback_of = w.current;
    n.edits++;
    emit("a person asks to roll back", n);
  }
}

World first_world(Kind kind, std::uint8_t crashes, std::uint8_t people, std::uint8_t wrong,
                  std::uint8_t rotations) {
  World w;
  const Ver v0 = version_number("first");
  w.tokens = 1;
  w.add(v0, 1, 0);
  w.current = w.secret_version = v0;
  w.live = 1u << 1;
  w.secret_token = w.pod = 1;
  w.crashes = crashes;
  w.people = people;
  w.wrong = wrong;
  w.rotations = rotations;
  (void)kind;
  return w;
}

}  // namespace keyturn::simulation::model
