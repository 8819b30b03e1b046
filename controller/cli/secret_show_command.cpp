// `keyturn secret status` and `keyturn secret get`: they read and change nothing.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_describe.h"
#include "controller/cli/secret_flags.h"
#include "lib/aws/secret_json.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

// Without a strategy only the labels are read, as any strategy reads them.
Result<SecretStory> gather(OpenSecret& open, const SecretFlags& flags) {
  SecretStory story;
  if (open.strategy() != nullptr) {
    engine::Engine engine = open.alone().engine();
    auto view = engine.look(flags.secret);
    if (!view) return std::move(view).error();
    story.view = std::move(view).value();
    story.next = engine.decide(story.view, {});
    story.strategy = flags.strategy;
  } else {
    auto described = open.secrets().describe(flags.secret);
    if (!described) return std::move(described).error();
    story.view.secret = std::move(described).value();
    story.view.labels = engine::read_labels(story.view.secret.arn, story.view.secret.stages);
    story.view.foreign_pending = true;
  }
  auto versions = open.secrets().list_versions(flags.secret, true);
  if (!versions) return std::move(versions).error();
  story.versions = std::move(versions).value();
  return story;
}

int status(const SecretFlags& given) {
  auto flags = resolve(given, Asks::MayNameStrategy);
  if (!flags) return fail_secret("status", flags.error());
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("status", open.error());
  auto story = gather(**open, *flags);
  if (!story) return fail_secret("status", story.error());
  if (flags->structured()) {
    print(secret_json(*story), flags->output);
  } else {
    std::fputs(describe_secret(*story, (*open)->clock().now()).c_str(), stdout);
  }
  return kDone;
}

struct GetFlags {
  SecretFlags secret;
  std::string version_id, stage = "AWSCURRENT", field;
  bool reveal = false;
};

Result<aws::SecretValue> read(OpenSecret& open, const SecretFlags& flags, const GetFlags& given) {
  auto value = open.secrets().get_value(flags.secret, given.version_id,
                                        given.version_id.empty() ? given.stage : "");
  if (!value || !given.reveal) return value;
  if (value->binary)
    return invalid("BinarySecret", value->name +
                                       " is binary (SecretBinary), which Keyturn does not handle; "
                                       "`aws secretsmanager get-secret-value` shows it");
  if (given.field.empty()) return value;
  auto field = engine::Document::parse(value->value).get(given.field);
  if (!field) return std::move(field).error().with_context("--field, in " + value->name);
  value->value = std::move(field).value();
  return value;
}

// The only place that prints a value: asked for with --reveal.
void print_value(const SecretString& value) {
  std::fwrite(value.reveal().data(), 1, value.size(), stdout);
  std::fputc('\n', stdout);
}

// The value goes into the text behind the JSON library's back, which would keep copies.
void print_with_value(const nlohmann::json& known, const SecretString& value) {
  std::string text = known.dump(2);
  text.resize(text.size() - 2);  // "\n}"
  text.reserve(text.size() + aws::json_string_room(value.reveal()) + 32);
  text += ",\n  \"value\": ";
  aws::append_json_string(text, value.reveal());
  text += "\n}\n";
  std::fputs(text.c_str(), stdout);
  cleanse(text);
}

int get(const GetFlags& given) {
  auto flags = resolve(given.secret, Asks::NoStrategy);
  if (!flags) return fail_secret("get", flags.error());
  if (!given.field.empty() && !given.reveal)
    return fail_secret("get", invalid("Usage", "--field prints a value: it needs --reveal"));
  auto open = OpenSecret::open(*flags);
  if (!open) return fail_secret("get", open.error());
  const auto value = read(**open, *flags, given);
  if (!value) return fail_secret("get", value.error());
  const std::string labels = join({value->stages.begin(), value->stages.end()}, ", ");
  if (flags->structured()) {
    nlohmann::json known = {{"name", value->name},
                            {"secretArn", value->arn},
                            {"versionId", value->version_id},
                            {"labels", value->stages}};
    if (value->created) known["created"] = format_rfc3339(*value->created);
    // JSON is YAML, too.
    given.reveal ? print_with_value(known, value->value) : print(known, flags->output);
  } else if (given.reveal) {
    print_value(value->value);
  } else {
    std::printf("Secret %s, version %s (%s)\n  %s\n  not shown; --reveal prints it\n",
                value->name.c_str(), value->version_id.c_str(), labels.c_str(),
                shape_of(*value).c_str());
  }
  return kDone;
}

}  // namespace

void add_secret_status(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<SecretFlags>();
  CLI::App* command = secret.add_subcommand(
      "status", "Show labels, versions, who holds what, and with a strategy what comes next");
  flags->add_to(*command, Asks::MayNameStrategy);
  command->callback([flags, &chosen] { chosen.command = [flags] { return status(*flags); }; });
}

void add_secret_get(CLI::App& secret, Chosen& chosen) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* command = secret.add_subcommand("get", "Show a version; its value only with --reveal");
  flags->secret.add_to(*command, Asks::NoStrategy);
  auto* version = command->add_option("--version-id", flags->version_id, "This version");
  command->add_option("--stage", flags->stage, "The version with this label")
      ->capture_default_str()
      ->excludes(version);
  command->add_option("--field", flags->field, "With --reveal: only this field, as /password")
      ->type_name("POINTER");
  command->add_flag("--reveal", flags->reveal, "Print the value");
  command->callback([flags, &chosen] { chosen.command = [flags] { return get(*flags); }; });
}

}  // namespace keyturn::cli
