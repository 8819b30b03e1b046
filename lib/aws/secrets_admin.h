// Making and deleting secrets in AWS Secrets Manager: what a person does at the command line. Apart
// from SecretsManager, since the engine and the operator never do either.
//
// Errors as in secrets_manager.h. CreateSecret of a name that is taken: Conflict
// "ResourceExistsException"; of one that awaits deletion: Invalid "InvalidRequestException". Both
// may be sent twice: CreateSecret with the same version id and value is a success, and so is a
// DeleteSecret that was carried out before its reply was lost only if AWS says so, else Invalid
// "InvalidRequestException". Thread rule: any thread; each call blocks with a deadline.
#pragma once

#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::aws {

class Session;

struct CreateSecretRequest {
  std::string name;
  std::string client_request_token;  // becomes the version id
  SecretString value;                // never empty
  std::string description;
  std::string kms_key_id;  // "": the account's aws/secretsmanager
};

inline constexpr int kMinRecoveryDays = 7;
inline constexpr int kMaxRecoveryDays = 30;

struct DeleteSecretRequest {
  std::string secret_id;
  int recovery_days = kMaxRecoveryDays;
};

class SecretsAdmin {
 public:
  virtual ~SecretsAdmin() = default;
  // The new secret's ARN.
  virtual Result<std::string> create_secret(const CreateSecretRequest& request) = 0;
  // When it will be gone; until then RestoreSecret brings it back.
  virtual Result<WallTime> delete_secret(const DeleteSecretRequest& request) = 0;
};

std::unique_ptr<SecretsAdmin> make_secrets_admin(std::shared_ptr<Session> session);

}  // namespace keyturn::aws
