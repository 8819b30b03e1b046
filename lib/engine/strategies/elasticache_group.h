// What the strategies of ElastiCache have in common: a replication group that a credential may be
// sent to, and logins at its primaries.
//
// Errors: Invalid, for a person must act: "NoCache" (no such group), "NoTls"; the guard's as
// Invalid; Transient "CacheNotReady".
//
// Thread rule: pure but for the requests; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/aws/elasticache.h"
#include "lib/engine/strategies/backend_access.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine::elasticache {

// A refusal that says "not now", and when: the user, the group is being changed.
Error being_changed(const std::string& whom, const StrategyDeps& deps);
// Why a test came to no answer, as an error.
Error cause_of(const TestResult& result);

// As ElastiCache has ids: letters, digits, hyphens, a letter first.
bool is_id(std::string_view text);
Status check_group_id(const std::string& id);
// The option replicationGroupId, "" when absent. Problems fail `options`.
std::string group_option(Options& options);

// DescribeReplicationGroups: there, and with encryption in transit.
Result<aws::ReplicationGroup> encrypted_group(const StrategyDeps& deps, const std::string& id);
// "host:port" of each primary, or of the configuration endpoint.
Result<std::vector<std::string>> addresses_of(const aws::ReplicationGroup& group);
// Where these lead, once the guard has allowed each.
Result<std::vector<Server>> allowed_servers(const StrategyDeps& deps,
                                            const std::vector<std::string>& addresses);

}  // namespace keyturn::engine::elasticache
