#include "lib/engine/strategies/elasticache_group.h"

#include <algorithm>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine::elasticache {
namespace {

constexpr std::size_t kMostBytes = 300;

std::string named(const std::string& id) { return "replication group " + printable(id, 60); }

}  // namespace

Error being_changed(const std::string& whom, const StrategyDeps& deps) {
  Error error = make_error(ErrorClass::Unavailable, "BeingChanged",
                           whom + " is being changed; it is looked at again");
  error.retry_after = deps.request_timeout / 3;
  return error;
}

Error cause_of(const TestResult& result) {
  if (result.cause) return *result.cause;
  return make_error(ErrorClass::Transient, "TestUnknown", result.detail);
}

bool is_id(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && text.size() <= 64 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

Status check_group_id(const std::string& id) {
  if (is_id(id)) return {};
  return invalid("BadField", "must be the id of a replication group, such as shop-cache");
}

std::string group_option(Options& options) {
  std::string id = options.text("replicationGroupId", kMostBytes).value_or("");
  if (id.empty()) return id;
  if (auto good = check_group_id(id); !good)
    options.fail("replicationGroupId", good.error().message);
  return id;
}

Result<aws::ReplicationGroup> encrypted_group(const StrategyDeps& deps, const std::string& id) {
  auto group = deps.elasticache->replication_group(id);
  if (!group && group.error().cls == ErrorClass::NotFound) {
    return invalid("NoCache", "there is no " + named(id) +
                                  " in this account and region; correct replicationGroupId");
  }
  if (!group || group->tls) return group;
  return invalid("NoTls", named(id) +
                              " has no encryption in transit, which passwords and tokens need: "
                              "none is sent in clear");
}

Result<std::vector<std::string>> addresses_of(const aws::ReplicationGroup& group) {
  std::vector<aws::CacheEndpoint> endpoints = group.primaries;
  if (endpoints.empty() && group.configuration) endpoints = {*group.configuration};
  if (endpoints.empty()) {
    return make_error(
        ErrorClass::Transient, "CacheNotReady",
        named(group.id) + " has no endpoint yet (status " + printable(group.status, 60) + ")");
  }
  std::vector<std::string> out;
  for (const aws::CacheEndpoint& endpoint : endpoints)
    out.push_back(lower_ascii(endpoint.host) + ":" + std::to_string(endpoint.port));
  return out;
}

Result<std::vector<Server>> allowed_servers(const StrategyDeps& deps,
                                            const std::vector<std::string>& addresses) {
  std::vector<Server> out;
  for (const std::string& address : addresses) {
    auto server = allowed_server(deps, "https://" + address);
    if (!server) return std::move(server).error();
    out.push_back(*std::move(server));
  }
  return out;
}

}  // namespace keyturn::engine::elasticache
