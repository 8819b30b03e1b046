// `keyturn secret retire`: what ends a credential on a person's word.
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

}  // namespace keyturn::cli
