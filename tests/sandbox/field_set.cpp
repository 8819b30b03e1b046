#include "tests/sandbox/field_set.h"

namespace keyturn::sandbox {
namespace {

std::string readable(const std::string& element) {
  const std::string rest = element.substr(2);
  switch (element[0]) {
    case 'f':
      return "." + rest;
    case 'v':
      return "[=" + rest + "]";
    case 'i':
      return "[" + rest + "]";
    default:
      break;
  }
  std::string out = "[";
  const Json keys = Json::parse(rest, nullptr, false);
  if (keys.is_object()) {
    for (const auto& [name, value] : keys.items()) {
      if (out.size() > 1) out += ",";
      out += name + "=" + value.dump();
    }
  }
  return out + "]";
}

void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  if (set.member) out.push_back(path);
  for (const auto& [element, node] : set.children) collect(node, path + readable(element), out);
}

}  // namespace

const FieldSet* FieldSet::find(std::string_view element) const {
  const auto found = children.find(element);
  return found == children.end() ? nullptr : &found->second;
}

void FieldSet::compact() {
  for (auto it = children.begin(); it != children.end();) {
    it->second.compact();
    it = it->second.empty() ? children.erase(it) : std::next(it);
  }
}

FieldSet FieldSet::from_fields_v1(const Json& json) {
  FieldSet out;
  if (!json.is_object()) return out;
  for (const auto& [element, sub] : json.items()) {
    if (element == ".") {
      out.member = true;
    } else if (element.size() > 1 && element[1] == ':') {
      FieldSet node = from_fields_v1(sub);
      if (node.children.empty()) node.member = true;
      out.children.emplace(element, std::move(node));
    }
  }
  return out;
}

Json FieldSet::to_fields_v1() const {
  Json out = Json::object();
  if (member && !children.empty()) out["."] = Json::object();
  for (const auto& [element, node] : children) out[element] = node.to_fields_v1();
  return out;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect(*this, "", out);
  return out;
}

bool FieldSet::contains_all(const FieldSet& other) const {
  if (other.member && !member) return false;
  for (const auto& [element, node] : other.children) {
    const FieldSet* mine = find(element);
    if (!mine || !mine->contains_all(node)) return false;
  }
  return true;
}

void FieldSet::add(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [element, node] : other.children) children[element].add(node);
}

void FieldSet::remove(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [element, node] : other.children) {
    const auto mine = children.find(element);
    if (mine == children.end()) continue;
    mine->second.remove(node);
    if (mine->second.empty()) children.erase(mine);
  }
}

FieldSet FieldSet::intersection(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [element, node] : children) {
    const FieldSet* theirs = other.find(element);
    if (!theirs) continue;
    FieldSet both = node.intersection(*theirs);
    if (!both.empty()) out.children.emplace(element, std::move(both));
  }
  return out;
}

}  // namespace keyturn::sandbox
