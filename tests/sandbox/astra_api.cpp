#include "tests/sandbox/astra_api.h"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "lib/base/digest.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/base/uuid.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kClientsPath = "/v2/clientIdSecrets";
constexpr const char* kEverything = "Organization Administrator";
const std::set<std::string> kRootRights = {"org-read",       "org-role-read",
                                           "org-token-read", "org-token-write",
                                           "org-db-view",    "db-all-keyspace-create"};
const std::set<std::string> kReaderRights = {"org-read", "org-db-view"};

// A refusal; `plain`: not as JSON.
struct AstraError {
  int status;
  std::string message;
  bool plain = false;
};

HttpResponse answer(int status, const Json& body) { return {status, kJson, body.dump(), {}}; }

HttpResponse error_response(const AstraError& error) {
  if (error.plain) return {error.status, "text/plain; charset=utf-8", error.message + "\n", {}};
  return answer(
      error.status,
      {{"errors", Json::array({{{"ID", 2000000 + error.status}, {"message", error.message}}})}});
}

[[noreturn]] void refuse(int status, std::string message) {
  throw AstraError{status, std::move(message)};
}

std::string random_text(Rng& rng, std::size_t bytes, bool letters_only) {
  std::string raw(bytes, '\0');
  rng.fill(std::as_writable_bytes(std::span(raw)));
  std::string out = base64url(as_bytes_of(raw));
  if (letters_only) {
    for (char& c : out) {
      if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) c = static_cast<char>('A' + (c & 15));
    }
  }
  return out;
}

std::string bearer(const HttpRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string header = request.header("authorization");
  if (!iequals_ascii(std::string_view(header).substr(0, kScheme.size()), kScheme)) return "";
  return header.substr(kScheme.size());
}

// The id behind the path of clients; nullopt: another path.
std::optional<std::string> client_in(const std::string& path) {
  const std::string prefix = std::string(kClientsPath) + "/";
  if (!path.starts_with(prefix) || path.size() == prefix.size()) return std::nullopt;
  std::string id = path.substr(prefix.size());
  if (id.find('/') != std::string::npos) return std::nullopt;
  return id;
}

// Strict: a body with something else in it is a mistake of whoever sent it.
void check_body(const Json& body, const std::string& org) {
  if (!body.is_object()) refuse(400, "Malformed JSON in request body");
  for (const auto& [key, value] : body.items()) {
    const bool text = key == "orgId" || key == "description" || key == "tokenExpiry";
    if (key != "roles" && !text) refuse(400, "unknown field " + printable(key));
    if (text && !value.is_string()) refuse(400, key + " must be a string");
  }
  if (!at(body, "roles").is_array() || body["roles"].empty())
    refuse(400, "at least one role is required");
  if (body.contains("orgId") && text_at(body, "orgId") != org)
    refuse(403, "the token is not of that organization");
}

}  // namespace

Call AstraApi::call_of(const HttpRequest& request) const {
  Call call{"astra", lower_ascii(request.method), "unknown", "", ""};
  {
    const std::lock_guard lock(mutex_);
    const std::string token = bearer(request);
    for (const auto& [name, org] : orgs_) {
      for (const auto& [id, client] : org.clients) {
        if (client.token == token) call.ns = name;
      }
    }
  }
  if (const auto id = client_in(request.path)) {
    call.resource = "clients";
    call.name = *id;
  } else if (request.path == kClientsPath || request.path == "/v2/tokens") {
    call.resource = "clients";
    call.operation = request.method == "GET"    ? "list"
                     : request.method == "POST" ? "create"
                                                : call.operation;
  } else if (request.path == "/v2/currentOrg") {
    call.resource = "currentOrg";
  } else if (request.path == "/v2/organizations/roles") {
    call.resource = "roles";
    if (request.method == "GET") call.operation = "list";
  }
  return call;
}

HttpResponse AstraApi::fault_reply(const Fault& fault) {
  return error_response({fault.status,
                         fault.message.empty() ? "ordered by the sandbox" : fault.message,
                         fault.code == "plain"});
}

HttpResponse AstraApi::handle(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  try {
    return route(request);
  } catch (const AstraError& error) {
    return error_response(error);
  }
}

HttpResponse AstraApi::route(const HttpRequest& request) {
  const std::optional<std::string> id = client_in(request.path);
  const bool list = request.path == kClientsPath;
  const bool create = list || request.path == "/v2/tokens";
  const bool known =
      id || create || request.path == "/v2/currentOrg" || request.path == "/v2/organizations/roles";
  if (!known) refuse(404, "page not found");
  const Caller caller = authenticate(request);
  if (id && request.method == "DELETE") return delete_client(caller, *id);
  if (list && request.method == "GET") return list_clients(caller);
  if (create && request.method == "POST") return create_client(caller, request);
  if (request.path == "/v2/currentOrg" && request.method == "GET")
    return answer(200, {{"id", caller.org->id}});
  if (request.path == "/v2/organizations/roles" && request.method == "GET")
    return list_roles(caller);
  refuse(405, "method not allowed");
}

AstraApi::Caller AstraApi::authenticate(const HttpRequest& request) {
  const std::string token = bearer(request);
  for (auto& [name, org] : orgs_) {
    for (const auto& [id, client] : org.clients) {
      if (client.token != token) continue;
      const auto expiry = parse_rfc3339(client.expiry);
      if (expiry && *expiry <= clock_.now()) refuse(401, "token is expired");
      return {&org, &client};
    }
  }
  refuse(401, "Invalid authorization token");
}

std::set<std::string> AstraApi::rights(const Caller& caller) const {
  std::set<std::string> out;
  for (const std::string& role : caller.client->roles) {
    const auto found = caller.org->roles.find(role);
    if (found != caller.org->roles.end())
      out.insert(found->second.actions.begin(), found->second.actions.end());
  }
  return out;
}

HttpResponse AstraApi::list_clients(const Caller& caller) {
  if (!rights(caller).contains("org-token-read"))
    throw AstraError{403, "forbidden: org-token-read is required", /*plain=*/true};
  Json list = Json::array();
  for (const auto& [lower, client] : caller.org->clients) {
    Json one = {{"clientId", lower},
                {"roles", client.roles},
                {"generatedOn", format_rfc3339_micro(client.generated)}};
    if (!client.description.empty()) one["description"] = client.description;
    if (!client.expiry.empty()) one["tokenExpiry"] = client.expiry;
    list.push_back(std::move(one));
  }
  return answer(200, {{"clients", std::move(list)}});
}

HttpResponse AstraApi::create_client(const Caller& caller, const HttpRequest& request) {
  const std::set<std::string> own = rights(caller);
  if (!own.contains("org-token-write"))
    throw AstraError{403, "forbidden: org-token-write is required", /*plain=*/true};
  const Json body = Json::parse(request.body, nullptr, false);
  check_body(body, caller.org->id);
  std::set<std::string> roles;
  for (const Json& role : body["roles"]) {
    if (!role.is_string()) refuse(400, "roles must be ids");
    const auto found = caller.org->roles.find(role.get<std::string>());
    if (found == caller.org->roles.end()) refuse(422, "unknown role " + printable(role.dump()));
    const auto& wanted = found->second.actions;
    if (!std::includes(own.begin(), own.end(), wanted.begin(), wanted.end()))
      refuse(403, "a token cannot grant more than it has");
    roles.insert(found->first);
  }
  const std::string expiry = text_at(body, "tokenExpiry");
  if (!expiry.empty()) {
    const auto time = parse_rfc3339(expiry);
    if (!time || *time <= clock_.now()) refuse(400, "tokenExpiry must be a time in the future");
  }
  AstraClient& made = new_client(*caller.org, std::move(roles));
  if (!caller.org->behaviour.drops_descriptions) {
    made.description = text_at(body, "description");
    made.expiry = expiry;
  }
  return answer(200, {{"clientId", made.id},
                      {"secret", made.secret},
                      {"orgId", caller.org->id},
                      {"roles", made.roles},
                      {"token", made.token},
                      {"generatedOn", format_rfc3339_micro(made.generated)}});
}

HttpResponse AstraApi::delete_client(const Caller& caller, const std::string& id) {
  if (!rights(caller).contains("org-token-write"))
    throw AstraError{403, "forbidden: org-token-write is required", /*plain=*/true};
  if (caller.org->clients.erase(lower_ascii(id)) == 0) refuse(404, "client not found");
  const int status = caller.org->behaviour.delete_status;
  return status == 204 ? HttpResponse{204, kJson, "", {}} : answer(status, Json::object());
}

HttpResponse AstraApi::list_roles(const Caller& caller) {
  if (!rights(caller).contains("org-role-read"))
    throw AstraError{403, "forbidden: org-role-read is required", /*plain=*/true};
  Json list = Json::array();
  for (const auto& [id, role] : caller.org->roles) {
    list.push_back({{"id", id},
                    {"name", role.name},
                    {"policy", {{"actions", role.actions}, {"effect", "allow"}}},
                    {"last_update_datetime", format_rfc3339(clock_.now())}});
  }
  return answer(200, list);
}

AstraClient& AstraApi::new_client(Org& org, std::set<std::string> roles) {
  AstraClient made;
  made.id = random_text(rng_, 18, /*letters_only=*/true);
  made.secret = random_text(rng_, 96, /*letters_only=*/false);
  made.token = "AstraCS:" + made.id + ":" + hex(sha256(made.secret));
  made.roles = std::move(roles);
  made.generated = clock_.now();
  return org.clients.insert_or_assign(lower_ascii(made.id), made).first->second;
}

AstraRole& AstraApi::new_role(Org& org, const std::string& name, std::set<std::string> actions) {
  const std::string id = uuid_v4(rng_);
  return org.roles.insert_or_assign(id, AstraRole{id, name, std::move(actions)}).first->second;
}

AstraApi::Org& AstraApi::need(const std::string& name) {
  const auto found = orgs_.find(name);
  if (found == orgs_.end()) throw std::invalid_argument("no organisation " + printable(name));
  return found->second;
}

const AstraApi::Org& AstraApi::need(const std::string& name) const {
  const auto found = orgs_.find(name);
  if (found == orgs_.end()) throw std::invalid_argument("no organisation " + printable(name));
  return found->second;
}

AstraClient AstraApi::create_org(const std::string& name, const Behaviour& behaviour) {
  const std::lock_guard lock(mutex_);
  if (orgs_.contains(name)) throw std::invalid_argument("there is an organisation " + name);
  Org& org = orgs_[name];
  org.id = uuid_v4(rng_);
  org.name = name;
  org.behaviour = behaviour;
  const std::string root = new_role(org, kEverything, kRootRights).id;
  new_role(org, "Reader", kReaderRights);
  return new_client(org, {root});
}

void AstraApi::behave(const std::string& org, const Behaviour& behaviour) {
  const std::lock_guard lock(mutex_);
  need(org).behaviour = behaviour;
}

AstraApi::Behaviour AstraApi::behaviour(const std::string& org) const {
  const std::lock_guard lock(mutex_);
  return need(org).behaviour;
}

AstraRole AstraApi::add_role(const std::string& org, const std::string& name,
                             std::set<std::string> actions) {
  const std::lock_guard lock(mutex_);
  return new_role(need(org), name, std::move(actions));
}

AstraClient AstraApi::add_client(const std::string& org, const std::vector<std::string>& roles,
                                 const std::string& description, const std::string& expiry) {
  const std::lock_guard lock(mutex_);
  Org& in = need(org);
  std::set<std::string> ids;
  for (const auto& [id, role] : in.roles) {
    if (std::any_of(roles.begin(), roles.end(),
                    [&, &key = id, &of = role](const auto& r) { return r == key || r == of.name; }))
      ids.insert(id);
  }
  if (ids.size() != roles.size()) throw std::invalid_argument("unknown role");
  AstraClient& made = new_client(in, std::move(ids));
  made.description = description;
  made.expiry = expiry;
  return made;
}

bool AstraApi::remove_client(const std::string& org, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return need(org).clients.erase(lower_ascii(id)) > 0;
}

void AstraApi::edit_client(const std::string& org, const std::string& id,
                           const std::optional<std::string>& description,
                           std::chrono::seconds age) {
  const std::lock_guard lock(mutex_);
  auto& clients = need(org).clients;
  const auto found = clients.find(lower_ascii(id));
  if (found == clients.end()) throw std::invalid_argument("no client " + printable(id));
  if (description) found->second.description = *description;
  found->second.generated -= age;
}

std::string AstraApi::org_id(const std::string& org) const {
  const std::lock_guard lock(mutex_);
  return need(org).id;
}

std::vector<AstraRole> AstraApi::roles(const std::string& org) const {
  const std::lock_guard lock(mutex_);
  std::vector<AstraRole> out;
  for (const auto& [id, role] : need(org).roles) out.push_back(role);
  return out;
}

std::vector<AstraClient> AstraApi::clients(const std::string& org) const {
  const std::lock_guard lock(mutex_);
  std::vector<AstraClient> out;
  for (const auto& [id, client] : need(org).clients) out.push_back(client);
  return out;
}

}  // namespace keyturn::sandbox
