// Result<T>: a value or an Error of a small closed class. The project's functions do not throw;
// exceptions of third-party libraries are caught where they are thrown.
//
// Thread rule: plain values, no sharing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace keyturn {

// What a caller may do about an error. Everything else about it is for people to read.
enum class ErrorClass {
  Transient,    // the same request may succeed later (socket, 5xx, time-out): outcome unknown
  Throttled,    // asked to slow down; retry_after may say for how long
  Conflict,     // somebody else changed the thing first: look again
  NotFound,     // the thing named is not there
  Denied,       // credentials or permissions do not allow it
  Invalid,      // can never work as it is: input, configuration or state must change
  Unavailable,  // not tried: breaker open, shutting down, deadline already over
};

std::string_view to_string(ErrorClass cls);

struct Error {
  ErrorClass cls = ErrorClass::Transient;
  std::string code;     // the remote's own code ("ResourceNotFoundException") or a CamelCase reason
  std::string message;  // names the object, the field and the remedy; never holds a secret value
  std::optional<std::chrono::milliseconds> retry_after;

  // The same error with "context: " put before the message.
  Error with_context(std::string_view context) const&;
  Error with_context(std::string_view context) &&;
  // "Denied AccessDeniedException: …", for logs.
  std::string describe() const;
};

inline Error make_error(ErrorClass cls, std::string code, std::string message) {
  return Error{cls, std::move(code), std::move(message), std::nullopt};
}
// The most common one: bad input that a person must change.
inline Error invalid(std::string code, std::string message) {
  return make_error(ErrorClass::Invalid, std::move(code), std::move(message));
}

template <class T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::remove_cvref_t<T>, Error>);

 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(implicit)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(implicit)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition of the value accessors: ok(). Of error(): !ok(). Violations throw
  // std::bad_variant_access, which the worker loop turns into a counted failure.
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(implicit)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return error_.value(); }
  Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace keyturn
