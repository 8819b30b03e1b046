// labelSelector and fieldSelector of list, watch and deletecollection.
// Thread rule: plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

// "a=b,c!=d,e in (x,y),f notin (z),g,!h". Throws ApiError 400.
class LabelSelector {
 public:
  static LabelSelector parse(std::string_view text);
  bool matches(const Json& doc) const;
  bool empty() const { return terms_.empty(); }

 private:
  enum class Op { In, NotIn, Exists, Absent };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

// "metadata.name=x,involvedObject.kind!=y": equality on any dotted path of the object, missing =
// "". Whether the resource supports a path is the caller's to check through `paths`.
class FieldSelector {
 public:
  static FieldSelector parse(std::string_view text);
  bool matches(const Json& doc) const;
  bool empty() const { return terms_.empty(); }
  std::vector<std::string> paths() const;

 private:
  struct Term {
    std::string path;
    bool equal;
    std::string value;
  };
  std::vector<Term> terms_;
};

}  // namespace keyturn::sandbox
