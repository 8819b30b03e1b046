// A leader of the exhaustive exploration: the real plan and the real steps, run again from the
// start of the pass with the replies received so far, until they ask for something new. So a
// leader's whole state is the list of its replies, kept as a node of a tree that all worlds share:
// what a node asks next is computed once.
//
// Requests whose answer cannot depend on when they are asked (values of versions that exist) are
// answered at once; all others are points at which somebody else may act first. Between two passes
// nothing is remembered but what is in Seen.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/engine/engine.h"
#include "tests/simulation/model_world.h"

namespace keyturn::simulation::model {

struct Request {
  enum class Kind : std::uint8_t {
    Describe,
    Read,
    Put,
    Update,
    Mint,
    Revoke,
    Login,
    List,
    Choose,
    Change,
    Quiet,
    Sync,
    Rollout,
    Remember,
    Look,     // Influx: at one authorization
    Switch,   // Influx: sets it active or inactive, and its mark
    Replace,  // List: by one or two
    End,
  };
  Kind kind = Kind::Describe;
  char label = 0;   // Update: C, P, L or K
  Ver version = 0;  // Read, Put, Mint, Sync; Update: from
  Ver to = 0;       // Update
  Cred token = 0;   // Put, Revoke, Login, Sync; Change: login with
  Cred other_token =
      0;  // Change: to; Replace: the second; Influx, Mint and Switch: which one it replaces
  std::uint8_t others = 0;  // Put; Switch: the flags
  bool baton = false;       // Put: also takes the baton
  bool cleaned_up = false;  // End
  std::uint32_t rows = 0;   // rows of the protocol's table that fired since the pass began, by bit
};
std::string to_string(const Request& request);

class Tree {
 public:
  Tree(Kind kind, const Rules& rules);
  ~Tree();

  struct Entry {
    Node parent = 0;
    std::string reply;  // that led here
    Request next;
    Seen seen{};         // by the last look of the pass
    bool quiet = false;  // the pass began with a look at which the labels had been quiet
  };
  const Entry& entry(Node node) const { return entries_[node]; }
  Node child(Node node, const std::string& reply);
  std::size_t size() const { return entries_.size(); }

 private:
  Request compute(Node node);

  const Kind kind_;
  const Rules rules_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, Node> children_;
  class Run;
};

}  // namespace keyturn::simulation::model
