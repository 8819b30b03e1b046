#include "lib/base/text.h"

#include <algorithm>

namespace keyturn {

namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool iequals_ascii(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool glob_match(std::string_view pattern, std::string_view text) {
  // reach[i]: the pattern read so far can match text[0, i). One pass per pattern element, so the
  // cost is |pattern|·|text| whatever the number of stars.
  std::vector<char> reach(text.size() + 1, 0);
  reach[0] = 1;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] != '*') {
      for (std::size_t i = text.size(); i > 0; --i) {
        reach[i] = static_cast<char>(reach[i - 1] != 0 && text[i - 1] == pattern[p]);
      }
      reach[0] = 0;
      continue;
    }
    const bool crosses = p + 1 < pattern.size() && pattern[p + 1] == '*';
    if (crosses) ++p;
    for (std::size_t i = 1; i <= text.size(); ++i) {
      if (reach[i - 1] != 0 && (crosses || text[i - 1] != '/')) reach[i] = 1;
    }
  }
  return reach[text.size()] != 0;
}

}  // namespace keyturn
