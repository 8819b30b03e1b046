// The world of the exhaustive exploration: one secret, its backend, one target and one pod, two
// leaders, and budgets for crashes, wrong answers and people. A value type without padding, so that
// it can be hashed and compared as bytes.
//
// A leader's local state is a node of the replay tree (model_actor.h): the replies that its pass
// has received so far.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

namespace keyturn::simulation::model {

using Ver = std::uint16_t;   // a version's number in the registry of names; 0: none
using Cred = std::uint8_t;   // a credential, numbered as they come to life; 0: none
using Node = std::uint32_t;  // of the replay tree; 0: between two passes

// Influx: as Minting, with the real influxdbToken strategy. List: at most two credentials, and
// every write replaces all of them.
enum class Kind : std::uint8_t { Minting, ForwardOnly, None, Influx, List };
inline bool two_credentials(Kind kind) {
  return kind == Kind::Minting || kind == Kind::Influx || kind == Kind::List;
}

struct Stored {
  Ver id = 0;
  Cred token = 0;
  std::uint8_t others = 0;  // the value's other fields
};

struct World {
  static constexpr std::size_t kVersions = 10;
  static constexpr std::size_t kTokens = 16;

  std::array<Stored, kVersions> versions{};
  std::array<Ver, kTokens> mark{};       // for which version a credential was minted
  std::array<Cred, kTokens> replaces{};  // Influx: which credential it was minted to replace
  std::array<Node, 2> actor{};
  std::uint32_t live = 0;      // credentials that are there, by bit
  std::uint32_t disabled = 0;  // and those of them that are set inactive
  std::uint32_t retiring = 0;  // Influx: with our word for that
  std::uint32_t excused = 0;   // credentials that a person took over: reported, not revoked
  Ver current = 0, previous = 0, pending = 0, latest = 0, baton = 0;
  Ver secret_version = 0;        // the target's annotation
  Ver rollback_of = 0;           // a person asked to roll back while this version is current
  std::array<Ver, 4> works{};    // forward only, per leader: C and L of which it knows that C works
  std::array<Cred, 2> minted{};  // by a pass that is still busy with it
  Cred secret_token = 0, pod = 0;
  std::uint8_t written = 0;  // leaders, by bit, since whose last look the target was written: the
                             // resourceVersion they know is old
  std::uint8_t tokens = 0;
  std::uint8_t others = 0;  // what the current version's other fields must be: a person's last word
  std::uint8_t crashes = 0, people = 0, wrong = 0, rotations = 0;  // budgets
  std::uint8_t attempts = 0, finished = 0;
  std::uint8_t ending = 0;   // settling: 1 the last clean-up (or, forward only, a last rotation) is
                             // asked for, 2 it was done
  std::uint8_t edits = 0;    // names for what people put
  std::uint8_t wronged = 0;  // wrong answers given so far
  std::uint8_t stale = 0;  // leaders, by bit, since whose last look a label or the gate has changed
  // A person put a pending version of their own, or took KEYTURN_LATEST away, so that ours may look
  // like somebody else's: a person has to say what becomes of it.
  std::uint8_t stray_pending = 0;

  friend bool operator==(const World& a, const World& b) {
    return std::memcmp(&a, &b, sizeof(World)) == 0;
  }

  const Stored* find(Ver id) const {
    for (const Stored& v : versions) {
      if (id != 0 && v.id == id) return &v;
    }
    return nullptr;
  }
  Cred token(Ver id) const {
    const Stored* v = find(id);
    return v == nullptr ? Cred{0} : v->token;
  }
  bool lives(Cred t) const { return t != 0 && ((live >> t) & 1u) != 0; }
  bool accepts(Cred t) const { return lives(t) && ((disabled >> t) & 1u) == 0; }
  bool consumed() const {
    return secret_version == current && secret_token == token(current) && pod == secret_token;
  }
  void add(Ver id, Cred t, std::uint8_t other_fields);
  void move_current(Ver to) {
    if (to == current) return;
    previous = current;
    current = to;
  }
};
static_assert(std::has_unique_object_representations_v<World>);

struct WorldHash {
  std::size_t operator()(const World& w) const;
};

// Names of versions, for all worlds. "" is 0.
Ver version_number(const std::string& name);
const std::string& version_name(Ver number);

// What one look at the world shows a leader. What only matters as a yes or no is one, so that
// leaders who know the same are the same.
struct Seen {
  Ver current, previous, pending, latest, baton;
  std::uint8_t synced, rolled_out;
  std::uint8_t due, rollback, clean_up, works, quiet, unused;

  // What quiet watches; the real one sees a change that was undone by LastChangedDate, the world by
  // World::stale.
  bool same_labels_and_gate(const Seen& o) const {
    return current == o.current && previous == o.previous && pending == o.pending &&
           latest == o.latest && baton == o.baton && synced == o.synced &&
           rolled_out == o.rolled_out;
  }
};
static_assert(std::has_unique_object_representations_v<Seen>);
Seen look(const World& w, Kind kind, std::size_t actor);

// The rules of which each can be taken away to see the exploration find what it is for.
struct Rules {
  bool quiet = true;                  // before revocations and before a forward-only set
  bool quiet_before_rollback = true;  // before a rollback's test
  bool undone_changes = true;         // quiet sees a change that was undone
  bool pending_first = true;  // AWSPENDING is dropped before AWSCURRENT moves (forward only: after)
  bool was_current = true;    // a version that was current is not revoked as an attempt
  bool chained_ids = true;
  bool compares = true;
  bool only_minted = true;
  bool base = true;
  bool leftovers = true;
  bool gate = true;
  bool asks_backend = true;
  bool restores = true;              // what was disabled is given back before a label is dropped
  bool quiet_before_release = true;  // and nothing is on its way then that disables it again
  bool equal_first = true;           // and not only after the gate
  // Second lines: the exploration does not miss them one at a time; each has a test of its own.
  bool confirm = true, retest = true, baton_cas = true, revision = true;
};

// "" or what is wrong in this world, now or when it has come to rest.
std::string check_always(const World& w, Kind kind);
std::string check_at_rest(const World& w, Kind kind);

// What a person may do here; `emit(name, world)` for each. `write_under_way`: List's, of any kind.
void people(const World& w, Kind kind, bool revocation_under_way, bool write_under_way,
            const std::function<void(const char*, const World&)>& emit);

World first_world(Kind kind, std::uint8_t crashes, std::uint8_t people, std::uint8_t wrong,
                  std::uint8_t rotations);

}  // namespace keyturn::simulation::model
