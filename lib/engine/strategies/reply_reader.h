// Reads the members of a backend's JSON reply and remembers the first that does not fit. What is
// absent or null reads as empty; unknown members are ignored. Nothing quotes the reply.
//
// Thread rule: used by one thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "lib/base/result.h"

namespace keyturn::engine {

// Transient "BadReply": perhaps something on the way answered.
Error bad_reply(const std::string& what);

class ReplyReader {
 public:
  // `reply` must outlive this; anything but an object is the first problem.
  explicit ReplyReader(const nlohmann::json& reply);

  std::string text(const char* name);
  const nlohmann::json* list(const char* name);  // null, and a problem, when there is none
  const nlohmann::json* member(const char* name) const;
  void complain(std::string what);
  const std::string& problem() const { return problem_; }

 private:
  const nlohmann::json& json_;
  std::string problem_;
};

}  // namespace keyturn::engine
