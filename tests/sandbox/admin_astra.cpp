// The control API for Astra: organisations, and what is true inside them.
#include <stdexcept>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/admin.h"
#include "tests/sandbox/sandbox.h"

namespace keyturn::sandbox {
namespace {

[[noreturn]] void unknown(const std::string& what) {
  throw std::invalid_argument("unknown: " + printable(what));
}

Json client_state(const AstraClient& client) {
  return {{"clientId", client.id},
          {"secret", client.secret},
          {"token", client.token},
          {"description", client.description},
          {"tokenExpiry", client.expiry},
          {"roles", client.roles},
          {"generatedOn", format_rfc3339_micro(client.generated)}};
}

AstraApi::Behaviour behaviour_of(const Json& body, AstraApi::Behaviour out) {
  for (const auto& [key, value] : body.items()) {
    if (key == "dropsDescriptions") {
      out.drops_descriptions = value.get<bool>();
    } else if (key == "deleteStatus") {
      out.delete_status = value.get<int>();
    } else if (key != "name") {
      unknown(key);
    }
  }
  return out;
}

std::vector<std::string> texts_of(const Json& list) { return list.get<std::vector<std::string>>(); }

Json org_state(const Sandbox& sandbox, const AstraApi& astra, const std::string& org) {
  Json roles = Json::object();
  for (const AstraRole& role : astra.roles(org)) roles[role.name] = role.id;
  Json clients = Json::array();
  for (const AstraClient& client : astra.clients(org)) clients.push_back(client_state(client));
  return {{"id", astra.org_id(org)},
          {"name", org},
          {"url", sandbox.astra_url()},
          {"roles", std::move(roles)},
          {"clients", std::move(clients)}};
}

Json client_call(AstraApi& astra, const std::string& method, const std::string& org,
                 const std::string& id, const Json& body) {
  if (method == "POST") {
    return client_state(astra.add_client(org, texts_of(body.at("roles")),
                                         text_at(body, "description"),
                                         text_at(body, "tokenExpiry")));
  }
  if (method == "DELETE") {
    if (!astra.remove_client(org, id)) unknown(id);
    return Json::object();
  }
  if (method != "PATCH") unknown(method);
  std::optional<std::string> description;
  if (body.contains("description")) description = text_at(body, "description");
  astra.edit_client(org, id, description,
                    std::chrono::seconds(body.value("ageSeconds", std::int64_t{0})));
  return Json::object();
}

}  // namespace

Json Admin::astra(const HttpRequest& request, const std::string& rest, const Json& body) {
  AstraApi& astra = sandbox_.astra();
  const std::vector<std::string> path = split(rest, '/');
  if (path[0] == "clock") {
    astra.set_clock_offset(Duration(body.at("offsetMs").get<std::int64_t>()));
    return Json::object();
  }
  if (path[0] == "stop") {
    sandbox_.astra_server().stop();
    return Json::object();
  }
  if (path[0] == "start") {
    sandbox_.astra_server().start();
    return Json::object();
  }
  if (path[0] != "orgs") unknown(rest);
  if (path.size() == 1) {
    const auto name = body.at("name").get<std::string>();
    const AstraClient root = astra.create_org(name, behaviour_of(body, {}));
    Json out = org_state(sandbox_, astra, name);
    out["root"] = client_state(root);
    return out;
  }
  const std::string& org = path[1];
  if (path.size() == 2) {
    if (request.method == "PATCH") astra.behave(org, behaviour_of(body, astra.behaviour(org)));
    return org_state(sandbox_, astra, org);
  }
  if (path[2] == "clients")
    return client_call(astra, request.method, org, path.size() > 3 ? path[3] : "", body);
  if (path[2] != "roles") unknown(path[2]);
  const auto actions = texts_of(body.at("actions"));
  return {{"id",
           astra.add_role(org, body.at("name").get<std::string>(), {actions.begin(), actions.end()})
               .id}};
}

}  // namespace keyturn::sandbox
