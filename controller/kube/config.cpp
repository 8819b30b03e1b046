#include "controller/kube/config.h"

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "controller/kube/connection.h"
#include "controller/kube/kubeconfig.h"
#include "lib/base/text.h"
#include "lib/http/proxy.h"
#include "lib/http/url.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

std::string env_or_empty(const ConfigOptions& options, const std::string& name) {
  if (options.env) return options.env(name).value_or("");
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Relative to what the shell's user sees now, not to where the process is later.
std::string absolute(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  return error ? path : full.lexically_normal().string();
}

struct Candidates {
  std::vector<std::string> files;
  std::string source;  // for messages
  bool must_exist = true;
};

Candidates candidates(const ConfigOptions& options) {
  if (!options.kubeconfig.empty()) return {{options.kubeconfig}, "--kubeconfig", true};
  Candidates result;
  for (const std::string& file : split(env_or_empty(options, "KUBECONFIG"), ':')) {
    if (!file.empty()) result.files.push_back(file);
  }
  if (!result.files.empty()) {
    result.source = "$KUBECONFIG";
    return result;
  }
  const std::string home = env_or_empty(options, "HOME");
  if (!home.empty()) result.files.push_back(home + "/.kube/config");
  result.source = "the default kubeconfig";
  result.must_exist = false;
  return result;
}

// nullopt: none of the files exists and none has to.
Result<std::optional<Kubeconfig>> read_all(const Candidates& wanted) {
  std::optional<Kubeconfig> merged;
  std::optional<Error> missing;
  for (const std::string& name : wanted.files) {
    const std::string file = absolute(name);
    auto text = read_file(file, wanted.source);
    if (!text && text.error().cls == ErrorClass::NotFound) {
      if (!missing) missing = std::move(text).error();
      continue;
    }
    if (!text) return std::move(text).error();
    auto config = parse_kubeconfig(text->reveal(), file);
    if (!config) return std::move(config).error();
    if (merged) {
      merge_kubeconfig(*merged, *std::move(config));
    } else {
      merged = *std::move(config);
    }
  }
  if (!merged && wanted.must_exist && missing) {
    missing->cls = ErrorClass::Invalid;
    return *std::move(missing);
  }
  return merged;
}

// Scheme, host and no user information; the trailing slash goes.
Result<std::string> check_server(std::string server, const std::string& origin) {
  if (server.empty()) return invalid("BadServer", origin + ": server is not set");
  while (server.ends_with('/')) server.pop_back();
  auto url = http::parse_url(server);
  if (!url) return std::move(url).error().with_context(origin + ": server");
  return server;
}

std::string describe_credentials(const UserEntry& user) {
  if (user.token_file.given())
    return "the token in " + user.token_file.path + " (" + user.token_file.origin + ")";
  if (!user.token.empty()) return "the token of " + user.origin;
  if (user.exec)
    return "the credentials that exec plugin " + user.exec->command + " printed for " + user.origin;
  if (user.client_cert.given()) return "the client certificate of " + user.origin;
  return "a request without credentials (" + user.origin + " has none)";
}

// client.authentication.k8s.io: Cluster.
std::string exec_cluster_info(const ClusterEntry& cluster, const std::string& ca_pem) {
  json info = {{"server", cluster.server}};
  if (!cluster.tls_server_name.empty()) info["tls-server-name"] = cluster.tls_server_name;
  if (cluster.insecure_skip_verify) info["insecure-skip-tls-verify"] = true;
  if (!ca_pem.empty()) info["certificate-authority-data"] = base64(ca_pem);
  if (!cluster.proxy_url.empty()) info["proxy-url"] = cluster.proxy_url;
  if (!cluster.exec_extension.empty()) {
    info["config"] = json::parse(cluster.exec_extension, nullptr, /*allow_exceptions=*/false);
  }
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ConnectionSettings> settings_from(Selection selection, Duration exec_timeout) {
  ClusterEntry& cluster = selection.cluster;
  UserEntry& user = selection.user;
  auto server = check_server(cluster.server, cluster.origin);
  if (!server) return std::move(server).error();
  ConnectionSettings settings;
  settings.server = *std::move(server);
  if (!cluster.proxy_url.empty()) {
    auto proxy = http::normal_proxy(cluster.proxy_url);
    if (!proxy) return std::move(proxy).error().with_context("proxy-url of " + cluster.origin);
    settings.proxy = cluster.proxy_url;
  }
  settings.ns = selection.ns;
  settings.tls_server_name = cluster.tls_server_name;
  settings.insecure_skip_verify = cluster.insecure_skip_verify;
  settings.cluster_origin = cluster.origin;
  settings.credentials_origin = describe_credentials(user);
  settings.exec_timeout = exec_timeout;
  if (user.exec && user.exec->provide_cluster_info) {
    auto ca = cluster.ca.read();
    if (!ca) return std::move(ca).error();
    user.exec->cluster_info = exec_cluster_info(cluster, std::string(ca->reveal()));
  }
  settings.ca = std::move(cluster.ca);
  settings.client_cert = std::move(user.client_cert);
  settings.client_key = std::move(user.client_key);
  settings.token = std::move(user.token);
  settings.token_file = std::move(user.token_file);
  // As kubectl: a token or certificate that is simply there comes before a program.
  if (settings.token.empty() && !settings.token_file.given() && !settings.client_cert.given()) {
    settings.exec = std::move(user.exec);
  }
  return settings;
}

// rest.InClusterConfig: what every pod is given.
Result<ConnectionSettings> in_cluster(const ConfigOptions& options) {
  std::string host = env_or_empty(options, "KUBERNETES_SERVICE_HOST");
  const std::string port = env_or_empty(options, "KUBERNETES_SERVICE_PORT");
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  auto server = check_server("https://" + host + ":" + port,
                             "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
  if (!server) return std::move(server).error();
  const std::string& dir = options.service_account_dir;
  ConnectionSettings settings;
  settings.server = *std::move(server);
  settings.token_file = {
      dir + "/token", {}, "the pod's service account (automountServiceAccountToken)"};
  settings.ca = {dir + "/ca.crt", {}, "the pod's " + dir + "/ca.crt"};
  settings.cluster_origin = "the pod's environment";
  settings.credentials_origin = "the token in " + dir + "/token";
  const auto ns = read_file(dir + "/namespace", "the pod's namespace");
  settings.ns = ns ? std::string(trim(ns->reveal())) : "";
  if (settings.ns.empty()) settings.ns = "default";
  return settings;
}

Result<ConnectionSettings> find_settings(const ConfigOptions& options) {
  const Candidates wanted = candidates(options);
  auto config = read_all(wanted);
  if (!config) return std::move(config).error();
  if (*config) {
    auto selection = select_context(**std::move(config), options.context);
    if (!selection) return std::move(selection).error();
    return settings_from(*std::move(selection), options.exec_timeout);
  }
  if (!env_or_empty(options, "KUBERNETES_SERVICE_HOST").empty()) {
    if (options.context.empty()) return in_cluster(options);
    return invalid("NoContext",
                   "--context " + printable(options.context, 80) +
                       " names a context, but there is no kubeconfig (in a pod there is none)");
  }
  return invalid(
      "NoConfiguration",
      "no Kubernetes cluster to talk to: neither --kubeconfig nor $KUBECONFIG is given, " +
          (wanted.files.empty() ? std::string("$HOME is not set")
                                : wanted.files.front() + " does not exist") +
          ", and this is not a pod (KUBERNETES_SERVICE_HOST is not set)");
}

}  // namespace

Result<std::shared_ptr<Connection>> load_config(const ConfigOptions& options) {
  if (options.clock == nullptr) return invalid("MissingOption", "load_config needs a clock");
  auto settings = find_settings(options);
  if (!settings) return std::move(settings).error();
  auto connection = std::make_shared<LiveConnection>(*std::move(settings), *options.clock);
  if (Status loaded = connection->load(); !loaded) return std::move(loaded).error();
  return std::shared_ptr<Connection>(std::move(connection));
}

}  // namespace keyturn::kube
