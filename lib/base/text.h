// Small text tools that everything shares.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace keyturn {

std::string_view trim(std::string_view text);                           // ASCII white space
std::vector<std::string> split(std::string_view text, char separator);  // "" gives {""}
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string lower_ascii(std::string_view text);
bool iequals_ascii(std::string_view a, std::string_view b);

std::string hex(std::span<const std::byte> bytes);  // lower case
std::string base64(std::span<const std::byte> bytes);
std::string base64url(std::span<const std::byte> bytes);  // no padding (RFC 4648 §5)
std::string base64(std::string_view bytes);
// Standard alphabet, strict: padded, no white space, no stray bits. Else Invalid "BadBase64".
Result<std::string> base64_decode(std::string_view text);

// RFC 3986: everything but A-Z a-z 0-9 - _ . ~ becomes %XX (upper case).
std::string url_encode(std::string_view text);

// Access-rule globs (design 2.6): `*` any run without '/', `**` any run, everything else literal.
bool glob_match(std::string_view pattern, std::string_view text);

// Valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// For messages: at most `max` bytes of output, cut at a character, control characters (C0, DEL, C1)
// and bytes that are not UTF-8 as \xNN; "…" is put after what was cut.
std::string printable(std::string_view text, std::size_t max = 200);

inline std::span<const std::byte> as_bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace keyturn
