#include "controller/rotation/config_file.h"

#include <fstream>
#include <optional>
#include <sstream>

#include "lib/base/log.h"

namespace keyturn::rotation {
namespace {

constexpr Duration kPoll{3'000};

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What is wired once at the start.
void keep_fixed(const OperatorConfig& before, OperatorConfig& next) {
  const bool changed = before.listen != next.listen || before.namespaces != next.namespaces ||
                       before.region != next.region || before.sync_workers != next.sync_workers ||
                       before.rotation_workers != next.rotation_workers ||
                       before.leader_election != next.leader_election ||
                       before.lease_name != next.lease_name ||
                       before.lease_namespace != next.lease_namespace ||
                       before.request_deadline != next.request_deadline;
  if (changed) {
    log::warn(
        "the config file changes something that needs a restart; it keeps its old value until then "
        "(listen, namespaces, region, "
        "workers, leaderElection, requestDeadline)");
  }
  OperatorConfig kept = before;
  kept.access = next.access;
  kept.min_rotation_interval = next.min_rotation_interval;
  kept.propagation = next.propagation;
  kept.log_level = next.log_level;
  kept.log_format = next.log_format;
  next = std::move(kept);
}

}  // namespace

ConfigFile::ConfigFile(std::string path, OperatorConfig first, Clock& clock,
                       std::function<void(const OperatorConfig&)> on_change)
    : path_(std::move(path)),
      clock_(clock),
      on_change_(std::move(on_change)),
      current_(std::make_shared<const OperatorConfig>(std::move(first))) {}

ConfigFile::~ConfigFile() { stop(); }

std::shared_ptr<const OperatorConfig> ConfigFile::get() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void ConfigFile::poll() {
  auto text = read_file(path_);
  if (!text || text == text_) return;  // missing for a moment while a mount is swapped
  const bool at_start = !text_;
  text_ = text;
  auto parsed = parse_operator_config(*text, path_);
  if (!parsed) {
    log::error("the config file is wrong; the last good one stays in force",
               {{"error", parsed.error().message}});
    return;
  }
  const auto before = get();
  OperatorConfig next = std::move(parsed).value();
  keep_fixed(*before, next);
  // The file may have changed since the start read it, and mostly has not.
  if (at_start && next == *before) return;
  {
    const std::lock_guard lock(mutex_);
    current_ = std::make_shared<const OperatorConfig>(next);
  }
  log::info("config file reloaded",
            {{"accessRules", static_cast<int>(next.access.rules().size())}});
  on_change_(next);
}

void ConfigFile::start() {
  if (path_.empty()) return;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const MonoTime next = clock_.mono() + kPoll;
      while (!stopping_ && clock_.wait_until(lock, wake_, next)) {
      }
      if (stopping_) return;
      lock.unlock();
      poll();
      lock.lock();
    }
  });
}

void ConfigFile::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace keyturn::rotation
