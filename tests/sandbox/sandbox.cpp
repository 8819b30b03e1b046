#include "tests/sandbox/sandbox.h"

#include <stdexcept>

#include "lib/base/rng.h"
#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/admin.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/yaml.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kCrds = "customresourcedefinitions.apiextensions.k8s.io";

std::string made_up(const char* prefix) {
  SystemRng rng;
  std::string id = uuid_v4(rng);
  std::erase(id, '-');
  return prefix + id;
}

std::string url(const char* scheme, int port) {
  return std::string(scheme) + "://127.0.0.1:" + std::to_string(port);
}

}  // namespace

Sandbox::Sandbox(const SandboxOptions& options)
    : options_(options),
      aws_clock_(clock_),
      token_(made_up("admin-")),
      access_key_("AKIASANDBOX000000001"),
      secret_key_(made_up("sandbox")),
      authority_("keyturn-sandbox-ca"),
      tls_(authority_.server_context()),
      faults_(options.seed),
      front_(faults_, calls_),
      store_(options.history),
      writer_(store_, registry_, clock_),
      auth_(store_, clock_),
      kube_api_(store_, registry_, writer_, auth_, front_, clock_),
      controllers_(store_, registry_, writer_, clock_),
      accounts_(aws_clock_),
      secrets_(aws_clock_, options.seed),
      functions_(front_, options.region),
      rotations_(secrets_, functions_),
      influx_(tls_.get(), front_, secrets_, clock_, options.region),
      timestream_(influx_),
      astra_(clock_),
      elasticache_(clock_, &authority_, options.region),
      aws_api_(secrets_, timestream_, elasticache_, accounts_, auth_, front_, aws_clock_),
      admin_(std::make_unique<Admin>(*this)),
      kube_server_("kubernetes", tls_.get(),
                   [this](const auto& r, auto& x) { kube_api_.handle(r, x); }),
      aws_server_("aws", nullptr, [this](const auto& r, auto& x) { aws_api_.handle(r, x); }),
      aws_tls_server_("aws-tls", tls_.get(),
                      [this](const auto& r, auto& x) { aws_api_.handle(r, x); }),
      astra_server_("astra", tls_.get(),
                    [this](const auto& r, auto& x) {
                      front_.run(astra_.call_of(r), x, AstraApi::fault_reply,
                                 [&] { return astra_.handle(r); });
                    }),
      admin_server_("admin", nullptr, [this](const auto& r, auto& x) { admin_->handle(r, x); }) {
  store_.on_commit(
      [this](const auto& resource, const auto& event) { commit_hook(resource, event); });
  secrets_.on_rotate([this](const RotationStart& start) { rotations_.start(start); });
  auth_.add_token(token_, {"sandbox-admin", {"system:masters", "system:authenticated"}});
  Principal principal;
  principal.access_key = access_key_;
  principal.secret_key = secret_key_;
  accounts_.add_key(principal);
  const ResourcePtr namespaces = registry_.find("", "v1", "namespaces");
  for (const char* name : {"default", "kube-system", "kube-public"}) {
    writer_.create(*namespaces, "", {{"metadata", {{"name", name}}}});
  }
  kube_server_.start(options.kube_port);
  aws_server_.start(options.aws_port);
  aws_tls_server_.start(options.aws_tls_port);
  astra_server_.start();
  admin_server_.start(options.admin_port);
}

Sandbox::~Sandbox() {
  functions_.stop();
  admin_server_.stop();
  astra_server_.stop();
  aws_tls_server_.stop();
  aws_server_.stop();
  kube_server_.stop();
}

void Sandbox::commit_hook(const std::string& resource, const StoreEvent& event) {
  if (resource == kCrds) {
    if (event.type == EventType::Deleted) {
      const Json& spec = at(event.object->doc(), "spec");
      const std::string storage = text_at(spec, "names", "plural") + "." + text_at(spec, "group");
      const auto orphans = store_.list(storage, "", "", 0, std::nullopt);
      for (const ObjectPtr& object : orphans->objects) store_.remove(storage, object);
      registry_.undefine(event.object->doc());
    } else {
      registry_.define(event.object->doc());
    }
  }
  controllers_.notify(resource, event);
}

std::string Sandbox::kube_url() const { return url("https", kube_server_.port()); }
std::string Sandbox::aws_url() const { return url("http", aws_server_.port()); }
std::string Sandbox::aws_tls_url() const { return url("https", aws_tls_server_.port()); }
std::string Sandbox::astra_url() const { return url("https", astra_server_.port()); }
std::string Sandbox::admin_url() const { return url("http", admin_server_.port()); }

std::string Sandbox::kubeconfig_for(const std::string& bearer_token) const {
  return "apiVersion: v1\nkind: Config\nclusters:\n- name: sandbox\n  cluster:\n    server: " +
         kube_url() + "\n    certificate-authority-data: " + base64(ca_pem()) +
         "\nusers:\n- name: sandbox\n  user:\n    token: " + bearer_token +
         "\ncontexts:\n- name: sandbox\n  context: {cluster: sandbox, user: sandbox, namespace: "
         "default}\n"
         "current-context: sandbox\n";
}

std::string Sandbox::env(const std::string& kubeconfig_path) const {
  return "export KUBECONFIG='" + kubeconfig_path + "'\nexport AWS_ENDPOINT_URL=" + aws_url() +
         "\nexport AWS_ACCESS_KEY_ID=" + access_key_ +
         "\nexport AWS_SECRET_ACCESS_KEY=" + secret_key_ + "\nexport AWS_REGION=" + region() +
         "\nexport AWS_DEFAULT_REGION=" + region() +
         "\nexport AWS_EC2_METADATA_DISABLED=true\nexport SANDBOX_ADMIN=" + admin_url() +
         "\nexport SANDBOX_AWS_TLS=" + aws_tls_url() + "\nexport SANDBOX_ASTRA=" + astra_url() +
         "\n";
}

void Sandbox::load(const std::string& yaml) {
  for (Json& doc : parse_yaml_documents(yaml)) {
    const std::string api_version = text_at(doc, "apiVersion");
    const std::size_t slash = api_version.find('/');
    const std::string group = slash == std::string::npos ? "" : api_version.substr(0, slash);
    const std::string version =
        slash == std::string::npos ? api_version : api_version.substr(slash + 1);
    ResourcePtr resource;
    for (const ResourcePtr& candidate : registry_.all()) {
      if (candidate->group == group && candidate->version == version &&
          candidate->kind == text_at(doc, "kind"))
        resource = candidate;
    }
    if (!resource)
      throw std::runtime_error("the sandbox serves no " + api_version + " " + text_at(doc, "kind"));
    std::string ns = resource->namespaced ? text_at(doc, "metadata", "namespace") : "";
    if (resource->namespaced && ns.empty()) ns = "default";
    const std::string name = text_at(doc, "metadata", "name");
    if (const ObjectPtr live = store_.get(resource->storage(), ns, name)) {
      doc["metadata"]["resourceVersion"] = std::to_string(live->revision());
      writer_.replace(*resource, ns, name, doc);
    } else {
      writer_.create(*resource, ns, doc);
    }
  }
}

Json Sandbox::object(const std::string& resource, const std::string& ns,
                     const std::string& name) const {
  const ObjectPtr found = store_.get(resource, ns, name);
  return found ? found->doc() : Json();
}

}  // namespace keyturn::sandbox
