#include "controller/kube/exec_plugin.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "controller/kube/client.h"
#include "controller/kube/file_source.h"
#include "controller/kube/json_access.h"
#include "controller/kube/subprocess.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr Duration kInteractiveTimeout = std::chrono::minutes(5);  // a person signs in

Result<ExecCredential> decode(const json& document, const ExecConfig& config) {
  const auto bad = [&](const std::string& why) {
    return invalid("BadExecCredential", "exec plugin " + config.command + " of " + config.origin +
                                            " printed no usable ExecCredential: " + why);
  };
  if (!document.is_object()) return bad("not a JSON object");
  if (string_at(document, "kind") != "ExecCredential") return bad("kind is not ExecCredential");
  const std::string_view version = string_at(document, "apiVersion");
  if (version != config.api_version) {
    return bad("its apiVersion is \"" + printable(version, 80) + "\", the kubeconfig asks for \"" +
               config.api_version + "\"");
  }
  const json* status = member(document, "status");
  if (status == nullptr) return bad("it has no status");
  ExecCredential result;
  result.token = SecretString(string_at(*status, "token"));
  result.cert_pem = SecretString(string_at(*status, "clientCertificateData"));
  result.key_pem = SecretString(string_at(*status, "clientKeyData"));
  if (result.cert_pem.empty() != result.key_pem.empty()) {
    return bad("clientCertificateData and clientKeyData must come together");
  }
  if (result.token.empty() && result.cert_pem.empty()) {
    return bad("neither a token nor a client certificate in its status");
  }
  if (!result.cert_pem.empty()) {
    const Status pair = check_key_pair(result.cert_pem.reveal(), result.key_pem.reveal(),
                                       "status.clientCertificateData and clientKeyData");
    if (!pair) return bad(pair.error().message);
  }
  const std::string_view expires = string_at(*status, "expirationTimestamp");
  if (!expires.empty()) {
    auto time = parse_rfc3339(expires);
    if (!time) return bad("status.expirationTimestamp is not an RFC 3339 time");
    result.expires = *time;
  }
  return result;
}

}  // namespace

Result<ExecCredential> decode_exec_credential(std::string_view text, const ExecConfig& config) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  auto result = decode(document, config);
  cleanse_json(document);
  return result;
}

std::string exec_info(const ExecConfig& config, bool interactive) {
  json info = {{"apiVersion", config.api_version},
               {"kind", "ExecCredential"},
               {"spec", {{"interactive", interactive}}}};
  if (config.provide_cluster_info && !config.cluster_info.empty()) {
    info["spec"]["cluster"] = json::parse(config.cluster_info, nullptr, /*allow_exceptions=*/false);
  }
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ExecCredential> run_plugin(const ExecConfig& config, Duration timeout) {
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  const bool interactive = terminal && config.interactive != ExecConfig::Interactive::Never;
  if (config.interactive == ExecConfig::Interactive::Always && !interactive) {
    return invalid("ExecNeedsTerminal",
                   "exec plugin " + config.command + " of " + config.origin +
                       " has interactiveMode Always, but there is no terminal");
  }
  Subprocess process;
  process.command = config.command;
  process.args = config.args;
  process.env = config.env;
  process.env.emplace_back("KUBERNETES_EXEC_INFO", exec_info(config, interactive));
  process.timeout = interactive ? kInteractiveTimeout : timeout;
  process.interactive = interactive;
  auto output = run(process);
  if (!output) {
    Error error = std::move(output).error().with_context("exec plugin of " + config.origin);
    if (error.cls == ErrorClass::NotFound) {
      error.cls = ErrorClass::Invalid;
      error.message += config.install_hint.empty() ? "; install it or correct `command`"
                                                   : "; " + printable(config.install_hint, 500);
    } else if (!interactive) {
      error.message += "; run it by hand to see what it says";
    }
    return error;
  }
  return decode_exec_credential(output->reveal(), config);
}

}  // namespace keyturn::kube
