#include "controller/cli/lambda_function.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <utility>

#include "controller/cli/aws_access.h"
#include "controller/cli/secret_flags.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

using Env = std::function<std::optional<std::string>(const std::string&)>;

constexpr Duration kForTheAnswer{1'000};  // of the function's time, at most a quarter

Error bad_setting(const std::string& name, const std::string& why) {
  return invalid("BadSettings", "environment variable " + name + ": " + why);
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + " ") {
    const bool between = c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!between) {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  return out;
}

bool matches(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return glob_match(glob, text); });
}

class LambdaGuard final : public engine::AccessGuard {
 public:
  explicit LambdaGuard(std::vector<std::string> backends) : backends_(std::move(backends)) {}
  Status secret(std::string_view, std::string_view) const override { return {}; }
  Status resource(std::string_view) const override { return {}; }
  Status backend(std::string_view host_port) const override {
    if (matches(backends_, lower_ascii(host_port))) return {};
    return make_error(ErrorClass::Denied, "BackendNotListed",
                      "the function's environment variable KEYTURN_BACKENDS does not list " +
                          printable(host_port, 300) +
                          ", so it is given no credential; add it if that is the right server");
  }

 private:
  const std::vector<std::string> backends_;
};

}  // namespace

Result<LambdaSettings> read_lambda_settings(const Env& env) {
  LambdaSettings settings;
  settings.strategy = env("KEYTURN_STRATEGY").value_or("");
  settings.options = env("KEYTURN_OPTIONS").value_or("");
  if (settings.options.empty()) settings.options = "{}";
  if (settings.strategy.empty())
    return bad_setting("KEYTURN_STRATEGY",
                       "is not set; it names how the secrets rotate: " + known_strategies());
  auto strategy = engine::make_strategy(settings.strategy, settings.options);
  if (!strategy)
    return std::move(strategy).error().with_context(
        "environment variables KEYTURN_STRATEGY and KEYTURN_OPTIONS");
  if (auto has = has_steps(**strategy); !has)
    return std::move(has).error().with_context("environment variable KEYTURN_STRATEGY");
  settings.secrets = words(env("KEYTURN_SECRETS").value_or(""));
  if (settings.secrets.empty())
    return bad_setting(
        "KEYTURN_SECRETS",
        "is empty; it lists the secrets that the function may rotate, as names, ARNs "
        "or patterns such as shop/*");
  settings.backends = words(lower_ascii(env("KEYTURN_BACKENDS").value_or("")));
  const std::string deadline = env("KEYTURN_REQUEST_DEADLINE").value_or("");
  if (deadline.empty()) return settings;
  auto read = read_request_deadline(deadline);
  if (!read) return bad_setting("KEYTURN_REQUEST_DEADLINE", read.error().message);
  settings.request_deadline = *read;
  return settings;
}

Status is_listed(const LambdaSettings& settings, const std::string& name, const std::string& arn) {
  for (const std::string& glob : settings.secrets) {
    if (glob_match(glob, glob.starts_with("arn:") ? arn : name)) return {};
  }
  return make_error(ErrorClass::Denied, "SecretNotListed",
                    "the function's environment variable KEYTURN_SECRETS does not list " +
                        printable(name, 300) + "; add it if this function shall rotate it");
}

std::shared_ptr<const engine::AccessGuard> make_lambda_guard(std::vector<std::string> backends) {
  return std::make_shared<const LambdaGuard>(std::move(backends));
}

Result<RotationEvent> read_rotation_event(const SecretString& event) {
  const auto bad = [](const std::string& why) {
    return invalid("BadEvent", "the event is not one of a rotation by Secrets Manager: " + why);
  };
  const auto json = nlohmann::json::parse(event.reveal(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return bad("it is no JSON object");
  const auto text = [&](const char* field) {
    const auto found = json.find(field);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  for (const char* field : {"Step", "SecretId", "ClientRequestToken"}) {
    if (text(field).empty())
      return bad(std::string("its field ") + field + " is missing or no text");
  }
  auto step = step_named(text("Step"));
  if (!step) return bad(step.error().message);
  return RotationEvent{.secret_id = text("SecretId"),
                       .call = {.step = *step,
                                .version_id = text("ClientRequestToken"),
                                .rotation_token = text("RotationToken")}};
}

Result<Stepped> RotationFunction::handle(const SecretString& event, WallTime deadline) {
  auto read = read_rotation_event(event);
  if (!read) return std::move(read).error();
  const Duration left = deadline - SystemClock().now();
  const Duration time = left - std::min(kForTheAnswer, left / 4);
  std::string waits_for;
  auto done = run(*read, time, waits_for);
  if (done) return done;
  const std::string& code = done.error().code;
  if (code != "Stopped" && code != "TimeLimit" && code != "Cancelled") return done;
  return make_error(
      ErrorClass::Transient, "TimeLimit",
      std::string(to_string(read->call.step)) + " of " + printable(read->secret_id) +
          ": not done within the function's time (" + format_duration(time) +
          "). What was done is kept, and AWS calls it again; a function time-out of some minutes "
          "makes that rare." +
          (waits_for.empty() ? "" : " Last: " + waits_for));
}

Result<Stepped> RotationFunction::run(const RotationEvent& event, Duration time,
                                      std::string& waits_for) {
  SystemClock clock;
  std::stop_source stop;
  // Whatever is under way then ends soon, so that the error is told.
  const std::jthread watch([&, until = clock.mono() + time](const std::stop_token& over) {
    if (sleep_until(clock, until, over)) stop.request_stop();
  });
  auto access = AwsAccess::create({.request_deadline = settings_.request_deadline,
                                   .stop = stop.get_token(),
                                   .guard = make_lambda_guard(settings_.backends)});
  if (!access) return std::move(access).error();
  auto strategy =
      engine::make_strategy(settings_.strategy, settings_.options, (*access)->strategy_deps());
  if (!strategy) return std::move(strategy).error();
  Alone alone{.secret_id = event.secret_id,
              .secrets = (*access)->secrets(),
              .strategy = **strategy,
              .clock = (*access)->clock(),
              .rng = (*access)->rng(),
              .timing = {.request_deadline = settings_.request_deadline},
              .time_limit = time,
              .stop = stop.get_token()};
  alone.memory = memory_;
  alone.tell = [&](const Progress& progress) {
    waits_for = progress.action == "Wait" ? progress.note : "";
    log::info("rotation step", {{"secretId", printable(event.secret_id)},
                                {"versionId", printable(event.call.version_id, 64)},
                                {"step", progress.step},
                                {"action", progress.action},
                                {"note", progress.note}});
  };
  return step_alone(alone, event.call, [this](const aws::SecretMetadata& secret) {
    return is_listed(settings_, secret.name, secret.arn);
  });
}

}  // namespace keyturn::cli
