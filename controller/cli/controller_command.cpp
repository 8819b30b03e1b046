// `keyturn controller`: the operator.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "controller/cli/cli.h"
#include "controller/cli/commands.h"
#include "controller/rotation/operator.h"

namespace keyturn::cli {
namespace {

int run_controller(const rotation::OperatorOptions& options) {
  auto made = rotation::Operator::create(options);
  if (!made) {
    std::fprintf(stderr, "keyturn controller: %s\n", made.error().message.c_str());
    return kFailed;
  }
  auto end = (*made)->run();
  if (end) return kDone;
  std::fprintf(stderr, "keyturn controller: %s\n", end.error().message.c_str());
  return kFailed;
}

}  // namespace

void add_controller(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<rotation::OperatorOptions>();
  options->version = version_text();
  options->env = aws::process_environment();
  CLI::App* command = app.add_subcommand("controller", "Run the operator");
  command
      ->add_option("--config", options->config_path,
                   "Config file (YAML); without it no access rule exists and nothing is allowed")
      ->type_name("FILE");
  command
      ->add_option("--kubeconfig", options->kubeconfig,
                   "Kubeconfig; default: KUBECONFIG, ~/.kube/config, then in-cluster")
      ->type_name("FILE");
  command->add_option("--context", options->context, "Context of the kubeconfig");
  command->callback([options, &chosen] {
    chosen.reads_signals = true;
    chosen.command = [options] { return run_controller(*options); };
  });
}

}  // namespace keyturn::cli
