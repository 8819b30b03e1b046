// `keyturn secret retire`, `abandon` and `discard-pending`: what ends a credential or an attempt on
// a person's word.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_errands.h"
#include "controller/cli/secret_flags.h"

namespace keyturn::cli {
namespace {

int show(const char* name, const SecretFlags& flags, OpenSecret& open,
         const Result<Released>& released) {
  if (!released) return fail_secret(name, released.error());
  if (flags.structured()) {
    print({{"secretArn", released->arn},
           {"versionId", released->version_id},
           {"note", released->note},
           {"steps", open.steps()}},
          flags.output);
  } else {
    std::printf("%s\n", released->note.c_str());
  }
  return kDone;
}

int retire(const SecretFlags& given) {
  auto flags = resolve(given, Asks::Strategy);
  if (!flags) return fail_secret("retire", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("retire", open.error());
  return show("retire", *flags, **open, retire_alone((*open)->alone()));
}

struct AbandonFlags {
  SecretFlags secret;
  bool keep_credential = false;
};

int abandon(const AbandonFlags& given) {
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("abandon", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("abandon", open.error());
  Alone& alone = (*open)->alone();
  return show("abandon", *flags, **open,
              given.keep_credential ? release_foreign(alone) : abandon_alone(alone));
}

struct DiscardFlags {
  SecretFlags secret;
  std::string version;
};

int discard(const DiscardFlags& given) {
  auto flags = resolve(given.secret, Asks::NoStrategy);
  if (!flags) return fail_secret("discard-pending", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("discard-pending", open.error());
  return show("discard-pending", *flags, **open,
              discard_pending((*open)->secrets(), flags->secret, given.version));
}

}  // namespace

void add_secret_retire(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<SecretFlags>();
  CLI::App* command = secret.add_subcommand("retire",
                                            "Revoke the credential that the last rotation "
                                            "replaced, whoever still uses it; where a policy "
                                            "rotates the secret, `keyturn revoke` shows who does");
  flags->add_to(*command, Asks::Strategy);
  flags->add_times_to(*command);
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return retire(*flags); };
  });
}

void add_secret_abandon(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<AbandonFlags>();
  CLI::App* command = secret.add_subcommand(
      "abandon", "Give up the attempt under way and revoke what was minted for it");
  flags->secret.add_to(*command, Asks::Strategy);
  flags->secret.add_times_to(*command);
  command->add_flag("--keep-credential", flags->keep_credential,
                    "With a strategy that has no backend: take the labels off what another one "
                    "left, whose credential then stays valid");
  command->callback([flags, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [flags] { return abandon(*flags); };
  });
}

void add_secret_discard_pending(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<DiscardFlags>();
  CLI::App* command = secret.add_subcommand(
      "discard-pending", "Take AWSPENDING off a version that somebody else made");
  command->add_option("VERSION", flags->version, "The version's whole id")->required();
  flags->secret.add_to(*command, Asks::NoStrategy);
  command->callback([flags, &chosen] { chosen.command = [flags] { return discard(*flags); }; });
}

}  // namespace keyturn::cli
