#include "controller/rotation/operator_config.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "controller/rotation/operator_config_access.h"
#include "controller/rotation/operator_config_reader.h"
#include "controller/rotation/validate_names.h"
#include "controller/rotation/yaml_nodes.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::rotation {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using YAML::Node;
using Key = ConfigReader::Key;

constexpr std::size_t kLargest = 1 << 20;  // a ConfigMap holds no more
constexpr int kMostWorkers = 256;
// Below these the settings are for tests: said in the log at every start.
constexpr Duration kUsualInterval = minutes(15);
constexpr Duration kUsualDeadline = seconds(5);

template <class T, class U>
void assign(std::optional<T> value, U& to) {
  if (value) to = std::move(*value);
}

// "host:port"; the host may be absent or, for IPv6, in brackets.
bool is_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !(host.starts_with('[') && host.ends_with(']')))
    return false;
  int port = -1;
  const auto [end, error] =
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

class Parser {
 public:
  explicit Parser(std::string_view file) : in_(file) {}

  Result<OperatorConfig> parse(const Node& root) {
    if (!root.IsNull()) read_root(root);
    if (!in_.ok()) return invalid("InvalidConfig", join(in_.problems(), "\n"));
    config_.warnings = in_.warnings();
    return std::move(config_);
  }

 private:
  void read_root(const Node& root) {
    const std::array<Key, 12> keys{{
        {"access",
         [&](const Node& n, const std::string& p) { config_.access = read_access(in_, n, p); }},
        {"region", [&](const Node& n, const std::string& p) { read_region(n, p); }},
        {"namespaces", [&](const Node& n, const std::string& p) { read_namespaces(n, p); }},
        {"listen", [&](const Node& n, const std::string& p) { read_listen(n, p); }},
        {"minRotationInterval", [&](const Node& n, const std::string& p) { read_interval(n, p); }},
        {"requestDeadline", [&](const Node& n, const std::string& p) { read_deadline(n, p); }},
        {"propagation",
         [&](const Node& n, const std::string& p) {
           assign(in_.duration(n, p, Duration(0), minutes(10)), config_.propagation);
         }},
        {"syncWorkers",
         [&](const Node& n, const std::string& p) {
           assign(in_.number(n, p, 1, kMostWorkers), config_.sync_workers);
         }},
        {"rotationWorkers",
         [&](const Node& n, const std::string& p) {
           assign(in_.number(n, p, 1, kMostWorkers), config_.rotation_workers);
         }},
        {"leaderElection",
         [&](const Node& n, const std::string& p) { read_leader_election(n, p); }},
        {"logLevel", [&](const Node& n, const std::string& p) { read_log_level(n, p); }},
        {"logFormat", [&](const Node& n, const std::string& p) { read_log_format(n, p); }},
    }};
    in_.map(root, "", keys);
  }

  void read_region(const Node& node, const std::string& path) {
    const auto region = in_.text(node, path);
    if (!region) return;
    if (!is_region(*region))
      return in_.problem(node, path, "must be an AWS region such as eu-west-1");
    config_.region = *region;
  }

  void read_namespaces(const Node& node, const std::string& path) {
    in_.list(node, path, [&](const Node& item, const std::string& at) {
      const auto name = in_.text(item, at);
      if (!name) return;
      if (!is_dns_label(*name))
        return in_.problem(item, at, "must be the name of a namespace; globs are for access rules");
      config_.namespaces.push_back(*name);
    });
  }

  void read_listen(const Node& node, const std::string& path) {
    const auto address = in_.text(node, path);
    if (!address) return;
    if (!is_listen_address(*address)) {
      return in_.problem(node, path, "must be [HOST]:PORT such as :8080 or 127.0.0.1:0");
    }
    config_.listen = *address;
  }

  void read_interval(const Node& node, const std::string& path) {
    const auto interval = in_.duration(node, path, Duration(0), hours(8760));
    if (!interval) return;
    config_.min_rotation_interval = *interval;
    if (*interval < kUsualInterval) {
      in_.warning(
          node, path,
          "below 15m is for tests: AWS keeps every version for a day, and about a hundred of them");
    }
  }

  // Every wait of the label protocol derives from it: too short, and a request in flight outlives
  // the quiet before a revocation.
  void read_deadline(const Node& node, const std::string& path) {
    const auto deadline = in_.duration(node, path, Duration(100), minutes(2));
    if (!deadline) return;
    config_.request_deadline = *deadline;
    if (*deadline < kUsualDeadline) {
      in_.warning(node, path,
                  "below 5s is for tests: a slow request may then land after the wait that should "
                  "outlast it");
    }
  }

  void read_leader_election(const Node& node, const std::string& path) {
    const std::array<Key, 3> keys{{
        {"enabled", [&](const Node& n,
                        const std::string& p) { assign(in_.flag(n, p), config_.leader_election); }},
        {"namespace",
         [&](const Node& n, const std::string& p) {
           const auto name = in_.text(n, p);
           if (!name) return;
           if (!is_dns_label(*name)) return in_.problem(n, p, "must be the name of a namespace");
           config_.lease_namespace = *name;
         }},
        {"name",
         [&](const Node& n, const std::string& p) {
           const auto name = in_.text(n, p);
           if (!name) return;
           if (!is_dns_subdomain(*name)) return in_.problem(n, p, "must be the name of a Lease");
           config_.lease_name = *name;
         }},
    }};
    in_.map(node, path, keys);
  }

  void read_log_level(const Node& node, const std::string& path) {
    static constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};
    static constexpr std::array<log::Level, 4> kLevels{log::Level::Debug, log::Level::Info,
                                                       log::Level::Warn, log::Level::Error};
    if (const auto index = in_.choice(node, path, kNames)) config_.log_level = kLevels.at(*index);
  }

  void read_log_format(const Node& node, const std::string& path) {
    static constexpr std::array<std::string_view, 3> kNames{"json", "text", "auto"};
    static constexpr std::array<log::Format, 3> kFormats{log::Format::Json, log::Format::Text,
                                                         log::Format::Auto};
    if (const auto index = in_.choice(node, path, kNames)) config_.log_format = kFormats.at(*index);
  }

  ConfigReader in_;
  OperatorConfig config_;
};

}  // namespace

Result<OperatorConfig> parse_operator_config(std::string_view yaml, std::string_view file_name) {
  const std::string file(file_name);
  if (yaml.size() > kLargest) return invalid("InvalidConfig", file + ": is larger than 1 MiB");
  if (!is_utf8(yaml)) return invalid("InvalidConfig", file + ": is not UTF-8 text");
  try {
    const std::vector<Node> documents = yaml_nodes(std::string(yaml));
    if (documents.size() > 1) {
      return invalid("InvalidConfig", file + ": holds several YAML documents; keep one");
    }
    return Parser(file_name).parse(documents.empty() ? Node() : documents.front());
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 1 : error.mark.line + 1;
    return invalid("InvalidConfig",
                   file + ":" + std::to_string(line) + ": is not YAML: " + printable(error.msg));
  }
}

Result<OperatorConfig> load_operator_config(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || !text) {
    const ErrorClass cls = errno == ENOENT ? ErrorClass::NotFound : ErrorClass::Denied;
    const std::string why = errno != 0 ? std::strerror(errno) : "it is no readable file";
    return make_error(cls, "UnreadableConfig",
                      "the config file " + path + " cannot be read: " + why);
  }
  auto config = parse_operator_config(text.str(), path);
  if (config) {
    for (const std::string& warning : config->warnings) log::warn(warning);
  }
  return config;
}

}  // namespace keyturn::rotation
