#include "controller/cli/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "controller/cli/commands.h"
#include "controller/cli/interrupt.h"

namespace keyturn::cli {

int run(int argc, char** argv) {
  CLI::App app{
      "Keyturn rotates secrets in AWS Secrets Manager, syncs them into Kubernetes, and revokes the "
      "old ones when nobody uses them."};
  app.name(std::string(argv[0]).find("kubectl-keyturn") != std::string::npos ? "kubectl keyturn"
                                                                             : "keyturn");
  app.require_subcommand(1);
  Chosen chosen;
  add_controller(app, chosen);
  add_status(app, chosen);
  add_rotate(app, chosen);
  add_rollback(app, chosen);
  add_revoke(app, chosen);
  add_plan(app, chosen);
  add_validate(app, chosen);
  add_secret(app, chosen);
  add_lambda(app, chosen);
  add_version(app, chosen);
  try {
    // Lambda starts a program of that name, without a word.
    if (argc == 1 && std::filesystem::path(argv[0]).filename() == "bootstrap") {
      app.parse("lambda");
    } else {
      app.parse(argc, argv);
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;  // --help is no error
  }
  if (!chosen.reads_signals) Interrupt::let_signals_end_us();
  try {
    return chosen.command();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "keyturn: internal error: %s\n", error.what());
    return kFailed;
  }
}

}  // namespace keyturn::cli
