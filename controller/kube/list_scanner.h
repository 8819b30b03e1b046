// Cuts the elements of the top-level "items" array out of a list reply while it arrives, so that a
// list of any size (resourceVersion 0 ignores `limit` on most servers) costs the memory of one
// object.
//
// It only finds where an element starts and ends (strings and brackets); whether the text between
// is JSON is the parser's business. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::kube {

class ListScanner {
 public:
  explicit ListScanner(std::size_t max_item_bytes) : max_item_(max_item_bytes) {}

  // Calls on_item with the text of each element that `chunk` completes; its error ends the scan and
  // is returned. Invalid "MalformedList": an element that is no object, or larger than the limit.
  Status feed(std::string_view chunk, const std::function<Status(std::string_view)>& on_item);

  // The document around the elements ("items" left empty). Transient "Truncated" when its end has
  // not arrived.
  Result<std::string> finish() const;

 private:
  bool items_open() const;
  void count(char c);

  const std::size_t max_item_;
  std::string rest_;  // what is outside the elements
  std::string item_;  // the element under way
  std::size_t depth_ = 0;
  bool seen_ = false;  // the document has begun
  bool in_items_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace keyturn::kube
