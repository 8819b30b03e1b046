// What a strategy with a backend does on its way there: the access rules are asked, another secret
// that a value names is read, a request is sent in time. Order of asking: deps.h.
//
// Errors: those of the guard become Invalid (a person must change the rules or the value; asking
// again by and by mends nothing); Unavailable "NoBackendAccess": made without deps.
//
// Thread rule: pure but for the requests; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "lib/engine/strategies/deps.h"
#include "lib/engine/strategy.h"

namespace keyturn::engine {

Error no_backend_access();
// A guard's refusal, as strategies return it.
Error denied(Error error);

inline constexpr std::size_t kMaxUrl = 1024;
// http or https, no user, no query. Invalid "BadUrl"; `example` is for its message.
Status check_server_url(const std::string& url, const std::string& example);

struct Server {
  std::string base;       // "https://host:8086", perhaps with a path; no slash at the end
  std::string host_port;  // for messages and the access rules
};
// Where that URL leads, once the guard has allowed it.
Result<Server> allowed_server(const StrategyDeps& deps, const std::string& url);

struct NamedSecret {
  std::string name, arn;
};
// Another secret, by name or ARN: resolved (DescribeSecret, nothing else), then asked about.
Result<NamedSecret> allowed_secret(const StrategyDeps& deps, const std::string& secret_id);
// AWSCURRENT of the secret that the strategy works for.
Result<SecretString> current_value(const StrategyDeps& deps, const std::string& arn);

// Fills in how long the request may take, sends it, and wipes it. What `changes` anything is sent
// only before the deadline (else Unavailable "ViewTooOld") and then has the whole request time-out,
// or `at_most`; another has the time that is left. A change without a deadline takes back what an
// earlier request did. A refusal is a response; the caller wipes it.
struct Sending {
  bool changes = false;
  MonoTime deadline{};
  Duration at_most = Duration::max();
};
Result<http::Response> send(const StrategyDeps& deps, http::Request request, const Sending& how);
void wipe(http::Response& response);

// A test's answers.
TestResult rejected(std::string why);
TestResult unknown(const Error& error);

}  // namespace keyturn::engine
