#include "lib/engine/strategies/backend_access.h"

#include <algorithm>
#include <utility>

#include "lib/http/url.h"

namespace keyturn::engine {

Error no_backend_access() {
  return make_error(ErrorClass::Unavailable, "NoBackendAccess",
                    "the strategy was made without a way to reach its server");
}

Error denied(Error error) {
  error.cls = ErrorClass::Invalid;
  return error;
}

Status check_server_url(const std::string& url, const std::string& example) {
  if (!http::parse_url(url)) return invalid("BadUrl", "must be a URL such as " + example);
  if (url.find_first_of("?#") == std::string::npos) return {};
  return invalid("BadUrl", "must be the server alone, as in " + example);
}

Result<Server> allowed_server(const StrategyDeps& deps, const std::string& base) {
  auto url = http::parse_url(base);
  if (!url) return std::move(url).error();
  const std::string host_port = url->authority();
  if (auto may = deps.guard->backend(host_port); !may) return denied(std::move(may).error());
  std::string path = url->path;
  while (path.ends_with('/')) path.pop_back();
  return Server{url->origin() + path, host_port};
}

// By its whole ARN a secret is known once it was resolved; a name may come to mean another one.
Result<NamedSecret> allowed_secret(const StrategyDeps& deps, const std::string& secret_id) {
  NamedSecret found;
  if (deps.memory) {
    if (auto name = deps.memory->secret_name(secret_id)) found = {*std::move(name), secret_id};
  }
  if (found.arn.empty()) {
    auto known = deps.secrets->describe(secret_id);
    if (!known) return std::move(known).error();
    if (deps.memory && known->arn == secret_id)
      deps.memory->remember_secret(known->arn, known->name);
    found = {known->name, known->arn};
  }
  if (auto may = deps.guard->secret(found.name, found.arn); !may)
    return denied(std::move(may).error());
  return found;
}

Result<SecretString> current_value(const StrategyDeps& deps, const std::string& arn) {
  if (!deps.complete()) return no_backend_access();
  auto value = deps.secrets->get_value(arn, "", "AWSCURRENT");
  if (!value) return std::move(value).error();
  return std::move(value->value);
}

Result<http::Response> send(const StrategyDeps& deps, http::Request request, const Sending& how) {
  const Duration left = how.deadline - deps.clock->mono();
  if (left <= Duration(0))
    return make_error(ErrorClass::Unavailable, "ViewTooOld", "no time was left to send it");
  request.timeout = how.changes ? deps.request_timeout : std::min(deps.request_timeout, left);
  request.timeout = std::min(request.timeout, how.at_most);
  request.connect_timeout = std::min(request.connect_timeout, request.timeout);
  request.takes_back = how.changes && how.deadline == MonoTime::max();
  request.sensitive = true;
  auto response = deps.transport->send(request);
  for (auto& header : request.headers) cleanse(header.second);
  cleanse(request.body);
  return response;
}

void wipe(http::Response& response) {
  cleanse(response.body);
  for (auto& header : response.headers) cleanse(header.second);
}

TestResult rejected(std::string why) { return {Verdict::Rejected, std::move(why), std::nullopt}; }

TestResult unknown(const Error& error) {
  return {Verdict::Unknown, error.describe(), error.retry_after, error};
}

}  // namespace keyturn::engine
