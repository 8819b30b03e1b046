// A set of field paths, kept as the tree that metadata.managedFields[].fieldsV1 is.
//
// A node is a member of the set or not, and has children by path element: "f:name" (field),
// `k:{"type":"Ready"}` (item of a list map), `v:"x"` (item of a set list), "i:0" (index).
// Thread rule: plain values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

class FieldSet {
 public:
  bool member = false;
  std::map<std::string, FieldSet, std::less<>> children;

  bool empty() const { return !member && children.empty(); }
  FieldSet& child(const std::string& element) { return children[element]; }
  const FieldSet* find(std::string_view element) const;
  // Drops nodes that hold nothing.
  void compact();

  static FieldSet from_fields_v1(const Json& json);
  Json to_fields_v1() const;
  // Readable paths of all members: ".data.KEY", `.status.conditions[type="Ready"].status`.
  std::vector<std::string> paths() const;

  bool operator==(const FieldSet& other) const = default;
  bool contains_all(const FieldSet& other) const;

  void add(const FieldSet& other);
  void remove(const FieldSet& other);  // members of `other` are no members afterwards
  FieldSet intersection(const FieldSet& other) const;
};

}  // namespace keyturn::sandbox
