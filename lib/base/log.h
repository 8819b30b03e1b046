// Structured logs: one JSON object a line on stderr, or readable text on a terminal.
//
//   log::info("secret rotated", {{"namespace", ns}, {"policy", name}, {"versionId", id}});
//
// Fields are strings; names are lowerCamelCase (namespace, policy, secretArn, versionId, step, error…).
// No SecretString converts to a Field. Thread rule: any thread; lines never interleave.
#pragma once

#include <cstdint>
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
bool enabled(Level level);
void write(Level level, std::string_view message, Fields fields);

inline void debug(std::string_view m, Fields f = {}) {
  if (enabled(Level::Debug)) write(Level::Debug, m, f);
}
inline void info(std::string_view m, Fields f = {}) { write(Level::Info, m, f); }
inline void warn(std::string_view m, Fields f = {}) { write(Level::Warn, m, f); }
inline void error(std::string_view m, Fields f = {}) { write(Level::Error, m, f); }

}  // namespace keyturn::log
