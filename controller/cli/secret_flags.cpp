#include "controller/cli/secret_flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/policy_file.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

constexpr Duration kShortestDeadline{100};
constexpr Duration kLongestDeadline{120'000};

Error usage(std::string message) { return invalid("Usage", std::move(message)); }

}  // namespace

std::string known_strategies() {
  std::string names;
  for (const auto name : engine::strategy_names())
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

Result<Duration> read_request_deadline(const std::string& text) {
  auto deadline = parse_duration(text);
  if (deadline && *deadline >= kShortestDeadline && *deadline <= kLongestDeadline) return deadline;
  return invalid("BadDuration", "write a duration from " + format_duration(kShortestDeadline) +
                                    " to " + format_duration(kLongestDeadline) + ", such as 15s");
}

void SecretFlags::add_to(CLI::App& command, Asks asks) {
  command.add_option("SECRET", secret, "Name or ARN of a secret in Secrets Manager");
  command
      .add_option("-f,--filename", file,
                  "A RotationPolicy that names the secret, its region and its strategy; - for "
                  "standard input")
      ->type_name("FILE");
  if (asks != Asks::NoStrategy) {
    command.add_option("--strategy", strategy, "How the secret rotates: " + known_strategies())
        ->type_name("NAME");
    command.add_option("--options", options, "The strategy's options, as in a policy")
        ->type_name("JSON");
  }
  command.add_option("--region", region, "AWS region; default: AWS_REGION, the profile's");
  command
      .add_option("--endpoint-url", endpoint_url,
                  "Endpoint of every AWS service; default: AWS_ENDPOINT_URL…, then AWS")
      ->type_name("URL");
  static const std::map<std::string, Output> kOutputs{{"json", Output::Json},
                                                      {"yaml", Output::Yaml}};
  command.add_option("-o,--output", output, "json or yaml")
      ->transform(CLI::CheckedTransformer(kOutputs))
      ->option_text("json|yaml");
}

void SecretFlags::add_times_to(CLI::App& command) {
  command
      .add_option("--timeout", timeout, "Give up waiting after this time; what was done is kept")
      ->capture_default_str();
  command
      .add_option("--request-deadline", request_deadline,
                  "The label protocol's unit of time: at least the requestDeadline of every "
                  "operator that may work on the secret")
      ->capture_default_str();
}

Result<SecretFlags> resolve(SecretFlags flags, Asks asks) {
  if (!flags.file.empty()) {
    auto policy = policy_from_file(flags.file);
    if (!policy) return std::move(policy).error();
    if (!flags.secret.empty() && flags.secret != policy->spec.secret_id)
      return usage("SECRET is " + flags.secret + ", but " + flags.file + " is about " +
                   policy->spec.secret_id + "; leave one of them out");
    if (!flags.strategy.empty() || !flags.options.empty())
      return usage("--strategy and --options do not go with -f " + flags.file +
                   ", which names the strategy");
    flags.secret = policy->spec.secret_id;
    if (flags.region.empty()) flags.region = policy->spec.region;
    flags.strategy = policy->spec.strategy.name;
    flags.options = policy->spec.strategy.options;
  }
  if (flags.secret.empty()) return usage("name the secret, or a policy with -f FILE");
  if (asks == Asks::Strategy && flags.strategy.empty())
    return usage("name the strategy with --strategy NAME (" + known_strategies() +
                 "), or a policy with -f FILE");
  if (flags.strategy.empty() && !flags.options.empty())
    return usage("--options needs --strategy NAME");
  if (flags.options.empty()) flags.options = "{}";
  return flags;
}

OpenSecret::OpenSecret() : steps_(std::make_unique<nlohmann::json>(nlohmann::json::array())) {}
OpenSecret::~OpenSecret() = default;

const nlohmann::json& OpenSecret::steps() const { return *steps_; }

Result<std::unique_ptr<OpenSecret>> OpenSecret::open(const SecretFlags& flags) {
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout) return usage("--timeout: " + timeout.error().message);
  const auto deadline = read_request_deadline(flags.request_deadline);
  if (!deadline) return usage("--request-deadline: " + deadline.error().message);
  std::unique_ptr<OpenSecret> open(new OpenSecret());
  if (!flags.strategy.empty()) {  // what is wrong with it is told before AWS is asked for
    auto checked = engine::make_strategy(flags.strategy, flags.options);
    if (!checked) return std::move(checked).error();
  }
  auto access = AwsAccess::create({flags.region, flags.endpoint_url, *deadline});
  if (!access) return std::move(access).error();
  open->access_ = std::move(access).value();
  if (flags.strategy.empty()) return open;
  auto made = engine::make_strategy(flags.strategy, flags.options, open->access_->strategy_deps());
  if (!made) return std::move(made).error();
  open->strategy_ = std::move(made).value();
  open->alone_.reset(new Alone{.secret_id = flags.secret,
                               .secrets = open->secrets(),
                               .strategy = *open->strategy_,
                               .clock = open->clock(),
                               .rng = open->rng(),
                               .timing = {.request_deadline = *deadline},
                               .time_limit = *timeout,
                               .stop = open->interrupt_.token()});
  open->alone_->tell = [steps = open->steps_.get(),
                        quiet = flags.structured()](const Progress& progress) {
    steps->push_back({{"step", progress.step},
                      {"action", progress.action},
                      {"event", progress.event},
                      {"note", progress.note}});
    if (quiet) return;
    std::printf("  %-13s %s\n", progress.step.c_str(), progress.note.c_str());
    std::fflush(stdout);
  };
  return open;
}

int fail_secret(const char* command, const Error& error) {
  const bool not_there = error.code == "ResourceNotFoundException";
  complain(std::string("secret ") + command,
           error.message + (not_there ? "; are its name and --region right?" : ""));
  return error.code == "Usage" ? kUsage : kFailed;
}

}  // namespace keyturn::cli
