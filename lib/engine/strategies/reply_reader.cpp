#include "lib/engine/strategies/reply_reader.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace keyturn::engine {

using nlohmann::json;

Error bad_reply(const std::string& what) {
  return make_error(ErrorClass::Transient, "BadReply", "the reply cannot be used: " + what);
}

ReplyReader::ReplyReader(const json& reply) : json_(reply) {
  if (!reply.is_object()) problem_ = "it is not a JSON object";
}

std::string ReplyReader::text(const char* name) {
  const json* value = member(name);
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  complain(std::string(name) + " is not a string");
  return "";
}

const json* ReplyReader::list(const char* name) {
  const json* value = member(name);
  if (value != nullptr && value->is_array()) return value;
  complain(std::string(name) + " is not a list");
  return nullptr;
}

const json* ReplyReader::member(const char* name) const {
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(name);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

void ReplyReader::complain(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
}

}  // namespace keyturn::engine
