// The stream of a watch: cut at any boundary it gives the same lines, and any line is an event or
// an error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/status.h"
#include "controller/kube/watch_event.h"
#include "lib/http/line_splitter.h"

namespace {

constexpr std::size_t kMaxLine = 4096;

// The lines, and "!" at the end if a line was too long.
std::vector<std::string> lines_of(std::string_view text, std::size_t chunk) {
  keyturn::http::LineSplitter splitter(kMaxLine);
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto fed = splitter.feed(text.substr(0, chunk), [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    if (!fed) {
      lines.emplace_back("!");
      break;
    }
    text.remove_prefix(std::min(chunk, text.size()));
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using keyturn::kube::WatchEvent;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = lines_of(text, size);
  if (lines_of(text, std::size_t{1} + data[0] % 64) != whole) std::abort();
  for (const std::string& line : whole) {
    const auto event = keyturn::kube::decode_watch_event(line);
    if (!event) continue;
    const bool named = event->type == WatchEvent::Type::Added ||
                       event->type == WatchEvent::Type::Modified ||
                       event->type == WatchEvent::Type::Deleted;
    if (named == event->identity.key.empty()) std::abort();
    if (event->type == WatchEvent::Type::Error &&
        keyturn::kube::error_from_status(event->object).code.empty()) {
      std::abort();
    }
  }
  return 0;
}
