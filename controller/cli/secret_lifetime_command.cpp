// `keyturn secret new` and `keyturn secret delete`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/policy_file.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_errands.h"
#include "controller/cli/secret_flags.h"
#include "lib/base/time.h"

namespace keyturn::cli {
namespace {

struct NewFlags {
  SecretFlags secret;
  std::string value_file, description, kms_key_id;
};

int make_new(const NewFlags& given) {
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("new", flags.error());
  NewSecret wanted{flags->secret, {}, given.description, given.kms_key_id};
  if (!given.value_file.empty()) {
    auto text = read_text(given.value_file);
    if (!text) return fail_secret("new", text.error());
    wanted.value = SecretString::take(std::move(text).value());
  }
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("new", open.error());
  auto created = create_alone((*open)->alone(), (*open)->admin(), wanted);
  if (!created) return fail_secret("new", created.error());
  if (flags->structured()) {
    print({{"secretArn", created->arn},
           {"versionId", created->version_id},
           {"note", created->note},
           {"steps", (*open)->steps()}},
          flags->output);
  } else {
    std::printf("%s %s: version %s is current\n  %s\n", flags->secret.c_str(),
                created->note.c_str(), created->version_id.c_str(), created->arn.c_str());
  }
  return kDone;
}

struct DeleteFlags {
  SecretFlags secret;
  int recovery_days = aws::kMaxRecoveryDays;
  bool yes = false;
  bool keep_credential = false;
};

int remove(const DeleteFlags& given) {
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("delete", flags.error());
  if (!given.yes) {
    return fail_secret(
        "delete",
        invalid(
            "NotConfirmed",
            "nothing was done: --yes " +
                std::string(given.keep_credential ? ""
                                                  : "revokes the credential of " + flags->secret +
                                                        " at its backend, whoever uses it, and ") +
                "deletes " + flags->secret + "; it can be restored for " +
                std::to_string(given.recovery_days) + " days, its credential cannot"));
  }
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("delete", open.error());
  auto deleted =
      delete_alone((*open)->alone(), (*open)->admin(), given.recovery_days, given.keep_credential);
  if (!deleted) return fail_secret("delete", deleted.error());
  const std::string when = format_rfc3339(deleted->when);
  if (flags->structured()) {
    print({{"secretArn", deleted->arn},
           {"note", deleted->note},
           {"deletionDate", when},
           {"steps", (*open)->steps()}},
          flags->output);
  } else {
    std::printf(
        "%s\n%s will be gone on %s; until then `aws secretsmanager restore-secret --secret-id %s` "
        "brings it back\n",
        deleted->note.c_str(), flags->secret.c_str(), when.c_str(), deleted->arn.c_str());
  }
  return kDone;
}

}  // namespace

void add_secret_new(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<NewFlags>();
  CLI::App* command = secret.add_subcommand(
      "new", "Create a secret, its credential made or minted by the strategy");
  flags->secret.add_to(*command, Asks::Strategy);
  flags->secret.add_times_to(*command);
  command
      ->add_option("--from-file", flags->value_file,
                   "What the strategy starts from, byte for byte: the secret's JSON with empty "
                   "fields where it makes them; - for standard input")
      ->type_name("FILE");
  command->add_option("--description", flags->description, "The secret's description");
  command->add_option("--kms-key-id", flags->kms_key_id, "KMS key; default: aws/secretsmanager");
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return make_new(*flags); };
  });
}

void add_secret_delete(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<DeleteFlags>();
  CLI::App* command = secret.add_subcommand(
      "delete", "Revoke the credential at its backend, then delete the secret");
  flags->secret.add_to(*command, Asks::Strategy);
  flags->secret.add_times_to(*command);
  command
      ->add_option("--recovery-days", flags->recovery_days,
                   "Days in which the secret can be restored (its credential cannot)")
      ->check(CLI::Range(aws::kMinRecoveryDays, aws::kMaxRecoveryDays))
      ->capture_default_str();
  command->add_flag("--keep-credential", flags->keep_credential, "Delete the secret only");
  command->add_flag("--yes", flags->yes, "Without it nothing is done");
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return remove(*flags); };
  });
}

}  // namespace keyturn::cli
