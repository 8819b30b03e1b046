#include "controller/rotation/metrics_text.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

void head(std::string& out, const char* name, const char* help, const char* type) {
  out.append("# HELP ")
      .append(name)
      .append(" ")
      .append(help)
      .append("\n# TYPE ")
      .append(name)
      .append(" ")
      .append(type)
      .append("\n");
}

struct Series {
  const char* name;
  const char* help;
  std::string lines;
};

void add(Series& series, const Policy& policy, std::int64_t value) {
  series.lines.append(series.name)
      .append("{namespace=\"")
      .append(escaped(policy.ns))
      .append("\",policy=\"")
      .append(escaped(policy.name))
      .append("\"} ");
  series.lines.append(std::to_string(value)).append("\n");
}

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

void gauge(std::string& out, const char* name, const char* help, double value,
           const char* type = "gauge") {
  head(out, name, help, type);
  out.append(name).append(" ").append(number(value)).append("\n");
}

std::size_t open_files() {
  std::size_t count = 0;
  if (DIR* dir = opendir("/proc/self/fd")) {
    while (const dirent* entry = readdir(dir)) count += entry->d_name[0] != '.';
    closedir(dir);
  }
  return count > 0 ? count - 1 : 0;  // the directory itself is open while it is read
}

// Seconds since the epoch: boot time and field 22 of stat, in clock ticks.
double start_time(const std::string& stat_after_name) {
  std::istringstream fields(stat_after_name);
  std::string skip;
  for (int i = 3; i < 22; ++i) fields >> skip;
  double ticks = 0;
  fields >> ticks;
  std::ifstream stat("/proc/stat");
  for (std::string key; stat >> key; stat.ignore(1 << 20, '\n')) {
    double boot = 0;
    if (key == "btime" && stat >> boot)
      return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return 0;
}

}  // namespace

std::string policy_metrics(const Metrics::PolicyVisitor& for_each_policy) {
  Series ready{"keyturn_policy_ready", "1 while the policy's condition Ready is True.", ""};
  Series last{"keyturn_policy_last_rotation_timestamp_seconds",
              "When the last rotation by this policy ended.", ""};
  Series next{"keyturn_policy_next_rotation_timestamp_seconds",
              "When the next rotation starts at the earliest.", ""};
  Series retiring{"keyturn_policy_retiring_since_timestamp_seconds",
                  "Since when the old credential waits for its revocation.", ""};
  std::map<std::tuple<std::string, std::string, std::string>, std::int64_t> conditions;
  for_each_policy([&](const Policy& policy) {
    const Condition* is_ready = policy.status.condition("Ready");
    add(ready, policy, is_ready && is_ready->status == "True");
    if (policy.status.last_rotation) add(last, policy, epoch_seconds(*policy.status.last_rotation));
    if (policy.status.next_rotation) add(next, policy, epoch_seconds(*policy.status.next_rotation));
    if (policy.status.retiring) add(retiring, policy, epoch_seconds(policy.status.retiring->since));
    for (const auto& condition : policy.status.conditions)
      ++conditions[{condition.type, condition.status, condition.reason}];
  });
  std::string out;
  for (const Series* series : {&ready, &last, &next, &retiring}) {
    head(out, series->name, series->help, "gauge");
    out += series->lines;
  }
  head(out, "keyturn_policies", "Policies by condition.", "gauge");
  for (const auto& [key, count] : conditions) {
    const auto& [type, status, reason] = key;
    out += "keyturn_policies{condition=\"" + escaped(type) + "\",status=\"" + escaped(status) +
           "\",reason=\"" + escaped(reason) + "\"} " + std::to_string(count) + "\n";
  }
  return out;
}

std::string process_metrics() {
  std::string out;
  std::ifstream stat("/proc/self/stat");
  std::string line;
  if (!std::getline(stat, line)) return out;
  const auto name_end = line.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return out;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto cpu = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  double pages_virtual = 0;
  double pages_resident = 0;
  std::ifstream("/proc/self/statm") >> pages_virtual >> pages_resident;
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  gauge(out, "process_cpu_seconds_total", "User and system CPU time spent.",
        cpu(usage.ru_utime) + cpu(usage.ru_stime), "counter");
  gauge(out, "process_open_fds", "Open file descriptors.", static_cast<double>(open_files()));
  gauge(out, "process_max_fds", "Limit of open file descriptors.",
        static_cast<double>(files.rlim_cur));
  gauge(out, "process_resident_memory_bytes", "Resident memory.", pages_resident * page);
  gauge(out, "process_virtual_memory_bytes", "Virtual memory.", pages_virtual * page);
  gauge(out, "process_start_time_seconds", "Start of the process since the epoch.",
        start_time(line.substr(name_end + 1)));
  return out;
}

}  // namespace keyturn::rotation
