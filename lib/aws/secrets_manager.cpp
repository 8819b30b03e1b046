// Secrets Manager over the wire: JSON 1.1, one operation per method.
#include "lib/aws/secrets_manager.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/aws/caller.h"
#include "lib/aws/secrets_manager_codec.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

Call secrets_call(std::string operation, const std::string& subject, std::string body) {
  return json_call("secretsmanager", "secretsmanager", std::move(operation), subject,
                   std::move(body));
}

// AWS documents only that a lost race fails. InvalidParameterException is how it does for a label
// that is held elsewhere; an InvalidRequestException is one only where it speaks of labels or
// versions, not of a secret that is being deleted.
bool is_lost_race(const ServiceError& said) {
  if (said.code == "InvalidParameterException") return true;
  if (said.code != "InvalidRequestException") return false;
  const std::string text = lower_ascii(said.message);
  const auto says = [&text](std::string_view word) { return text.find(word) != std::string::npos; };
  if (says("delet")) return false;
  return says("label") || says("version") || says("stage");
}

// "A previous rotation isn't complete. That rotation will be reattempted."
bool is_rotating(const ServiceError& said) {
  return said.code == "InvalidRequestException" &&
         lower_ascii(said.message).find("previous rotation") != std::string::npos;
}

class WireSecretsManager final : public SecretsManager {
 public:
  explicit WireSecretsManager(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  Result<SecretMetadata> describe(const std::string& secret_id) override {
    const auto reply = ask("DescribeSecret", secret_id, {{"SecretId", secret_id}});
    if (!reply) return reply.error();
    return named(decode_describe(reply->body), "DescribeSecret", secret_id);
  }

  Result<SecretValue> get_value(const std::string& secret_id, const std::string& version_id,
                                const std::string& stage) override {
    nlohmann::json request = {{"SecretId", secret_id}};
    if (!version_id.empty()) {
      request["VersionId"] = version_id;
    } else if (!stage.empty()) {
      request["VersionStage"] = stage;
    }
    auto reply = ask("GetSecretValue", secret_id, request);
    if (!reply) return reply.error();
    auto value = decode_get_value(reply->body);
    if (value && !version_id.empty() && value->version_id != version_id) {
      return make_error(ErrorClass::Transient, "BadReply",
                        "GetSecretValue " + printable(secret_id) + ": asked for version " +
                            version_id + ", got " + printable(value->version_id, 64));
    }
    return named(std::move(value), "GetSecretValue", secret_id);
  }

  Result<std::vector<VersionInfo>> list_versions(const std::string& secret_id,
                                                 bool include_deprecated) override {
    constexpr int kMaxPages = 100;  // about a hundred versions are kept, one page holds a hundred
    std::vector<VersionInfo> out;
    std::string next;
    for (int pages = 0; pages < kMaxPages; ++pages) {
      nlohmann::json request = {
          {"SecretId", secret_id}, {"MaxResults", 100}, {"IncludeDeprecated", include_deprecated}};
      if (!next.empty()) request["NextToken"] = next;
      const auto reply = ask("ListSecretVersionIds", secret_id, request);
      if (!reply) return reply.error();
      auto page = named(decode_list_versions(reply->body), "ListSecretVersionIds", secret_id);
      if (!page) return page.error();
      for (VersionInfo& version : page->versions) out.push_back(std::move(version));
      if (page->next_token.empty()) return out;
      next = std::move(page->next_token);
    }
    return make_error(
        ErrorClass::Transient, "BadReply",
        "ListSecretVersionIds " + printable(secret_id) + ": the list of pages does not end");
  }

  Result<ListSecretsPage> list(const ListSecretsRequest& request) override {
    nlohmann::json body = {{"MaxResults", request.max_results},
                           {"IncludePlannedDeletion", request.include_planned_deletion}};
    if (request.newest_first) {
      body["SortBy"] = "last-changed-date";
      body["SortOrder"] = "desc";
    }
    if (!request.next_token.empty()) body["NextToken"] = request.next_token;
    const auto reply = ask("ListSecrets", "", body);
    if (!reply) return reply.error();
    return named(decode_list(reply->body), "ListSecrets", "");
  }

  Status put_value(const PutSecretValueRequest& request) override {
    auto body = encode_put_value(request);
    if (!body) return body.error();
    Call call = secrets_call("PutSecretValue", request.secret_id, std::move(*body));
    call.mutates = true;
    call.not_after = request.not_after;
    call.withheld = {&request.value};
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    const auto id = named(decode_put_value(reply->body), "PutSecretValue", request.secret_id);
    if (!id) return id.error();
    if (*id != request.client_request_token) {
      return make_error(ErrorClass::Transient, "BadReply",
                        "PutSecretValue " + printable(request.secret_id) + ": asked for version " +
                            request.client_request_token + ", got " + printable(*id, 64));
    }
    return {};
  }

  Status update_stage(const UpdateStageRequest& request) override {
    if (request.remove_from.empty() && request.move_to.empty()) {
      return invalid("NoVersion", "UpdateSecretVersionStage " + printable(request.secret_id) +
                                      ": neither a version to take " + request.stage +
                                      " from nor one to move it to");
    }
    nlohmann::json body = {{"SecretId", request.secret_id}, {"VersionStage", request.stage}};
    if (!request.remove_from.empty()) body["RemoveFromVersionId"] = request.remove_from;
    if (!request.move_to.empty()) body["MoveToVersionId"] = request.move_to;
    Call call = secrets_call("UpdateSecretVersionStage", request.secret_id, to_text(body));
    call.mutates = true;
    call.not_after = request.not_after;
    call.lost_race = &is_lost_race;
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    return {};
  }

  Status rotate_secret(const RotateSecretRequest& request) override {
    const nlohmann::json body = {{"SecretId", request.secret_id},
                                 {"ClientRequestToken", request.client_request_token}};
    Call call = secrets_call("RotateSecret", request.secret_id, to_text(body));
    call.mutates = true;
    call.not_after = request.not_after;
    call.lost_race = &is_rotating;
    const auto reply = session_->call(std::move(call));
    if (!reply) return reply.error();
    return {};
  }

 private:
  // Bytes that are not UTF-8 (a hand-written secret id) are replaced; the service then says that
  // there is no such secret.
  static std::string to_text(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  Result<Reply> ask(const char* operation, const std::string& subject, const nlohmann::json& body) {
    return session_->call(secrets_call(operation, subject, to_text(body)));
  }

  template <class T>
  static Result<T> named(Result<T> result, const char* operation, const std::string& subject) {
    if (result) return result;
    return result.error().with_context(subject.empty()
                                           ? std::string(operation)
                                           : std::string(operation) + " " + printable(subject));
  }

  const std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<SecretsManager> make_secrets_manager(std::shared_ptr<Session> session) {
  return std::make_unique<WireSecretsManager>(std::move(session));
}

}  // namespace keyturn::aws
