// `keyturn secret schedule EXPR`: when a schedule opens its next windows. Asks nobody.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/describe.h"
#include "controller/cli/output.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_flags.h"
#include "lib/base/clock.h"
#include "lib/base/time.h"
#include "lib/engine/schedule.h"

namespace keyturn::cli {
namespace {

constexpr int kMostTimes = 100;

struct ScheduleFlags {
  std::string expression, time_zone, window, from;
  int count = 5;
  Output output = Output::Table;
};

struct Parsed {
  engine::Schedule schedule;
  WallTime from;
};

Result<Parsed> parse(const ScheduleFlags& flags, WallTime now) {
  std::optional<Duration> window;
  if (!flags.window.empty()) {
    auto given = parse_duration(flags.window);
    if (!given) return std::move(given).error().with_context("--window");
    window = *given;
  }
  WallTime from = now;
  if (!flags.from.empty()) {
    auto given = parse_rfc3339(flags.from);
    if (!given) return std::move(given).error().with_context("--from");
    from = *given;
  }
  auto schedule = engine::Schedule::parse(flags.expression, flags.time_zone, window);
  if (!schedule) return std::move(schedule).error();
  return Parsed{std::move(schedule).value(), from};
}

int schedule(const ScheduleFlags& flags) {
  const WallTime now = SystemClock().now();
  auto parsed = parse(flags, now);
  if (!parsed) return fail_secret("schedule", parsed.error());
  const Duration window = parsed->schedule.window();
  nlohmann::json times = nlohmann::json::array();
  Table table({"OPENS", "CLOSES", "IN"});
  WallTime at = parsed->from;
  for (int i = 0; i < flags.count; ++i) {
    at = parsed->schedule.next(at);
    if (at == WallTime::max()) break;
    const std::string opens = format_rfc3339(at), closes = format_rfc3339(at + window);
    times.push_back({{"opens", opens}, {"closes", closes}});
    table.add({opens, closes, until(at, now)});
  }
  if (flags.output != Output::Table) {
    print({{"window", format_duration(window)}, {"times", times}}, flags.output);
    return kDone;
  }
  std::printf("%s: counted from %s; a rotation starts anywhere in its window of %s\n\n%s",
              flags.expression.c_str(), format_rfc3339(parsed->from).c_str(),
              format_duration(window).c_str(), table.text().c_str());
  return kDone;
}

}  // namespace

void add_secret_schedule(CLI::App& secret, Chosen& chosen) {
  static const std::map<std::string, Output> kOutputs{{"json", Output::Json},
                                                      {"yaml", Output::Yaml}};
  auto flags = std::make_shared<ScheduleFlags>();
  CLI::App* command = secret.add_subcommand(
      "schedule", "Show a schedule's next times; asks neither AWS nor a cluster");
  command
      ->add_option("EXPR", flags->expression,
                   "\"rate(30 days)\", \"cron(0 3 ? * SUN *)\", or five fields as \"0 3 * * 0\"")
      ->required();
  command->add_option("--time-zone", flags->time_zone, "With five fields: IANA name; default: UTC");
  command->add_option("--window", flags->window, "Default: a tenth of the period, at most 24h");
  command->add_option("--from", flags->from,
                      "The last rotation, as 2026-11-22T08:00:00Z; default: now");
  command->add_option("--count", flags->count, "How many")
      ->check(CLI::Range(1, kMostTimes))
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "json or yaml")
      ->transform(CLI::CheckedTransformer(kOutputs))
      ->option_text("json|yaml");
  command->callback([flags, &chosen] { chosen.command = [flags] { return schedule(*flags); }; });
}

}  // namespace keyturn::cli
