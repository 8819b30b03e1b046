#include "lib/engine/strategies/influxdb_client.h"

#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine::influxdb {
namespace {

constexpr std::size_t kMaxReply = 16u << 20;
constexpr std::size_t kMaxMessage = 300;
constexpr Duration kBrief{5'000};
constexpr const char* kAuthorizations = "/api/v2/authorizations";

std::string path_of(const std::string& id) { return std::string(kAuthorizations) + "/" + id; }

struct Cookie {
  std::string name;  // with the equals sign
  SecretString value;
};

// The session's ("session" in 2.0).
Result<Cookie> session_cookie(const http::Headers& headers) {
  for (const auto& [header, value] : headers) {
    if (!iequals_ascii(header, "Set-Cookie")) continue;
    for (const std::string_view name : {"influxdb-oss-session=", "session="}) {
      if (!value.starts_with(name)) continue;
      const std::string_view rest = std::string_view(value).substr(name.size());
      return Cookie{std::string(name), SecretString(rest.substr(0, rest.find(';')))};
    }
  }
  return make_error(ErrorClass::Transient, "BadReply",
                    "the sign-in was answered without a session");
}

// What a reply of this status may be about; InfluxDB's own words decide where that is ambiguous.
Error classify(int status, const ApiError& api, const http::Headers& headers, WallTime now) {
  const std::string said = lower_ascii(api.message);
  const auto says = [&said](std::string_view word) { return said.find(word) != std::string::npos; };
  // Whoever is told that he may not do this has a credential that works, and who is refused has
  // none: only InfluxDB itself may say so, no proxy before it.
  if (status == 401 && api.code == "unauthorized") {
    if (says("inactive")) return make_error(ErrorClass::Denied, "TokenInactive", "");
    if (says("unauthorized access")) return make_error(ErrorClass::Denied, "CredentialRefused", "");
    if (says("unauthorized") || says("is authorized"))
      return make_error(ErrorClass::Denied, "NotPermitted", "");
  }
  if (status == 403 && says("password change required")) {
    return make_error(ErrorClass::Denied, "PasswordTooOld",
                      "the password is right, but shorter or longer than this server allows (8 to "
                      "72 bytes), so that nobody may sign in with it: have an operator set "
                      "another, and store that: ");
  }
  if (status == 403 && api.code == "forbidden")
    return make_error(ErrorClass::Denied, "NotPermitted", "");
  if (status == 401 || status == 403)
    return make_error(ErrorClass::Denied, "Http" + std::to_string(status), "");
  // Only InfluxDB itself may say that something is not there: that is success for who revokes it.
  if (status == 404 && api.code == "not found")
    return make_error(ErrorClass::NotFound, "NotFound", "");
  if (status == 422) return make_error(ErrorClass::Conflict, "AlreadyThere", "");
  Error error = invalid("Http" + std::to_string(status), "");
  if (status == 429) error = make_error(ErrorClass::Throttled, "TooManyRequests", "");
  if (status == 408 || status >= 500) error.cls = ErrorClass::Transient;
  if (status >= 300 && status < 400)
    error.message = "redirects are not followed, name the server itself: ";
  error.retry_after = http::retry_after(headers, now);
  return error;
}

bool contains(const std::string& text, const SecretString& secret) {
  return !secret.empty() && text.find(secret.reveal()) != std::string::npos;
}

}  // namespace

Client Client::with_token(const SecretString& token) const {
  return Client(deps_, server_, {"Authorization", "Token ", token.clone()});
}

Result<Client> Client::sign_in(const Login& login, MonoTime deadline, Connection connection) const {
  const Call call{.method = "POST",
                  .path = "/api/v2/signin",
                  .expected = 204,
                  .connection = connection,
                  .quotes = false};
  auto response = send_as(login, call, deadline);
  if (!response) return std::move(response).error();
  auto cookie = session_cookie(response->headers);
  wipe(*response);
  if (!cookie) return in_context(call, std::move(cookie).error());
  return Client(deps_, server_, {"Cookie", cookie->name, std::move(cookie->value)});
}

Status Client::sign_out(MonoTime deadline) const {
  auto response =
      send({.method = "POST", .path = "/api/v2/signout", .expected = 204, .brief = true}, deadline);
  if (!response) return std::move(response).error();
  return {};
}

Status Client::change_password(const Login& login, const SecretString& password,
                               MonoTime deadline) const {
  Call call{.method = "PUT",
            .path = "/api/v2/me/password",
            .body = encode_password(password),
            .expected = 204,
            .changes = true,
            .quotes = false};
  auto response = send_as(login, call, deadline);
  cleanse(call.body);
  if (response) return {};
  Error error = std::move(response).error();
  if (error.code == "Http400")
    error.message += " (the server's rules for passwords: 8 to 72 bytes, and perhaps strong ones)";
  return error;
}

Result<std::string> Client::version(MonoTime deadline) const {
  auto response = send({.path = "/ping", .expected = 204, .brief = true}, deadline);
  if (!response) return std::move(response).error();
  const std::string* version = http::find_header(response->headers, "X-Influxdb-Version");
  return version == nullptr ? std::string() : *version;
}

Result<Named> Client::me(MonoTime deadline, Connection connection) const {
  const Call call{.path = "/api/v2/me", .connection = connection};
  auto response = send(call, deadline);
  if (!response) return std::move(response).error();
  auto user = decode_user(response->body);
  if (!user) return in_context(call, std::move(user).error());
  return user;
}

Result<Named> Client::org(const std::string& name, MonoTime deadline) const {
  const Call call{.path = "/api/v2/orgs?org=" + url_encode(name)};
  auto response = send(call, deadline);
  if (!response) return std::move(response).error();
  auto orgs = decode_orgs(response->body);
  if (!orgs) return in_context(call, std::move(orgs).error());
  for (Named& org : *orgs) {
    if (org.name == name) return std::move(org);
  }
  return in_context(call, make_error(ErrorClass::NotFound, "OrgNotVisible",
                                     "no organisation \"" + printable(name, 60) +
                                         "\" is there, or none that the asker may see"));
}

Result<Authorization> Client::authorization(const std::string& id, MonoTime deadline) const {
  const Call call{.path = path_of(id)};
  auto response = send(call, deadline);
  if (!response) return std::move(response).error();
  auto read = decode_authorization(response->body);
  wipe(*response);
  if (!read) return in_context(call, std::move(read).error());
  return read;
}

Result<std::vector<Authorization>> Client::authorizations(const std::string& org,
                                                          MonoTime deadline) const {
  const Call call{.path = std::string(kAuthorizations) + "?org=" + url_encode(org)};
  auto response = send(call, deadline);
  if (!response) {
    Error error = std::move(response).error();
    // It is the organisation that is not there; no authorization may be taken for gone by that.
    if (error.cls == ErrorClass::NotFound)
      error = invalid("NoSuchOrg", error.message + "; correct the field org");
    return error;
  }
  auto read = decode_authorizations(response->body);
  wipe(*response);
  if (!read) return in_context(call, std::move(read).error());
  return read;
}

Result<Authorization> Client::create(const NewAuthorization& wanted, MonoTime deadline) const {
  const Call call{.method = "POST",
                  .path = kAuthorizations,
                  .body = encode_authorization(wanted),
                  .expected = 201,
                  .changes = true};
  auto response = send(call, deadline);
  if (!response) return std::move(response).error();
  auto made = decode_authorization(response->body);
  wipe(*response);
  if (!made) return in_context(call, std::move(made).error());
  return made;
}

Status Client::update(const std::string& id, bool active, const std::string& description,
                      MonoTime deadline) const {
  auto response = send({.method = "PATCH",
                        .path = path_of(id),
                        .body = encode_update(active, description),
                        .changes = true},
                       deadline);
  if (!response) return std::move(response).error();
  wipe(*response);
  return {};
}

Status Client::remove(const std::string& id, MonoTime deadline) const {
  auto response =
      send({.method = "DELETE", .path = path_of(id), .expected = 204, .changes = true}, deadline);
  if (!response) return std::move(response).error();
  return {};
}

Result<http::Response> Client::send(const Call& call, MonoTime deadline,
                                    const http::Headers& extra) const {
  http::Request request;
  request.method = call.method;
  request.url = server_.base + call.path;
  request.headers = extra;
  request.headers.emplace_back("Accept", "application/json");
  if (!call.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  if (proof_) {
    std::string value;
    value.reserve(proof_->prefix.size() + proof_->secret.size());
    value.append(proof_->prefix).append(proof_->secret.reveal());
    request.headers.emplace_back(proof_->header, std::move(value));
  }
  request.body = call.body;
  request.fresh_connection = call.connection == Connection::Fresh;
  request.max_reply_bytes = kMaxReply;
  auto response = engine::send(deps_, std::move(request),
                               {.changes = call.changes,
                                .deadline = deadline,
                                .at_most = call.brief ? kBrief : Duration::max()});
  if (!response && response.error().code == "ViewTooOld")
    return in_context(call, std::move(response).error());
  if (!response)  // which request it was, the transport says
    return std::move(response).error().with_context("InfluxDB " + server_.host_port);
  // Some versions answer /ping with 200.
  if (response->status / 100 != 2) {
    Error error = refusal(call, *response);
    wipe(*response);
    return error;
  }
  if (response->status != call.expected && call.expected != 204) {
    wipe(*response);
    return in_context(call, make_error(ErrorClass::Transient, "BadReply",
                                       "answered with status " + std::to_string(response->status)));
  }
  return response;
}

Result<http::Response> Client::send_as(const Login& login, const Call& call,
                                       MonoTime deadline) const {
  std::string pair;
  pair.reserve(login.user.size() + 1 + login.password.size());
  pair.append(login.user.reveal()).append(":").append(login.password.reveal());
  http::Headers headers = {{"Authorization", "Basic " + base64(pair)}};
  cleanse(pair);
  auto response = send(call, deadline, headers);
  cleanse(headers[0].second);
  return response;
}

Error Client::refusal(const Call& call, const http::Response& response) const {
  const ApiError said = decode_error(response.body);
  Error error = classify(response.status, said, response.headers, deps_.clock->now());
  const bool repeats = proof_ && contains(said.message, proof_->secret);
  error.message += "status " + std::to_string(response.status);
  if (call.quotes && !repeats && !said.message.empty())
    error.message += ", \"" + printable(said.message, kMaxMessage) + "\"";
  return in_context(call, std::move(error));
}

Error Client::in_context(const Call& call, Error error) const {
  const std::string path = call.path.substr(0, call.path.find('?'));
  return std::move(error).with_context("InfluxDB " + server_.host_port + ": " + call.method + " " +
                                       path);
}

}  // namespace keyturn::engine::influxdb
