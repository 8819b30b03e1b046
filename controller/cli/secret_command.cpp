// `keyturn secret COMMAND`: the engine alone, without Kubernetes.
#include <CLI/CLI.hpp>

#include "controller/cli/secret_commands.h"

namespace keyturn::cli {

void add_secret(CLI::App& app, Chosen& chosen) {
  CLI::App* secret =
      app.add_subcommand("secret", "Work on one secret in AWS Secrets Manager, without Kubernetes");
  secret->require_subcommand(1);
  add_secret_new(*secret, chosen);
  add_secret_status(*secret, chosen);
  add_secret_get(*secret, chosen);
  add_secret_rotate(*secret, chosen);
  add_secret_step(*secret, chosen);
  add_secret_retire(*secret, chosen);
  add_secret_abandon(*secret, chosen);
  add_secret_discard_pending(*secret, chosen);
  add_secret_delete(*secret, chosen);
  add_secret_schedule(*secret, chosen);
  add_secret_iam(*secret, chosen);
}

}  // namespace keyturn::cli
