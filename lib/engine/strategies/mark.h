// Our mark in the description of what a backend made for us (an authorization of InfluxDB, a client
// of Astra): how leftovers are found, and how it is known what may be revoked. What people wrote
// there stays in front of it:
//
//   orders service [keyturn arn:aws:secretsmanager:…#9c41… replaces 0b3d5e7f90a1b2c3]
//
// `replaces` is the backend's id of what it takes over from (absent for a first one); `retiring`
// says that we set it inactive on the way to deleting it. Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keyturn::engine {

inline constexpr std::string_view kMarkBegins = "[keyturn ";

struct Mark {
  std::string arn;  // of the secret
  std::string version_id;
  std::string replaces{};
  bool retiring = false;
  friend bool operator==(const Mark&, const Mark&) = default;
};

struct Description {
  std::string text;          // the user's
  std::optional<Mark> mark;  // ours

  static Description read(std::string_view description);
  std::string write() const;
};

// Whether both ARNs are of a secret of that name in that account and region: the six characters
// that Secrets Manager adds change when a secret is made anew.
bool same_secret_name(std::string_view arn, std::string_view other);

}  // namespace keyturn::engine
