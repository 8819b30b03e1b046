// Templates: the template's length is told by a NUL; behind it the secret's value.
//
// Whatever the bytes: parsing and rendering end, what has no field renders to a text of the
// template alone, and no error shows the value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "controller/rotation/template.h"

using keyturn::SecretString;
using keyturn::engine::Document;
using keyturn::rotation::Template;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// A value that no template holds by chance: it must never be seen in an error.
constexpr std::string_view kMarker = "f2c1a97be0";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = all.find('\0');
  const std::string_view text = all.substr(0, nul);
  const std::string_view value =
      nul == std::string_view::npos ? std::string_view() : all.substr(nul + 1);
  const auto parsed = Template::parse(text);
  if (!parsed) {
    require(parsed.error().code == "BadTemplate" && !parsed.error().message.empty());
    return 0;
  }
  const Document given = Document::parse(SecretString(value));
  const Document marked = Document::parse(SecretString(
      "{\"a\":\"" + std::string(kMarker) + "\",\"b\":[{\"c\":\"" + std::string(kMarker) + "\"}]}"));
  for (const Document* current : {&given, &marked}) {
    for (const Document* previous : {static_cast<const Document*>(nullptr), &marked, &given}) {
      const auto out = parsed->render(*current, previous);
      if (out.ok()) {
        require(out->size() <= (1u << 20));
        if (parsed->fields().empty()) require(out->size() <= text.size());
      } else {
        require(text.find(kMarker) != std::string_view::npos ||
                out.error().message.find(kMarker) == std::string::npos);
      }
    }
  }
  require(!parsed->needs_previous() || !parsed->fields().empty());
  return 0;
}
