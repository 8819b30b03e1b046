// List replies cut into objects while they arrive: the same at any chunking, and the same as
// parsing the whole.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/list_scanner.h"

namespace {

using nlohmann::json;

struct Scan {
  std::vector<std::string> items;
  bool ok = false;
  std::string rest;
  friend bool operator==(const Scan&, const Scan&) = default;
};

Scan scan(std::string_view text, std::size_t chunk) {
  keyturn::kube::ListScanner scanner(4096);
  Scan result;
  while (!text.empty()) {
    const auto fed =
        scanner.feed(text.substr(0, chunk), [&](std::string_view item) -> keyturn::Status {
          result.items.emplace_back(item);
          return {};
        });
    if (!fed) return result;
    text.remove_prefix(std::min(chunk, text.size()));
  }
  auto rest = scanner.finish();
  result.ok = rest.ok();
  if (rest) result.rest = *rest;
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Scan whole = scan(text, size);
  if (scan(text, std::size_t{1} + data[0] % 64) != whole) std::abort();
  if (!whole.ok) return 0;
  // What both readings accept they read alike.
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("items") || whole.items.empty()) return 0;
  if (json::parse(whole.rest, nullptr, false).is_discarded()) std::abort();
  for (const std::string& item : whole.items) {
    if (json::parse(item, nullptr, false).is_discarded()) std::abort();
  }
  return 0;
}
