// The secret's value: pointer, newline, new value, newline, document.
//
// Whatever the bytes: the scanner agrees with nlohmann::json about what is an object; a field that
// was replaced reads back; and the bytes before and behind it are those of the original.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/engine/document.h"

using keyturn::SecretString;
using keyturn::engine::Document;
using keyturn::engine::Pointer;

namespace {

std::string_view cut_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

void require(bool holds) {
  if (!holds) std::abort();
}

// A member of any name goes in, and nothing else changes.
void check_member(std::string_view text, const Document& document, const SecretString& value) {
  const std::string name(text.substr(0, 3));
  const auto next = document.with_member(name, value);
  if (!next) return;
  require(next->get(Pointer::of({name}))->reveal() == value.reveal());
  require(Document::parse(SecretString(next->text().reveal())).is_object());
  const auto keys = document.keys(), after = next->keys();
  require(after.size() >= keys.size() && after.size() <= keys.size() + 1);
  require(std::equal(keys.begin(), keys.end(), after.begin()));
}

void check_grammar(std::string_view text, const Document& document) {
  const auto other = nlohmann::json::parse(text, nullptr, false);
  if (document.is_object()) {
    require(document.why_bare().empty());
    // The other parser refuses numbers that no double holds.
    const bool huge = text.find_first_of("eE") != std::string_view::npos || text.size() > 300;
    require(other.is_object() || huge);
    if (!other.is_object()) return;
    for (const auto& [key, unused] : other.items()) {
      const auto keys = document.keys();
      require(std::find(keys.begin(), keys.end(), key) != keys.end());
    }
  } else {
    require(document.keys().empty() && !document.why_bare().empty());
    // It takes any depth, a byte order mark, and NUL for the end.
    const bool deep = std::string_view(document.why_bare()).ends_with("nested too deeply");
    require(!other.is_object() || deep || text.starts_with("\xEF\xBB\xBF") ||
            text.find('\0') != std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto pointer = Pointer::parse(cut_line(rest));
  const SecretString value(cut_line(rest));
  const Document document = Document::parse(SecretString(rest));
  require(document.text().reveal() == rest);
  check_grammar(rest, document);
  check_member(rest, document, value);
  if (!pointer) return 0;
  require(*Pointer::parse(pointer->text()) == *pointer);

  const auto before = document.get_json(*pointer);
  const auto next = document.with_string(*pointer, value);
  if (!next) return 0;
  require(before.ok() && next->get(*pointer)->reveal() == value.reveal());
  const std::string_view after = next->text().reveal();
  const std::size_t new_size = next->get_json(*pointer)->size();
  require(after.size() - new_size == rest.size() - before->size());
  // Undoing the replacement gives the original, byte for byte.
  require(next->with_copy(*pointer, document)->text().reveal() == rest);
  require(Document::parse(SecretString(after)).is_object());
  return 0;
}
