// `keyturn rollback NAME` and `keyturn revoke NAME`: what a person may ask of a rotation that is
// over, while its old credential still lives.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "controller/cli/cli.h"
#include "controller/cli/cluster.h"
#include "controller/cli/commands.h"
#include "controller/cli/policy_request.h"

namespace keyturn::cli {
namespace {

struct AskFlags {
  ClusterFlags cluster;
  std::string name;
  bool yes = false;
};

int fail(const char* command, const std::string& message) {
  complain(command, message);
  return kFailed;
}

std::string here(const rotation::Policy& policy) { return policy.name + " -n " + policy.ns; }

int rollback(const AskFlags& flags) {
  auto cluster = Cluster::connect(flags.cluster);
  if (!cluster) return fail("rollback", cluster.error().message);
  auto policy = (*cluster)->policy(flags.name);
  if (!policy) return fail("rollback", policy.error().message);
  auto traits = traits_of(*policy);
  if (!traits) return fail("rollback", traits.error().message);
  if (!traits->can_rollback) {
    return fail("rollback", policy->key() + " has strategy " + traits->name +
                                ", which cannot bring an old credential back; go forward: keyturn "
                                "rotate " +
                                here(*policy));
  }
  const SecretSight secret = look_at_secret(*policy);
  if (secret.trouble.empty() && traits->backend != engine::Backend::None &&
      retiring_version(*policy, secret).empty()) {
    return fail("rollback", policy->key() +
                                " has no old credential that still lives (nobody holds "
                                "KEYTURN_BATON); go forward: keyturn rotate " +
                                here(*policy));
  }
  auto asked = annotate(**cluster, *policy, {rotation::kRollbackRequested});
  if (!asked) return fail("rollback", asked.error().message);
  std::printf(
      "rollback of %s asked for at %s: a new version with the old credential becomes current, the "
      "Secrets and workloads follow, the failed credential is retired\nfollow it: keyturn status "
      "%s\n",
      policy->key().c_str(), asked->c_str(), here(*policy).c_str());
  return kDone;
}

int revoke(const AskFlags& flags) {
  auto cluster = Cluster::connect(flags.cluster);
  if (!cluster) return fail("revoke", cluster.error().message);
  auto policy = (*cluster)->policy(flags.name);
  if (!policy) return fail("revoke", policy.error().message);
  auto traits = traits_of(*policy);
  if (!traits) return fail("revoke", traits.error().message);
  if (!traits->can_revoke) {
    return fail("revoke", policy->key() + " has strategy " + traits->name +
                              ", which has no old credential to revoke at a backend");
  }
  const SecretSight secret = look_at_secret(*policy);
  const std::string version = revocable_version(*policy, secret);
  if (version.empty()) {
    return fail("revoke", policy->key() + ": no old credential waits to be revoked" +
                              (secret.trouble.empty() ? "" : ", says its status"));
  }
  const bool known = policy->status.retiring && policy->status.retiring->version_id == version;
  std::printf("RotationPolicy %s\n  %s\n", policy->key().c_str(),
              known ? describe_retiring(*policy, (*cluster)->clock().now()).c_str()
                    : ("retiring the old credential (version " + short_version(version) +
                       "); the operator has not said yet who still holds it")
                          .c_str());
  if (!flags.yes) {
    return fail("revoke",
                "nothing was done: --yes revokes it now, and whoever still holds it is "
                "locked out");
  }
  auto asked = annotate(**cluster, *policy, {rotation::kRevokeRequested});
  if (!asked) return fail("revoke", asked.error().message);
  std::printf("revocation asked for at %s; follow it: keyturn status %s\n", asked->c_str(),
              here(*policy).c_str());
  return kDone;
}

}  // namespace

void add_rollback(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<AskFlags>();
  CLI::App* command = app.add_subcommand(
      "rollback", "Ask for the old credential back, as a new version, while it still lives");
  command->add_option("NAME", flags->name, "A RotationPolicy")->required();
  flags->cluster.add_to(*command, false);
  command->callback([flags, &chosen] { chosen.command = [flags] { return rollback(*flags); }; });
}

void add_revoke(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<AskFlags>();
  CLI::App* command = app.add_subcommand(
      "revoke", "Show who still holds the old credential; with --yes have it revoked now");
  command->add_option("NAME", flags->name, "A RotationPolicy")->required();
  command->add_flag("--yes", flags->yes, "Revoke; without it nothing is done");
  flags->cluster.add_to(*command, false);
  command->callback([flags, &chosen] { chosen.command = [flags] { return revoke(*flags); }; });
}

}  // namespace keyturn::cli
