#include "controller/kube/list_scanner.h"

#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

constexpr std::size_t kMaxRest = 1u << 20;
constexpr std::size_t kDocument = 1;  // depth inside the outer object
constexpr std::size_t kItems = 2;     // depth inside its "items" array

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

Status malformed(std::string message) {
  return invalid("MalformedList", "list reply: " + std::move(message));
}

}  // namespace

// Called at '[' inside the outer object: is the key before it "items"?
bool ListScanner::items_open() const {
  std::string_view before = trim(rest_);
  if (before.empty() || before.back() != ':') return false;
  before.remove_suffix(1);
  return trim(before).ends_with("\"items\"");
}

// Follows strings and brackets.
void ListScanner::count(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return;
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
    seen_ = true;
  } else if ((c == '}' || c == ']') && depth_ > 0) {
    --depth_;
  }
}

Status ListScanner::feed(std::string_view chunk,
                         const std::function<Status(std::string_view)>& on_item) {
  for (const char c : chunk) {
    if (in_items_ && (depth_ > kItems || in_string_)) {  // inside an element
      count(c);
      item_ += c;
      if (depth_ == kItems && !in_string_) {
        if (Status handled = on_item(item_); !handled) return handled;
        item_.clear();
      } else if (item_.size() > max_item_) {
        return malformed("an object of more than " + std::to_string(max_item_) + " bytes");
      }
      continue;
    }
    if (in_items_) {  // between elements
      if (c == '{') {
        count(c);
        item_ = c;
      } else if (c == ']') {
        in_items_ = false;
        count(c);
        rest_ += c;
      } else if (c != ',' && !is_space(c)) {
        return malformed("an element of `items` is not an object");
      }
      continue;
    }
    const bool opens = c == '[' && !in_string_ && depth_ == kDocument && items_open();
    count(c);
    rest_ += c;
    if (opens) in_items_ = true;
    if (rest_.size() > kMaxRest) return malformed("no `items` in its first bytes");
  }
  return {};
}

Result<std::string> ListScanner::finish() const {
  if (!seen_ || depth_ != 0 || in_string_) {
    return make_error(ErrorClass::Transient, "Truncated", "the list reply ended early");
  }
  return rest_;
}

}  // namespace keyturn::kube
