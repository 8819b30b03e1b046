// Cuts a byte stream into lines at '\n', whatever the chunk boundaries (Kubernetes watch framing).
// Complete lines are delivered at once; what is incomplete stays. One buffer, no re-scan of old
// bytes. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::http {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_(max_line_bytes) {}

  // Calls on_line for every line that `chunk` completes (without '\n', a trailing '\r' dropped,
  // empty lines skipped). on_line returning false stops early (rest dropped). A line over the
  // limit: Invalid "LineTooLong".
  Status feed(std::string_view chunk, const std::function<bool(std::string_view)>& on_line);
  // Bytes of an unfinished line; at the end of a stream they mean the last line was cut.
  std::size_t pending() const { return buffer_.size(); }

 private:
  std::size_t max_line_;
  std::string buffer_;
};

}  // namespace keyturn::http
