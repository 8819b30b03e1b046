// A string that must not leak: zeroed when it dies (OPENSSL_cleanse), printed as its length only,
// never implicitly converted to std::string.
//
// The value may hold any bytes, NUL included. Copies are explicit: clone().
// Thread rule: a plain value.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace keyturn {

class SecretString {
 public:
  SecretString() = default;
  explicit SecretString(std::string_view value);
  // Takes over the bytes and wipes what is left in the argument (small strings are copied by a
  // move).
  static SecretString take(std::string&& value);
  ~SecretString();
  SecretString(SecretString&& other) noexcept;
  SecretString& operator=(SecretString&& other) noexcept;
  SecretString(const SecretString&) = delete;
  SecretString& operator=(const SecretString&) = delete;

  SecretString clone() const { return SecretString(reveal()); }

  // The bytes. Named so that every use can be found and justified.
  std::string_view reveal() const { return value_; }
  std::size_t size() const { return value_.size(); }
  bool empty() const { return value_.empty(); }

  // Constant time in the length of the shorter one.
  friend bool operator==(const SecretString& a, const SecretString& b);
  friend std::ostream& operator<<(std::ostream& out, const SecretString& s);  // "<12 bytes>"

 private:
  void wipe() noexcept;
  std::string value_;
};

// Wipes a string that held secret text for a moment.
void cleanse(std::string& text) noexcept;

}  // namespace keyturn
