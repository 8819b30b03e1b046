// UUIDs in their text form, lower case (RFC 9562). Thread rule: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/rng.h"

namespace keyturn {

std::string uuid_v4(Rng& rng);
// Version 8 (custom): the caller's 16 bytes with version and variant bits set.
std::string uuid_v8(std::array<std::byte, 16> bytes);
bool is_uuid(std::string_view text);

}  // namespace keyturn
