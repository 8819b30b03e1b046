#include "lib/engine/strategies/influxdb_codec.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "lib/aws/secret_json.h"
#include "lib/base/time.h"
#include "lib/engine/json_text.h"
#include "lib/engine/strategies/reply_reader.h"

namespace keyturn::engine::influxdb {
namespace {

using Json = nlohmann::json;

// Part of a URL afterwards, so nothing else passes.
std::string id_of(ReplyReader& from, const char* name) {
  std::string value = from.text(name);
  if (!is_id(value)) from.complain(std::string(name) + " is not an id");
  return value;
}

Json parse(const std::string& body) {
  return Json::parse(body, nullptr, /*allow_exceptions=*/false);
}

Permissions read_permissions(ReplyReader& from) {
  Permissions out;
  const Json* list = from.list("permissions");
  if (list == nullptr) return out;
  for (const Json& element : *list) {
    ReplyReader permission(element);
    const Json* member = permission.member("resource");
    const Json none;
    ReplyReader resource(member == nullptr ? none : *member);
    Permission read{permission.text("action"), resource.text("type"), resource.text("id"),
                    resource.text("orgID")};
    if (!permission.problem().empty() || !resource.problem().empty() || read.action.empty() ||
        read.type.empty())
      from.complain("permissions holds something else than permissions");
    out.push_back(std::move(read));
  }
  return out;
}

Result<Authorization> read_authorization(const Json& json, SecretString token) {
  ReplyReader from(json);
  Authorization out;
  out.id = id_of(from, "id");
  out.token = std::move(token);
  const std::string status = from.text("status");
  out.active = status.empty() || status == "active";
  out.description = from.text("description");
  out.org_id = id_of(from, "orgID");
  out.org = from.text("org");
  out.user_id = id_of(from, "userID");
  out.user = from.text("user");
  out.permissions = read_permissions(from);
  // A zero time (the year 1) is none.
  if (const auto at = parse_rfc3339(from.text("createdAt")); at && *at > WallTime{})
    out.created = *at;
  if (!from.problem().empty()) return bad_reply(from.problem());
  return out;
}

}  // namespace

Result<Authorization> decode_authorization(std::string& body) {
  auto token = aws::cut_string_member(body, "token");
  if (!token) return std::move(token).error();
  return read_authorization(parse(body), std::move(*token).value_or(SecretString()));
}

Result<std::vector<Authorization>> decode_authorizations(std::string& body) {
  if (json_text::check(body)) return bad_reply("it is not JSON");
  const json_text::Span root = json_text::root(body);
  std::optional<json_text::Span> list;
  if (body[root.begin] == '{') {
    for (json_text::Walker member(body, root); member.next();) {
      if (member.key().of(body) == R"("authorizations")") list = member.value();
    }
  }
  if (!list || body[list->begin] != '[') return bad_reply("authorizations is not a list");
  std::vector<Authorization> out;
  for (json_text::Walker element(body, *list); element.next();) {
    std::string one(element.value().of(body));
    auto read = one.starts_with('{') ? decode_authorization(one)
                                     : bad_reply("authorizations holds something else");
    cleanse(one);
    if (!read) return std::move(read).error();
    out.push_back(std::move(read).value());
  }
  return out;
}

Result<std::vector<Named>> decode_orgs(const std::string& body) {
  const Json json = parse(body);
  ReplyReader from(json);
  const Json* list = from.list("orgs");
  std::vector<Named> out;
  if (list != nullptr) {
    for (const Json& element : *list) {
      ReplyReader org(element);
      out.push_back({id_of(org, "id"), org.text("name")});
      if (!org.problem().empty()) from.complain("orgs: " + org.problem());
    }
  }
  if (!from.problem().empty()) return bad_reply(from.problem());
  return out;
}

Result<Named> decode_user(const std::string& body) {
  const Json json = parse(body);
  ReplyReader from(json);
  Named out{id_of(from, "id"), from.text("name")};
  if (!from.problem().empty()) return bad_reply(from.problem());
  return out;
}

ApiError decode_error(const std::string& body) {
  const Json json = parse(body);
  ReplyReader from(json);
  return {from.text("code"), from.text("message")};
}

std::string encode_authorization(const NewAuthorization& wanted) {
  Json permissions = Json::array();
  for (const Permission& p : wanted.permissions) {
    Json resource = {{"type", p.type}};
    if (!p.id.empty()) resource["id"] = p.id;
    if (!p.org_id.empty()) resource["orgID"] = p.org_id;
    permissions.push_back({{"action", p.action}, {"resource", std::move(resource)}});
  }
  const Json body = {{"orgID", wanted.org_id},
                     {"userID", wanted.user_id},
                     {"status", "active"},
                     {"description", wanted.description},
                     {"permissions", std::move(permissions)}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string encode_update(bool active, const std::string& description) {
  const Json body = {{"status", active ? "active" : "inactive"}, {"description", description}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string encode_password(const SecretString& password) {
  constexpr std::string_view kBegin = R"({"password":)";
  std::string out;
  out.reserve(kBegin.size() + aws::json_string_room(password.reveal()) + 1);
  out.append(kBegin);
  aws::append_json_string(out, password.reveal());
  out += '}';
  return out;
}

}  // namespace keyturn::engine::influxdb
