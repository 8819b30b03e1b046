#include "lib/engine/strategies/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/engine/strategies/generic.h"

namespace keyturn::engine {
namespace {

// What a minted credential adds at most: its fields with their names.
constexpr std::size_t kRoomForCredential = 512;

}  // namespace

SecretString Fields::secret(const char* name) {
  auto json = member(name);
  if (!json) return {};
  if (json->reveal().front() == '"') {
    auto text = document_.get(Pointer::of({name}));
    if (text) return std::move(text).value();
  }
  complain(invalid("BadField", "field " + std::string(name) + " must be a string"));
  return {};
}

std::string Fields::text(const char* name) { return std::string(secret(name).reveal()); }

std::string Fields::required(const char* name, const char* what) {
  std::string value = text(name);
  if (value.empty())
    complain(invalid("MissingField", "field " + std::string(name) + " is missing: " + what));
  return value;
}

std::vector<std::string> Fields::list(const char* name) {
  std::vector<std::string> out;
  const auto json = member(name);
  if (!json) return out;
  const auto parsed = nlohmann::json::parse(json->reveal(), nullptr, false);
  const bool fits = parsed.is_array() && std::all_of(parsed.begin(), parsed.end(),
                                                     [](const auto& e) { return e.is_string(); });
  if (fits) return parsed.get<std::vector<std::string>>();
  complain(invalid("BadField", "field " + std::string(name) + " must be a list of strings"));
  return out;
}

void Fields::complain(Error error) {
  if (!problem_) problem_ = std::move(error);
}

// Its JSON; absent when there is none, or null.
std::optional<SecretString> Fields::member(const char* name) {
  auto json = document_.get_json(Pointer::of({name}));
  if (json && json->reveal() != "null") return std::move(json).value();
  if (!json && json.error().cls != ErrorClass::NotFound) complain(std::move(json).error());
  return std::nullopt;
}

bool fits_a_header(const SecretString& text) {
  const std::string_view all = text.reveal();
  return std::all_of(all.begin(), all.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status check_room(const SecretString& value) {
  if (value.size() + kRoomForCredential <= kMaxValueBytes) return {};
  return invalid("ValueTooLarge",
                 "the secret has " + std::to_string(value.size()) +
                     " bytes; Secrets Manager takes at most " + std::to_string(kMaxValueBytes) +
                     ", and a new token needs room: make the rest of the secret smaller");
}

}  // namespace keyturn::engine
