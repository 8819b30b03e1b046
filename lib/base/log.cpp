#include "lib/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::log {

namespace {

struct State {
  std::atomic<Level> level{Level::Info};
  std::atomic<bool> text{::isatty(STDERR_FILENO) == 1};
  std::mutex mutex;  // one line at a time; guards sink
  Sink sink;
};

// Never destroyed: threads may still log while the process ends.
State& state() {
  static State* const kState = new State;
  return *kState;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warn:
      return "warn";
    case Level::Error:
      return "error";
  }
  return "error";
}

void append_json(std::string& line, std::string_view name, std::string_view value) {
  using nlohmann::json;
  const auto quoted = [](std::string_view text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  };
  line += line.empty() ? '{' : ',';
  line.append(quoted(name)).append(":").append(quoted(value));
}

std::string json_line(Level level, std::string_view message, Fields fields) {
  std::string line;
  append_json(line, "time", format_rfc3339_micro(SystemClock().now()));
  append_json(line, "level", name_of(level));
  append_json(line, "msg", message);
  for (const Field& f : fields) append_json(line, f.name, f.value);
  return line + '}';
}

std::string text_line(Level level, std::string_view message, Fields fields) {
  constexpr std::size_t kLongest = 4096;  // people read this; the JSON form cuts nothing
  std::string line = format_rfc3339(SystemClock().now());
  std::string padded(name_of(level));
  padded.resize(6, ' ');
  line.append(" ").append(padded);
  line += printable(message, kLongest);
  for (const Field& f : fields) {
    const std::string value = printable(f.value, kLongest);
    const bool quote = value.empty() || value.find_first_of(" \"=") != std::string::npos;
    line.append("  ").append(f.name).append("=");
    line.append(quote ? "\"" + value + "\"" : value);
  }
  return line;
}

void write_all(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nowhere left to say it
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void configure(Level level, Format format) {
  State& s = state();
  s.level = level;
  s.text = format == Format::Text || (format == Format::Auto && ::isatty(STDERR_FILENO) == 1);
}

void set_sink(Sink sink) {
  State& s = state();
  const std::lock_guard<std::mutex> guard(s.mutex);
  s.sink = std::move(sink);
}

bool enabled(Level level) { return level >= state().level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  State& s = state();
  std::string line = s.text ? text_line(level, message, fields) : json_line(level, message, fields);
  const std::lock_guard<std::mutex> guard(s.mutex);
  if (s.sink) {
    s.sink(line);
    return;
  }
  line += '\n';
  write_all(line);
}

}  // namespace keyturn::log
