// `keyturn version`.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "controller/cli/cli.h"
#include "controller/cli/commands.h"

namespace keyturn::cli {

std::string version_text() { return KT_VERSION; }

void add_version(CLI::App& app, Chosen& chosen) {
  app.add_subcommand("version", "Print the version")->callback([&chosen] {
    chosen.command = [] {
      std::printf("keyturn %s\n", version_text().c_str());
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace keyturn::cli
