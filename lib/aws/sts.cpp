#include "lib/aws/sts.h"

#include <chrono>
#include <pugixml.hpp>
#include <utility>

#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::aws {
namespace {

const std::string kVersion = "2011-06-15";

// The keys' expiry as our clock will show it: AWS's expiry is AWS's time, and our clock may be
// wrong by hours.
void move_to_our_clock(Credentials& keys, const Reply& reply, const Clock& clock) {
  if (!keys.expiration || !reply.date) return;
  *keys.expiration += clock.now() - *reply.date;
}

Result<Credentials> keys_from(Session& session, Call call) {
  const std::string operation = call.operation;
  const std::string subject = call.subject;
  Result<Reply> reply = session.call(std::move(call));
  if (!reply) return reply.error();
  Result<Credentials> keys = parse_sts_reply(reply->body, operation);
  if (!keys) return keys.error().with_context(operation + " " + subject);
  move_to_our_clock(*keys, *reply, session.clock());
  return keys;
}

}  // namespace

Result<Credentials> assume_role_with_web_identity(Session& session, const std::string& role_arn,
                                                  const std::string& session_name,
                                                  const SecretString& token) {
  Call call = query_call("sts", "AssumeRoleWithWebIdentity", kVersion, role_arn,
                         {{"RoleArn", role_arn},
                          {"RoleSessionName", role_session_name(session_name)},
                          {"WebIdentityToken", std::string(token.reveal())}});
  call.is_signed = false;
  call.withheld = {&token};
  return keys_from(session, std::move(call));
}

Result<Credentials> assume_role(Session& session, const AssumeRoleOptions& role) {
  QueryParameters parameters = {{"RoleArn", role.role_arn},
                                {"RoleSessionName", role_session_name(role.session_name)}};
  if (!role.external_id.empty()) parameters.emplace_back("ExternalId", role.external_id);
  int number = 0;
  for (const auto& [key, value] : role.tags) {
    const std::string member = "Tags.member." + std::to_string(++number);
    parameters.emplace_back(member + ".Key", key);
    parameters.emplace_back(member + ".Value", value);
  }
  return keys_from(session,
                   query_call("sts", "AssumeRole", kVersion, role.role_arn, std::move(parameters)));
}

Result<Credentials> parse_sts_reply(std::string& xml, const std::string& operation) {
  const auto bad = [&](const std::string& what) {
    return make_error(ErrorClass::Transient, "BadReply", "the reply of STS " + what);
  };
  Result<Credentials> out = [&]() -> Result<Credentials> {
    pugi::xml_document document;
    if (!document.load_buffer_inplace(xml.data(), xml.size())) return bad("is not XML");
    const pugi::xml_node node = document.child((operation + "Response").c_str())
                                    .child((operation + "Result").c_str())
                                    .child("Credentials");
    Credentials keys;
    keys.access_key_id = node.child_value("AccessKeyId");
    keys.secret_access_key = SecretString(node.child_value("SecretAccessKey"));
    keys.session_token = SecretString(node.child_value("SessionToken"));
    if (keys.access_key_id.empty() || keys.secret_access_key.empty() ||
        keys.session_token.empty()) {
      return bad("lacks AccessKeyId, SecretAccessKey or SessionToken");
    }
    const Result<WallTime> expiration = parse_rfc3339(node.child_value("Expiration"));
    if (!expiration) return bad("lacks a valid Expiration");
    keys.expiration = *expiration;
    return keys;
  }();
  cleanse(xml);
  return out;
}

std::string role_session_name(std::string_view wish) {
  std::string out;
  for (char c : wish.substr(0, 64)) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') ||
                         std::string_view("_+=,.@-").find(c) != std::string_view::npos;
    out += allowed ? c : '-';
  }
  return out.size() < 2 ? "keyturn" : out;
}

}  // namespace keyturn::aws
