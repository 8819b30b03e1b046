// The operator's lanes in the exploration among readers: the real writes of targets, the real
// roll-out and the real gate, run again from the start of the pass with the replies received so far
// until they ask for something new. Reading the clock is a request, too: time may pass before it.
// As model_actor.h does for the engine. Thread rule: one thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "tests/simulation/readers_world.h"

namespace keyturn::simulation::readers {

inline constexpr const char* kTarget = "orders";

struct Request {
  enum class Kind : std::uint8_t {
    Look,  // at the policy, its status and the target's annotations, as a watch shows them
    Clock,
    LookAtSecret,
    WriteSecret,
    PublishStatus,
    LookAtWorkload,
    Restart,
    LookAtPods,
    Revoke,
    End,
  };
  Kind kind = Kind::Look;
  std::uint16_t status = 0;   // PublishStatus
  std::uint32_t version = 0;  // WriteSecret, Restart: the resourceVersion that was looked at
};
const char* to_string(Request::Kind kind);

enum class Lane : std::uint8_t { Follower, Gate };

// The workload's resourceVersion: it changes with what is shown of it.
std::uint32_t workload_version(const World& w);
// What a request is answered with.
std::string shown(const World& w, Request::Kind kind);

class Tree {
 public:
  explicit Tree(const Rules& rules);
  const Request& next(Node node, Lane lane) const {
    return node == 0 ? first_ : entries_[static_cast<std::size_t>(lane)][node].next;
  }
  Node child(Node node, Lane lane, const std::string& reply);
  std::size_t size() const { return entries_[0].size() + entries_[1].size(); }

 private:
  struct Entry {
    Node parent = 0;
    std::string reply;  // that led here
    Request next;
  };
  const Rules rules_;
  const Request first_{};
  std::array<std::vector<Entry>, 2> entries_;
  std::array<std::unordered_map<std::string, Node>, 2> children_;
};

}  // namespace keyturn::simulation::readers
