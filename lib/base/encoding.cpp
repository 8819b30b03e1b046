// The byte encodings of text.h.
#include <algorithm>
#include <array>
#include <cstdint>

#include "lib/base/text.h"

namespace keyturn {

namespace {

constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode64(std::span<const std::byte> bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < have ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= have) {
        out += alphabet[group >> (18 - 6 * k) & 63u];
      } else if (pad) {
        out += '=';
      }
    }
  }
  return out;
}

constexpr std::array<std::int8_t, 256> make_decode_table() {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    table[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr auto kDecode = make_decode_table();

// Length of the valid UTF-8 character at the start of `text`; 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;  // continuation, overlong, or beyond U+10FFFF
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out += kHexLower[std::to_integer<unsigned>(b) >> 4];
    out += kHexLower[std::to_integer<unsigned>(b) & 15u];
  }
  return out;
}

std::string base64(std::span<const std::byte> bytes) { return encode64(bytes, kBase64, true); }
std::string base64url(std::span<const std::byte> bytes) {
  return encode64(bytes, kBase64Url, false);
}
std::string base64(std::string_view bytes) { return base64(as_bytes_of(bytes)); }

Result<std::string> base64_decode(std::string_view text) {
  const auto bad = [] {  // says nothing about the text: it may be a secret
    return invalid("BadBase64", "not standard base64 with padding and without white space");
  };
  if (text.size() % 4 != 0) return bad();
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t have = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int digit = k < have ? kDecode[static_cast<unsigned char>(text[i + k])] : 0;
      if (digit < 0) return bad();
      group = group << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t k = 0; k < 3; ++k) {
      const auto byte = static_cast<char>(group >> (16 - 8 * k) & 255u);
      if (k + 1 < have) {
        out += byte;
      } else if (byte != 0) {
        return bad();  // bits that no encoder writes
      }
    }
  }
  return out;
}

std::string url_encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += {'%', kHexUpper[byte >> 4], kHexUpper[byte & 15u]};
    }
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool control =
        first < 0x20 || first == 0x7f ||
        (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    std::string piece(text.substr(0, std::max<std::size_t>(length, 1)));
    if (length == 0 || control) {
      std::string escaped;
      for (const char c : piece) {
        const auto byte = static_cast<unsigned char>(c);
        escaped += {'\\', 'x', kHexLower[byte >> 4], kHexLower[byte & 15u]};
      }
      text.remove_prefix(piece.size());
      piece = std::move(escaped);
    } else {
      text.remove_prefix(piece.size());
    }
    if (out.size() + piece.size() > max) return out + "…";
    out += piece;
  }
  return out;
}

}  // namespace keyturn
