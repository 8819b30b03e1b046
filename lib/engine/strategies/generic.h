// `generic`: fresh random material in the secret itself. No system is told; whoever verifies reads
// it from the target Secret (the previous one too, with `{{ previous.x }}`).
//
// Options (spec.strategy.generic):
//   fields:                     absent: the whole value is 32 random bytes as base64
//   - pointer: /apiKey          RFC 6901; absent or "": the whole value (then it is the only field)
//     format: password          base64 (default), base64url, hex, password, uuid, rsa, ed25519;
//     recipe.h has their parameters publicPointer: /publicKey rsa and ed25519: where the public key
//     goes; required, and these two formats need a pointer
// At most 16 fields; no pointer may lie inside another.
//
// Every field named must exist and hold a string, number, boolean or null; it becomes a string, and
// every other byte of the value stays. A whole value that is a JSON object is not overwritten:
// fields must say what to rotate.
//
// Thread rule: immutable. Errors of recognise() and create(): Invalid "ObjectNeedsFields",
// "NoValueYet", "ValueTooLarge" and those of Document; Transient when random generation fails.
// Never part of a value.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/engine/document.h"
#include "lib/engine/pointer.h"
#include "lib/engine/strategies/no_backend.h"
#include "lib/engine/strategies/recipe.h"

namespace keyturn::engine {

// Secrets Manager takes values up to 65,536 bytes (PutSecretValue, SecretString).
inline constexpr std::size_t kMaxValueBytes = 65'536;
// The value, if it is no larger; else Invalid "ValueTooLarge".
Result<SecretString> within_limit(SecretString value);

class GenericStrategy final : public NoBackendStrategy {
 public:
  static Result<std::unique_ptr<Strategy>> make(const nlohmann::json& options,
                                                const std::string& path);

  const Traits& traits() const override;
  Status recognise(const SecretString& current) const override;
  Result<SecretString> create(const StepContext& ctx, const SecretString& current) const override;
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override;
  bool same_credential(const SecretString& a, const SecretString& b) const override;

 private:
  struct Field {
    Pointer pointer;
    std::optional<Pointer> public_pointer;
    Recipe recipe;
  };
  static Result<Field> make_field(const nlohmann::json& options, const std::string& path);
  static Status check_pointers(const std::vector<Field>& fields, const std::string& path);

  explicit GenericStrategy(Recipe whole) : whole_(std::move(whole)) {}
  explicit GenericStrategy(std::vector<Field> fields);

  std::optional<Recipe> whole_;    // either the whole value,
  std::vector<Field> fields_;      // or these fields
  std::vector<Pointer> pointers_;  // of fields_, public ones included
};

}  // namespace keyturn::engine
