#include "lib/http/line_splitter.h"

#include <string>

namespace keyturn::http {

Status LineSplitter::feed(std::string_view chunk,
                          const std::function<bool(std::string_view)>& on_line) {
  while (!chunk.empty()) {
    const std::size_t end = chunk.find('\n');
    const std::string_view piece = chunk.substr(0, end);
    // The limit is on the bytes before '\n', wherever the chunks were cut.
    if (piece.size() > max_line_ - buffer_.size()) {
      buffer_.clear();
      return invalid("LineTooLong",
                     "a line of the stream is longer than " + std::to_string(max_line_) + " bytes");
    }
    if (end == std::string_view::npos) {
      buffer_ += piece;
      return {};
    }
    chunk.remove_prefix(end + 1);
    std::string_view line = piece;  // most lines come whole: handed on without a copy
    if (!buffer_.empty()) {
      buffer_ += piece;
      line = buffer_;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool go_on = line.empty() || on_line(line);
    buffer_.clear();
    if (!go_on) return {};
  }
  return {};
}

}  // namespace keyturn::http
