// Each subcommand registers itself on the CLI11 app and, when chosen, stores its exit status. One
// file a command. Thread rule: main thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace keyturn::cli {

// Set by the chosen command's callback; run() returns it.
struct Chosen {
  std::function<int()> command;
  bool reads_signals = false;  // else Ctrl-C and SIGTERM end the process as usual
};

void add_controller(CLI::App& app, Chosen& chosen);
void add_status(CLI::App& app, Chosen& chosen);
void add_rotate(CLI::App& app, Chosen& chosen);
void add_rollback(CLI::App& app, Chosen& chosen);
void add_revoke(CLI::App& app, Chosen& chosen);
void add_plan(CLI::App& app, Chosen& chosen);
void add_validate(CLI::App& app, Chosen& chosen);
void add_secret(CLI::App& app, Chosen& chosen);
void add_lambda(CLI::App& app, Chosen& chosen);
void add_version(CLI::App& app, Chosen& chosen);

std::string version_text();

}  // namespace keyturn::cli
