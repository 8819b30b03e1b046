// Secrets inside JSON, without leaving copies in a JSON library's buffers.
//
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::aws {

// Cuts the string value of a top-level member out of a JSON object: in `json` its bytes become
// blanks, so that the rest can be parsed as usual. nullopt: no such member, or its value is no
// string (null…). Of several members of that name the last counts, as in most parsers; all are
// blanked. Transient "BadReply": not an object, or not a valid string; only what is needed here is
// judged, the parser that follows checks the rest. An error never quotes the text.
Result<std::optional<SecretString>> cut_string_member(std::string& json, std::string_view name);

// Appends text as a JSON string, quotes included. Precondition: valid UTF-8.
void append_json_string(std::string& out, std::string_view text);
// Room that append_json_string needs at most, so that a buffer need not grow (and leave copies)
// under way.
std::size_t json_string_room(std::string_view text);

}  // namespace keyturn::aws
