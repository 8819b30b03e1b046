#include "lib/aws/secrets_admin.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/aws/caller.h"
#include "lib/aws/secret_json.h"
#include "lib/aws/secrets_manager_codec.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

class WireSecretsAdmin final : public SecretsAdmin {
 public:
  explicit WireSecretsAdmin(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  Result<std::string> create_secret(const CreateSecretRequest& request) override {
    auto body = encode_create_secret(request);
    if (!body) return std::move(body).error();
    Call call = json_call("secretsmanager", "secretsmanager", "CreateSecret", request.name,
                          std::move(*body));
    call.mutates = true;
    call.withheld = {&request.value};
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    auto arn = decode_created(reply->body);
    if (!arn) return std::move(arn).error().with_context("CreateSecret " + printable(request.name));
    return arn;
  }

  Result<WallTime> delete_secret(const DeleteSecretRequest& request) override {
    const nlohmann::json body = {{"SecretId", request.secret_id},
                                 {"RecoveryWindowInDays", request.recovery_days}};
    Call call = json_call("secretsmanager", "secretsmanager", "DeleteSecret", request.secret_id,
                          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    call.mutates = true;
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    auto when = decode_deleted(reply->body);
    if (!when)
      return std::move(when).error().with_context("DeleteSecret " + printable(request.secret_id));
    return when;
  }

 private:
  const std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<SecretsAdmin> make_secrets_admin(std::shared_ptr<Session> session) {
  return std::make_unique<WireSecretsAdmin>(std::move(session));
}

}  // namespace keyturn::aws
