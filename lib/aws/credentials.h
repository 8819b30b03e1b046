// AWS keys and where they come from.
//
// Thread rule: providers may be called from any thread; a refresh is single flight, the others keep
// the old keys while these are valid (advisory refresh 15 min before expiry, mandatory 10 min
// before). A failed refresh never installs blank keys: an expired set is an error, never an
// unsigned request.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::aws {

struct Credentials {
  std::string access_key_id;
  SecretString secret_access_key;
  SecretString session_token;  // empty: long-lived keys
  std::optional<WallTime> expiration;
};

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // Valid keys, or Denied/Transient with what was tried. The pointee is immutable.
  virtual Result<std::shared_ptr<const Credentials>> get() = 0;
  // AWS refused these keys (ExpiredToken, UnrecognizedClient…): drop them unless newer ones are
  // here already.
  virtual void invalidate(const Credentials& refused) = 0;
};

}  // namespace keyturn::aws
