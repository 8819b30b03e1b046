#include "lib/engine/strategies/astra_client.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/astra_secret.h"

namespace keyturn::engine::astra {
namespace {

constexpr std::size_t kMaxReply = 16u << 20;
constexpr std::size_t kMaxMessage = 300;
constexpr const char* kClients = "/v2/clientIdSecrets";

// A refusal is {"errors":[{"ID":n,"message":"…"}]} or plain text.
std::string message_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return body;
  const auto errors = json.is_object() ? json.find("errors") : json.end();
  if (errors == json.end() || !errors->is_array() || errors->empty()) return "";
  const auto& first = errors->front();
  if (!first.is_object() || !first.contains("message") || !first["message"].is_string()) return "";
  return first["message"].get<std::string>();
}

// Whatever a server says about a token is left out where it repeats one.
bool may_be_quoted(const std::string& text) {
  return !text.empty() && lower_ascii(text).find("astracs") == std::string::npos;
}

Error classify(int status, const http::Headers& headers, WallTime now) {
  if (status == 401) return make_error(ErrorClass::Denied, "KeyRefused", "");
  if (status == 403) return make_error(ErrorClass::Denied, "NotPermitted", "");
  if (status == 404) return make_error(ErrorClass::NotFound, "NotFound", "");
  Error error = invalid("Http" + std::to_string(status), "");
  if (status == 429) error = make_error(ErrorClass::Throttled, "TooManyRequests", "");
  if (status == 408 || status == 409 || status >= 500) error.cls = ErrorClass::Transient;
  if (status >= 300 && status < 400)
    error.message = "redirects are not followed, name the server itself: ";
  error.retry_after = http::retry_after(headers, now);
  return error;
}

// Of a path that is the API's own, not a client's: nothing may be taken for gone by it.
Error no_such_api(Error error) {
  if (error.cls != ErrorClass::NotFound) return error;
  return invalid("Http404", error.message + "; is that Astra's DevOps API? Correct the option url");
}

}  // namespace

std::string Client::own_id() const { return client_of(*token_); }

Status Client::current_org(MonoTime deadline) const {
  const Call call{.path = "/v2/currentOrg", .fresh = true};
  auto response = send(call, deadline);
  if (!response) return no_such_api(std::move(response).error());
  const auto json = nlohmann::json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  const bool told = json.is_object() && json.contains("id") && json["id"].is_string();
  wipe(*response);
  if (told) return {};
  return in_context(call, make_error(ErrorClass::Transient, "BadReply",
                                     "the reply cannot be used: it names no organisation"));
}

Result<std::vector<ClientInfo>> Client::clients(MonoTime deadline) const {
  const Call call{.path = kClients};
  auto response = send(call, deadline);
  if (!response) return no_such_api(std::move(response).error());
  auto read = decode_clients(response->body);
  wipe(*response);
  if (!read) return in_context(call, std::move(read).error());
  return read;
}

Result<Minted> Client::create(const NewClient& wanted, MonoTime deadline) const {
  const Call call{
      .method = "POST", .path = kClients, .body = encode_client(wanted), .changes = true};
  auto response = send(call, deadline);
  if (!response) return no_such_api(std::move(response).error());
  auto made = decode_minted(response->body);
  wipe(*response);
  if (!made) return in_context(call, std::move(made).error());
  return made;
}

Status Client::remove(const std::string& id, MonoTime deadline) const {
  auto response = send(
      {.method = "DELETE", .path = std::string(kClients) + "/" + url_encode(id), .changes = true},
      deadline);
  if (!response) return std::move(response).error();
  wipe(*response);
  return {};
}

Result<http::Response> Client::send(const Call& call, MonoTime deadline) const {
  constexpr std::string_view kScheme = "Bearer ";
  http::Request request;
  request.method = call.method;
  request.url = server_.base + call.path;
  std::string proof;
  proof.reserve(kScheme.size() + token_->size());
  proof.append(kScheme).append(token_->reveal());
  request.headers.emplace_back("Authorization", std::move(proof));
  request.headers.emplace_back("Accept", "application/json");
  if (!call.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = call.body;
  request.fresh_connection = call.fresh;
  request.max_reply_bytes = kMaxReply;
  auto response =
      engine::send(deps_, std::move(request), {.changes = call.changes, .deadline = deadline});
  if (!response) return in_context(call, std::move(response).error());
  if (response->status / 100 == 2) return response;
  Error error = refusal(call, *response);
  wipe(*response);
  return error;
}

Error Client::refusal(const Call& call, const http::Response& response) const {
  Error error = classify(response.status, response.headers, deps_.clock->now());
  error.message += "status " + std::to_string(response.status);
  const std::string said = message_of(response.body);
  if (may_be_quoted(said)) error.message += ", \"" + printable(said, kMaxMessage) + "\"";
  return in_context(call, std::move(error));
}

Error Client::in_context(const Call& call, Error error) const {
  return std::move(error).with_context("Astra " + server_.host_port + ": " + call.method + " " +
                                       call.path);
}

}  // namespace keyturn::engine::astra
