// The subcommands of `keyturn secret`: each registers itself on that command. One file for what
// belongs together. Thread rule: main thread.
#pragma once

#include "controller/cli/commands.h"

namespace keyturn::cli {

void add_secret_status(CLI::App& secret, Chosen& chosen);
void add_secret_get(CLI::App& secret, Chosen& chosen);
void add_secret_rotate(CLI::App& secret, Chosen& chosen);
void add_secret_step(CLI::App& secret, Chosen& chosen);
void add_secret_retire(CLI::App& secret, Chosen& chosen);
void add_secret_abandon(CLI::App& secret, Chosen& chosen);
void add_secret_discard_pending(CLI::App& secret, Chosen& chosen);
void add_secret_new(CLI::App& secret, Chosen& chosen);
void add_secret_delete(CLI::App& secret, Chosen& chosen);
void add_secret_schedule(CLI::App& secret, Chosen& chosen);
void add_secret_iam(CLI::App& secret, Chosen& chosen);

}  // namespace keyturn::cli
