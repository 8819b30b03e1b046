// `keyturn status [NAME]`: a table of policies, or one policy's whole story.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/cluster.h"
#include "controller/cli/commands.h"
#include "controller/cli/describe.h"
#include "controller/cli/policy_request.h"
#include "controller/rotation/secret_knowledge.h"

namespace keyturn::cli {
namespace {

struct StatusFlags {
  ClusterFlags cluster;
  std::string name;
};

int fail(const Error& error) {
  complain("status", error.message);
  return kFailed;
}

// The other policies on the same secret, in every namespace that may be listed. A secret is its ARN
// without the region, as for the gate.
std::vector<rotation::Policy> followers_of(Cluster& cluster, const rotation::Policy& policy,
                                           std::string& trouble) {
  std::vector<rotation::Policy> followers;
  if (policy.status.secret_arn.empty()) return followers;
  auto objects = cluster.policy_objects(true);
  if (!objects) {
    trouble = objects.error().message;
    objects = cluster.policy_objects(false);
    if (!objects) return followers;
  }
  const std::string secret = rotation::arn_without_region(policy.status.secret_arn);
  for (const auto& object : *objects) {
    auto other = rotation::parse_policy(object);
    if (!other || other->key() == policy.key() || other->deleted ||
        other->status.secret_arn.empty() ||
        rotation::arn_without_region(other->status.secret_arn) != secret)
      continue;
    followers.push_back(std::move(other).value());
  }
  return followers;
}

int show_one(Cluster& cluster, const StatusFlags& flags) {
  auto object = cluster.policy_object(flags.name);
  if (!object) return fail(object.error());
  if (flags.cluster.output == Output::Json || flags.cluster.output == Output::Yaml) {
    (*object)["metadata"].erase("managedFields");
    print(*object, flags.cluster.output);
    return kDone;
  }
  auto policy = rotation::parse_policy(*object);
  if (!policy) return fail(policy.error());
  std::string trouble;
  const auto followers = followers_of(cluster, *policy, trouble);
  std::fputs(
      describe_policy(*policy, look_at_secret(*policy), cluster.clock().now(), followers, trouble)
          .c_str(),
      stdout);
  return kDone;
}

std::vector<std::string> cells(const rotation::Policy& policy, bool all, bool wide, WallTime now) {
  std::vector<std::string> row;
  if (all) row.push_back(policy.ns);
  const auto in_sync = std::count_if(policy.status.targets.begin(), policy.status.targets.end(),
                                     [&](const rotation::TargetStatus& t) {
                                       return t.version_id == policy.status.current_version_id &&
                                              !t.version_id.empty();
                                     });
  for (std::string cell :
       {policy.name, policy.spec.secret_id, policy.spec.strategy.name, state_of(policy),
        std::to_string(in_sync) + "/" + std::to_string(policy.spec.targets.size()),
        ago(policy.status.last_rotation, now),
        policy.spec.suspend ? std::string("suspended") : until(policy.status.next_rotation, now)}) {
    row.push_back(std::move(cell));
  }
  if (wide) {
    row.push_back(short_version(policy.status.current_version_id));
    const auto* ready = policy.status.condition("Ready");
    row.push_back(ready ? ready->message : "");
  }
  return row;
}

int show_all(Cluster& cluster, const StatusFlags& flags) {
  auto objects = cluster.policy_objects(flags.cluster.all_namespaces);
  if (!objects) return fail(objects.error());
  if (flags.cluster.output == Output::Json || flags.cluster.output == Output::Yaml) {
    for (auto& object : *objects) object["metadata"].erase("managedFields");
    print({{"apiVersion", "v1"}, {"kind", "List"}, {"items", *objects}}, flags.cluster.output);
    return kDone;
  }
  const bool wide = flags.cluster.output == Output::Wide;
  std::vector<std::string> header{"NAME",   "SECRET",        "STRATEGY",     "STATE",
                                  "SYNCED", "LAST ROTATION", "NEXT ROTATION"};
  if (flags.cluster.all_namespaces) header.insert(header.begin(), "NAMESPACE");
  if (wide) header.insert(header.end(), {"VERSION", "MESSAGE"});
  Table table(std::move(header));
  for (const auto& object : *objects) {
    if (auto policy = rotation::parse_policy(object))
      table.add(cells(*policy, flags.cluster.all_namespaces, wide, cluster.clock().now()));
  }
  if (table.empty()) {
    std::fprintf(stderr, "No RotationPolicies found%s.\n",
                 flags.cluster.all_namespaces ? "" : (" in namespace " + cluster.ns()).c_str());
    return kDone;
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

}  // namespace

void add_status(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<StatusFlags>();
  CLI::App* command = app.add_subcommand("status", "Show policies, or one policy's whole story");
  command->add_option("NAME", flags->name, "A RotationPolicy; without it, a table of all");
  flags->cluster.add_to(*command, true);
  flags->cluster.add_output_to(*command);
  command->callback([flags, &chosen] {
    chosen.command = [flags] {
      auto cluster = Cluster::connect(flags->cluster);
      if (!cluster) return fail(cluster.error());
      return flags->name.empty() ? show_all(**cluster, *flags) : show_one(**cluster, *flags);
    };
  });
}

}  // namespace keyturn::cli
