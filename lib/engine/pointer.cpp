#include "lib/engine/pointer.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine {
namespace {

std::optional<std::string> unescape(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out += token[i];
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1')) return std::nullopt;
    out += token[i] == '0' ? '~' : '/';
  }
  return out;
}

}  // namespace

Result<Pointer> Pointer::parse(std::string_view text) {
  if (text.empty()) return Pointer({});
  const auto bad = [&](std::string_view remedy) {
    return invalid("BadPointer",
                   "JSON pointer \"" + printable(text) + "\": " + std::string(remedy));
  };
  if (text.front() != '/') return bad("must start with /, as in \"/apiKey\"");
  std::vector<std::string> tokens;
  for (const std::string& raw : split(text.substr(1), '/')) {
    auto token = unescape(raw);
    if (!token) return bad("~ must be written ~0 (and / inside a name ~1)");
    tokens.push_back(std::move(*token));
  }
  return Pointer(std::move(tokens));
}

std::string Pointer::text() const {
  std::string out;
  for (const std::string& token : tokens_) {
    out += '/';
    for (char c : token) {
      if (c == '~') {
        out += "~0";
      } else if (c == '/') {
        out += "~1";
      } else {
        out += c;
      }
    }
  }
  return out;
}

bool Pointer::covers(const Pointer& other) const {
  return tokens_.size() <= other.tokens_.size() &&
         std::equal(tokens_.begin(), tokens_.end(), other.tokens_.begin());
}

std::optional<std::size_t> array_index(std::string_view token) {
  if (token.empty() || token.size() > 9 || (token.size() > 1 && token[0] == '0'))
    return std::nullopt;
  std::size_t index = 0;
  for (char c : token) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

}  // namespace keyturn::engine
