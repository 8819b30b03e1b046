// How `generic` makes fresh material for one field: the `format` and its parameters.
//
// Thread rule: immutable.
#pragma once

#include <cstddef>
#include <optional>
#include <variant>

#include "lib/base/result.h"
#include "lib/base/rng.h"
#include "lib/base/secret_string.h"
#include "lib/engine/strategies/options.h"
#include "lib/engine/strategies/password.h"

namespace keyturn::engine {

struct Material {
  SecretString value;
  std::optional<SecretString> public_part;  // of a key pair
};

enum class Encoding { Base64, Base64Url, Hex };
struct RandomBytes {
  Encoding encoding = Encoding::Base64;
  std::size_t count = 32;
};
struct RandomUuid {};
struct RsaPair {
  int bits = 3072;
};
struct Ed25519Pair {};

class Recipe {
 public:
  // The default: 32 random bytes as base64.
  Recipe() = default;
  // Takes `format` and what goes with it:
  //   password                 see password.h
  //   base64, base64url, hex   bytes: 8..4096, default 32
  //   uuid                     version 4
  //   rsa                      bits: 2048, 3072 (default) or 4096
  //   ed25519
  // Problems fail `options`. The caller calls finish_format() when it has taken its own options.
  explicit Recipe(Options& options);
  // finish(), saying which options belong to another format.
  static Status finish_format(Options& options);

  bool is_key_pair() const {
    return std::holds_alternative<RsaPair>(kind_) || std::holds_alternative<Ed25519Pair>(kind_);
  }
  Result<Material> make(Rng& rng) const;

 private:
  std::variant<RandomBytes, PasswordRecipe, RandomUuid, RsaPair, Ed25519Pair> kind_;
};

}  // namespace keyturn::engine
