// `keyturn validate -f FILE…`: checks policies offline, with the operator's own rules and messages.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/commands.h"
#include "controller/cli/output.h"
#include "controller/cli/policy_file.h"
#include "controller/rotation/operator_config.h"
#include "controller/rotation/policy.h"
#include "controller/rotation/yaml_documents.h"

namespace keyturn::cli {
namespace {

struct Counts {
  int good = 0, bad = 0;
};

void check(const std::string& file, const nlohmann::json& object, Counts& counts) {
  const std::string kind = object.is_object() ? object.value("kind", std::string()) : "";
  if (kind == "List" && object.contains("items")) {
    for (const auto& item : object["items"]) check(file, item, counts);
    return;
  }
  if (kind != "RotationPolicy") {
    std::printf("%s: %s is no RotationPolicy, passed over\n", file.c_str(),
                kind.empty() ? "a document without kind" : kind.c_str());
    return;
  }
  const auto& metadata =
      object.contains("metadata") ? object["metadata"] : nlohmann::json::object();
  const std::string name = metadata.value("namespace", std::string("default")) + "/" +
                           metadata.value("name", std::string("(no name)"));
  const auto problems = rotation::policy_problems(object);
  if (problems.empty()) {
    ++counts.good;
    std::printf("%s: RotationPolicy %s is valid\n", file.c_str(), name.c_str());
    return;
  }
  ++counts.bad;
  for (const auto& problem : problems)
    std::fprintf(stderr, "%s: RotationPolicy %s: %s\n", file.c_str(), name.c_str(),
                 problem.c_str());
}

int validate(const std::vector<std::string>& files, const std::string& config) {
  Counts counts;
  if (!config.empty()) {
    auto loaded = rotation::load_operator_config(config);
    if (loaded) {
      ++counts.good;
      std::printf("%s: the operator's config is valid\n", config.c_str());
    } else {
      ++counts.bad;
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
    }
  }
  for (const auto& file : files) {
    auto text = read_text(file);
    auto documents = text ? rotation::yaml_documents(*text, file)
                          : Result<std::vector<nlohmann::json>>(text.error());
    if (!documents) {
      ++counts.bad;
      complain("validate", documents.error().message);
      continue;
    }
    for (const auto& document : *documents) check(file, document, counts);
  }
  if (counts.good + counts.bad == 0) {
    complain("validate", "no RotationPolicy found in the files given");
    return kFailed;
  }
  return counts.bad == 0 ? kDone : kFailed;
}

}  // namespace

void add_validate(CLI::App& app, Chosen& chosen) {
  auto files = std::make_shared<std::vector<std::string>>();
  auto config = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "validate", "Check policies (and the operator's config) without a cluster");
  command->add_option("-f,--filename", *files, "YAML or JSON files; - for standard input")
      ->type_name("FILE");
  command->add_option("--config", *config, "An operator's config file")->type_name("FILE");
  command->callback([command, files, config, &chosen] {
    if (files->empty() && config->empty()) throw CLI::RequiredError("-f FILE or --config FILE");
    static_cast<void>(command);
    chosen.command = [files, config] { return validate(*files, *config); };
  });
}

}  // namespace keyturn::cli
