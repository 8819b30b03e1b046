#include "tests/sandbox/json_path.h"

#include <charconv>
#include <string>

#include "lib/base/text.h"

namespace keyturn::sandbox {
namespace {

using Values = std::vector<const Json*>;

std::string unquote(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

void add_child(const Json& value, const std::string& key, Values& out) {
  const Json& child = at(value, key);
  if (!child.is_null()) out.push_back(&child);
}

// "@.type==\"Ready\"", "@.type".
bool filter_holds(const Json& item, std::string_view filter) {
  filter = trim(filter);
  std::size_t op = filter.find("==");
  const bool negative = op == std::string_view::npos;
  if (negative) op = filter.find("!=");
  const std::string_view left = trim(filter.substr(0, op));
  if (left.empty() || left.front() != '@') return false;
  const Values found = json_path(item, left.substr(1));
  if (op == std::string_view::npos) return !found.empty();
  const std::string wanted = unquote(filter.substr(op + 2));
  if (found.empty()) return negative;
  const Json& value = *found.front();
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return (text == wanted) != negative;
}

void step_bracket(const Json& value, std::string_view inside, Values& out) {
  inside = trim(inside);
  if (inside == "*") {
    for (const Json& child : value) out.push_back(&child);
  } else if (inside.starts_with("?(") && inside.ends_with(")")) {
    if (!value.is_array()) return;
    for (const Json& item : value) {
      if (filter_holds(item, inside.substr(2, inside.size() - 3))) out.push_back(&item);
    }
  } else if (inside.starts_with("'") || inside.starts_with("\"")) {
    add_child(value, unquote(inside), out);
  } else {
    int index = 0;
    const auto parsed = std::from_chars(inside.data(), inside.data() + inside.size(), index);
    if (parsed.ec != std::errc() || !value.is_array()) return;
    const int size = static_cast<int>(value.size());
    if (index < 0) index += size;
    if (index >= 0 && index < size) out.push_back(&value[static_cast<std::size_t>(index)]);
  }
}

}  // namespace

std::vector<const Json*> json_path(const Json& root, std::string_view path) {
  Values here = {&root};
  std::size_t i = 0;
  while (i < path.size() && !here.empty()) {
    Values next;
    if (path[i] == '.') {
      ++i;
      std::string key;
      for (; i < path.size() && path[i] != '.' && path[i] != '['; ++i) {
        if (path[i] == '\\' && i + 1 < path.size()) ++i;
        key += path[i];
      }
      if (key.empty()) continue;
      for (const Json* value : here) {
        if (key == "*") {
          for (const Json& child : *value) next.push_back(&child);
        } else {
          add_child(*value, key, next);
        }
      }
    } else if (path[i] == '[') {
      const std::size_t end = path.find(path.substr(i).starts_with("[?(") ? ")]" : "]", i);
      if (end == std::string_view::npos) return {};
      const std::size_t stop = path[end] == ')' ? end + 1 : end;
      for (const Json* value : here) step_bracket(*value, path.substr(i + 1, stop - i - 1), next);
      i = stop + 1;
    } else {
      return {};
    }
    here = std::move(next);
  }
  return here;
}

}  // namespace keyturn::sandbox
