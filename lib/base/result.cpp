#include "lib/base/result.h"

namespace keyturn {

std::string_view to_string(ErrorClass cls) {
  switch (cls) {
    case ErrorClass::Transient:
      return "Transient";
    case ErrorClass::Throttled:
      return "Throttled";
    case ErrorClass::Conflict:
      return "Conflict";
    case ErrorClass::NotFound:
      return "NotFound";
    case ErrorClass::Denied:
      return "Denied";
    case ErrorClass::Invalid:
      return "Invalid";
    case ErrorClass::Unavailable:
      return "Unavailable";
  }
  return "Unknown";
}

Error Error::with_context(std::string_view context) const& {
  return Error(*this).with_context(context);
}

Error Error::with_context(std::string_view context) && {
  std::string text;
  text.reserve(context.size() + 2 + message.size());
  text.append(context).append(": ").append(message);
  message = std::move(text);
  return std::move(*this);
}

std::string Error::describe() const {
  std::string text(to_string(cls));
  if (!code.empty()) text.append(" ").append(code);
  if (!message.empty()) text.append(": ").append(message);
  return text;
}

}  // namespace keyturn
