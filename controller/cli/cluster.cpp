#include "controller/cli/cluster.h"

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "controller/kube/config.h"
#include "lib/aws/session.h"
#include "lib/http/curl_transport.h"

namespace keyturn::cli {
namespace {

constexpr int kPage = 500;

}  // namespace

void ClusterFlags::add_to(CLI::App& command, bool with_all_namespaces) {
  auto* one = command.add_option("-n,--namespace", ns, "Namespace; default: the context's");
  if (with_all_namespaces)
    command.add_flag("-A,--all-namespaces", all_namespaces, "All namespaces")->excludes(one);
  command
      .add_option("--kubeconfig", kubeconfig,
                  "Kubeconfig; default: KUBECONFIG, ~/.kube/config, then in-cluster")
      ->type_name("FILE");
  command.add_option("--context", context, "Context of the kubeconfig");
}

void ClusterFlags::add_output_to(CLI::App& command) {
  static const std::map<std::string, Output> kOutputs{
      {"wide", Output::Wide}, {"json", Output::Json}, {"yaml", Output::Yaml}};
  command.add_option("-o,--output", output, "wide, json or yaml")
      ->transform(CLI::CheckedTransformer(kOutputs))
      ->option_text("wide|json|yaml");
}

Result<std::unique_ptr<Cluster>> Cluster::connect(const ClusterFlags& flags) {
  auto cluster = std::make_unique<Cluster>();
  auto connection = kube::load_config({.kubeconfig = flags.kubeconfig,
                                       .context = flags.context,
                                       .env = aws::process_environment(),
                                       .clock = &cluster->clock_});
  if (!connection) return std::move(connection).error();
  cluster->ns_ = flags.ns.empty() ? (*connection)->default_namespace() : flags.ns;
  std::shared_ptr<http::Transport> transport =
      http::make_curl_transport({.max_idle_handles = 2, .user_agent = "keyturn"});
  cluster->client_ = std::make_unique<kube::Client>(std::move(transport),
                                                    std::move(connection).value(), cluster->clock_);
  return cluster;
}

Result<nlohmann::json> Cluster::policy_object(const std::string& name) {
  auto object = client_->get(kube::kRotationPolicies, ns_, name);
  if (!object && object.error().cls == ErrorClass::NotFound) {
    return make_error(ErrorClass::NotFound, "NotFound",
                      "no RotationPolicy \"" + name + "\" in namespace " + ns_ +
                          "; list them with: keyturn status -A");
  }
  return object;
}

Result<rotation::Policy> Cluster::policy(const std::string& name) {
  auto object = policy_object(name);
  if (!object) return std::move(object).error();
  return rotation::parse_policy(*object);
}

Result<std::vector<nlohmann::json>> Cluster::policy_objects(bool all) {
  std::vector<nlohmann::json> objects;
  kube::ListOptions options;
  options.limit = kPage;
  do {
    auto page = client_->list(kube::kRotationPolicies, all ? "" : ns_, options);
    if (!page) return std::move(page).error();
    for (auto& item : (*page)["items"]) objects.push_back(std::move(item));
    options.continue_token = (*page)["metadata"].value("continue", std::string());
  } while (!options.continue_token.empty());
  return objects;
}

}  // namespace keyturn::cli
