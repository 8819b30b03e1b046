#include "lib/base/uuid.h"

#include "lib/base/text.h"

namespace keyturn {

namespace {

std::string format(std::array<std::byte, 16> bytes, unsigned version) {
  bytes[6] = (bytes[6] & std::byte{0x0f}) | static_cast<std::byte>(version << 4);
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = hex(bytes);
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

std::string uuid_v4(Rng& rng) {
  std::array<std::byte, 16> bytes;
  rng.fill(bytes);
  return format(bytes, 4);
}

std::string uuid_v8(std::array<std::byte, 16> bytes) { return format(bytes, 8); }

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash_here = i == 8 || i == 13 || i == 18 || i == 23;
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash_here ? c != '-' : !is_hex) return false;
  }
  return true;
}

}  // namespace keyturn
