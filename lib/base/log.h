// Structured logs: one JSON object a line on stderr, or readable text on a terminal.
//
//   log::info("secret rotated", {{"namespace", ns}, {"policy", name}, {"versionId", id}});
//
// Keys of a line: time, level, msg, then the fields in their order. Fields are strings; names are
// lowerCamelCase (namespace, policy, secretArn, versionId, step, error…). No SecretString converts
// to a Field. Bytes that are not UTF-8 are replaced; control characters never reach a terminal.
// Thread rule: any thread; lines never interleave.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace keyturn::log {

enum class Level { Debug, Info, Warn, Error };
enum class Format { Json, Text, Auto };  // Auto: text when stderr is a terminal

struct Field {
  std::string_view name;
  std::string value;
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(v) {}
  Field(std::string_view n, const std::string& v) : name(n), value(v) {}
  Field(std::string_view n, std::int64_t v) : name(n), value(std::to_string(v)) {}
  Field(std::string_view n, int v) : name(n), value(std::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

void configure(Level level, Format format);

// For tests: lines (without '\n') go to `sink` instead of stderr; an empty function undoes it. The
// sink is called under the log's lock: it must not log.
using Sink = std::function<void(std::string_view line)>;
void set_sink(Sink sink);

bool enabled(Level level);
void write(Level level, std::string_view message, Fields fields);

inline void debug(std::string_view m, Fields f = {}) {
  if (enabled(Level::Debug)) write(Level::Debug, m, f);
}
inline void info(std::string_view m, Fields f = {}) { write(Level::Info, m, f); }
inline void warn(std::string_view m, Fields f = {}) { write(Level::Warn, m, f); }
inline void error(std::string_view m, Fields f = {}) { write(Level::Error, m, f); }

}  // namespace keyturn::log
