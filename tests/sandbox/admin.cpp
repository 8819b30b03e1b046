#include "tests/sandbox/admin.h"

#include <stdexcept>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/sm_checks.h"

namespace keyturn::sandbox {
namespace {

[[noreturn]] void unknown(const std::string& what) {
  throw std::invalid_argument("unknown: " + printable(what));
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const Json& entry : list) out.push_back(entry.get<std::string>());
  return out;
}

std::vector<IamRule> rules_of(const Json& list) {
  std::vector<IamRule> out;
  if (!list.is_array()) return {IamRule{}};
  for (const Json& entry : list) {
    IamRule rule;
    rule.allow = text_at(entry, "effect") != "Deny";
    if (entry.contains("actions")) rule.actions = texts(entry["actions"]);
    if (entry.contains("resources")) rule.resources = texts(entry["resources"]);
    out.push_back(std::move(rule));
  }
  return out;
}

// Validation rules that are not evaluated because they are not understood.
void list_skipped(const Schema& schema, Json& out) {
  for (const ValidationRule& rule : schema.rules) {
    if (!rule.expression) out.push_back(rule.text);
  }
  for (const auto& [name, property] : schema.properties) list_skipped(*property, out);
  if (schema.additional) list_skipped(*schema.additional, out);
  if (schema.items) list_skipped(*schema.items, out);
}

Json secret_state(const StoredSecret& secret, bool values) {
  Json out = {{"arn", secret.arn},
              {"name", secret.name},
              {"region", secret.region},
              {"rotationEnabled", secret.rotation_enabled},
              {"rotated", secret.rotated.has_value()},
              {"deleted", secret.deleted.has_value()},
              {"lastChangedDate", epoch(secret.changed)},
              {"labels", Json::object()},
              {"versions", Json::array()}};
  for (const auto& [id, version] : secret.versions) {
    for (const std::string& label : version.labels) out["labels"][label] = id;
    Json entry = {{"id", id},
                  {"labels", version.labels},
                  {"createdDate", epoch(version.created)},
                  {"order", version.order},
                  {"byRotation", version.by_rotation},
                  {"hasValue", version.has_value()}};
    if (values && version.text) entry["secretString"] = *version.text;
    if (values && version.binary) entry["secretBinary"] = *version.binary;
    out["versions"].push_back(std::move(entry));
  }
  return out;
}

void edit_secret(StoredSecret& secret, const Json& body) {
  for (const auto& [key, value] : body.items()) {
    if (key == "rotationEnabled") {
      secret.rotation_enabled = value.get<bool>();
    } else if (key == "owningService") {
      secret.owning_service = value.get<std::string>();
    } else if (key == "type") {
      secret.type = value.get<std::string>();
    } else if (key == "primaryRegion") {
      secret.primary_region = value.get<std::string>();
    } else if (key == "lambdaArn") {
      secret.lambda_arn = value.get<std::string>();
    } else if (key == "ageSeconds") {  // as if every version had been made so much earlier
      const auto age = std::chrono::seconds(value.get<std::int64_t>());
      secret.created -= age;
      secret.changed -= age;
      for (auto& [id, version] : secret.versions) version.created -= age;
    } else if (key == "labels") {  // label → version id, or null to drop it: no compare-and-swap
      for (const auto& [label, id] : value.items()) {
        for (auto& [other, version] : secret.versions) version.labels.erase(label);
        if (id.is_string()) secret.versions.at(id.get<std::string>()).labels.insert(label);
      }
    } else {
      unknown(key);
    }
  }
}

}  // namespace

void Admin::handle(const HttpRequest& request, HttpExchange& exchange) {
  HttpResponse response;
  try {
    const Json body = request.body.empty() ? Json::object() : Json::parse(request.body);
    response.body = dispatch(request, body).dump() + "\n";
  } catch (const ApiError& error) {
    response.status = error.code;
    response.body = error.status().dump() + "\n";
  } catch (const std::exception& error) {
    response.status = 400;
    response.body = Json{{"error", error.what()}}.dump() + "\n";
  }
  exchange.reply(response);
}

Json Admin::dispatch(const HttpRequest& request, const Json& body) {
  const auto rest = [&](std::string_view prefix) { return request.path.substr(prefix.size()); };
  if (request.path == "/calls") return calls(request);
  if (request.path.starts_with("/faults")) return faults(request, rest("/faults"), body);
  if (request.path.starts_with("/kube/")) return kube(rest("/kube/"), body);
  if (request.path.starts_with("/aws/")) return aws(request, rest("/aws/"), body);
  if (request.path.starts_with("/lambda/")) return lambda(request, rest("/lambda/"), body);
  if (request.path.starts_with("/astra/")) return astra(request, rest("/astra/"), body);
  if (request.path.starts_with("/elasticache/"))
    return elasticache(request, rest("/elasticache/"), body);
  if (request.path.starts_with("/influx/")) return influx(request, rest("/influx/"), body);
  unknown(request.path);
}

Json Admin::calls(const HttpRequest& request) {
  CallLog& log = sandbox_.calls();
  if (request.method == "DELETE") {
    log.clear();
    return Json::object();
  }
  Json out = {{"total", log.total()}, {"counts", log.counts()}};
  if (request.flag("entries")) {
    out["entries"] = Json::array();
    for (const CallLog::Entry& entry : log.entries()) {
      out["entries"].push_back({{"number", entry.number},
                                {"atMs", entry.at_ms},
                                {"service", entry.call.service},
                                {"operation", entry.call.operation},
                                {"resource", entry.call.resource},
                                {"namespace", entry.call.ns},
                                {"name", entry.call.name},
                                {"status", entry.status},
                                {"micros", entry.micros},
                                {"fault", entry.fault}});
    }
  }
  return out;
}

Json Admin::faults(const HttpRequest& request, const std::string& rest, const Json& body) {
  FaultPlan& plan = sandbox_.faults();
  if (request.method == "POST") return {{"id", plan.add(fault_from_json(body))}};
  if (request.method == "DELETE" && rest.size() > 1) {
    if (!plan.remove(rest.substr(1))) unknown(rest);
    return Json::object();
  }
  if (request.method == "DELETE") {
    plan.clear();
    return Json::object();
  }
  Json out = Json::array();
  for (const Fault& fault : plan.list()) out.push_back(to_json(fault));
  return {{"faults", out}};
}

Json Admin::kube(const std::string& rest, const Json& body) {
  if (rest == "stop") {
    sandbox_.kube_server().stop();
  } else if (rest == "start") {
    sandbox_.kube_server().start();
  } else if (rest == "drop-connections") {
    sandbox_.kube_server().drop_connections();
  } else if (rest == "compact") {
    sandbox_.store().compact();
    sandbox_.store().wake_all();
  } else if (rest == "expire-continue-tokens") {
    sandbox_.kube_api().expire_continue_tokens();
  } else if (rest == "bookmarks") {
    sandbox_.kube_api().set_bookmark_interval(Duration(body.at("intervalMs").get<std::int64_t>()));
  } else if (rest == "tokens") {
    sandbox_.auth().add_token(body.at("token").get<std::string>(),
                              {body.at("user").get<std::string>(), texts(at(body, "groups"))});
  } else if (rest == "revoke-token") {
    sandbox_.auth().remove_token(body.at("token").get<std::string>());
  } else if (rest == "skipped-rules") {
    Json out = Json::array();
    for (const ResourcePtr& resource : sandbox_.registry().all())
      list_skipped(*resource->schema, out);
    return {{"rules", out}};
  } else if (rest == "rollouts") {
    sandbox_.controllers().set_rollouts(body.at("automatic").get<bool>());
  } else {
    unknown(rest);
  }
  return Json::object();
}

Json Admin::behave(const Json& body) {
  SecretsManager& secrets = sandbox_.secrets();
  for (const auto& [key, value] : body.items()) {
    if (key == "staleDescribes") {
      secrets.set_stale_describes(value.get<std::uint64_t>());
    } else if (key == "listLagMs") {
      secrets.set_list_lag(Duration(value.get<std::int64_t>()));
    } else if (key == "honourSort") {
      secrets.set_honour_sort(value.get<bool>());
    } else if (key == "emptyPages") {
      secrets.set_empty_pages(value.get<bool>());
    } else if (key == "skewCode") {
      sandbox_.aws_api().set_skew_code(value.get<std::string>());
    } else if (key == "lowerCaseMessage") {
      sandbox_.aws_api().set_lower_case_message(value.get<bool>());
    } else if (key == "clockOffsetMs") {
      sandbox_.set_aws_clock_offset(Duration(value.get<std::int64_t>()));
    } else {
      unknown(key);
    }
  }
  return Json::object();
}

Json Admin::aws_secrets(const HttpRequest& request, const std::string& rest, const Json& body) {
  SecretsManager& secrets = sandbox_.secrets();
  if (rest.empty()) {
    if (request.method != "POST") return {{"secrets", secrets.names()}};
    const std::string region = text_at(body, "region");
    const auto& name = body.at("name").get_ref<const std::string&>();
    const std::string where = region.empty() ? sandbox_.region() : region;
    const std::string arn =
        body.contains("binary")
            ? secrets.create_binary(name, body["binary"].get<std::string>(), where)
            : secrets.create(name, body.at("value").get<std::string>(), where);
    return {{"arn", arn}};
  }
  const std::string id = rest.substr(1);
  if (request.method == "PUT")
    return {{"versionId",
             secrets.put(id, body.at("value").get<std::string>(), texts(at(body, "labels")))}};
  if (request.method == "PATCH")
    secrets.edit(id, [&](StoredSecret& secret) { edit_secret(secret, body); });
  const auto secret = secrets.get(id);
  if (!secret) unknown(id);
  return secret_state(*secret, request.flag("values"));
}

Json Admin::aws(const HttpRequest& request, const std::string& rest, const Json& body) {
  if (rest == "stop") {
    sandbox_.aws_server().stop();
    sandbox_.aws_tls_server().stop();
  } else if (rest == "start") {
    sandbox_.aws_server().start();
    sandbox_.aws_tls_server().start();
  } else if (rest == "behaviour") {
    return behave(body);
  } else if (rest.starts_with("secrets")) {
    return aws_secrets(request, rest.substr(std::string_view("secrets").size()), body);
  } else if (rest == "expire-sessions") {
    sandbox_.accounts().expire_sessions();
  } else if (rest == "keys") {
    Principal principal;
    principal.access_key = body.at("accessKey").get<std::string>();
    principal.secret_key = body.at("secretKey").get<std::string>();
    principal.session_token = text_at(body, "sessionToken");
    if (body.contains("account")) principal.account = body["account"].get<std::string>();
    principal.rules = rules_of(at(body, "rules"));
    sandbox_.accounts().add_key(std::move(principal));
  } else if (rest == "forget-key") {
    sandbox_.accounts().remove_key(body.at("accessKey").get<std::string>());
  } else if (rest == "rules") {
    const std::string key = text_at(body, "accessKey");
    sandbox_.accounts().set_rules(key.empty() ? sandbox_.access_key() : key,
                                  rules_of(at(body, "rules")));
  } else if (rest == "roles") {
    Role role;
    role.arn = body.at("arn").get<std::string>();
    role.web_identity_subjects = texts(at(body, "subjects"));
    if (body.contains("principals")) role.principals = texts(body["principals"]);
    role.external_id = text_at(body, "externalId");
    role.rules = rules_of(at(body, "rules"));
    sandbox_.accounts().add_role(std::move(role));
  } else {
    unknown(rest);
  }
  return Json::object();
}

}  // namespace keyturn::sandbox
