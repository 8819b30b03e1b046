#include "controller/kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

// Thrown and caught in this file: the reader below is a few dozen nested look-ups.
struct Bad {
  int line;
  std::string field;
  std::string why;
};

// A YAML node that knows its name, for messages.
struct Field {
  YAML::Node node;
  std::string name;

  bool given() const { return node.IsDefined() && !node.IsNull(); }
  [[noreturn]] void bad(const std::string& why) const {
    throw Bad{node.IsDefined() ? node.Mark().line + 1 : 0, name, why};
  }
  Field operator[](const char* key) const {
    const std::string path = name.empty() ? key : name + "." + key;
    if (!given()) return {YAML::Node(YAML::NodeType::Undefined), path};
    if (!node.IsMap()) bad("must be a mapping");
    const YAML::Node child = node[key];
    return {child.IsDefined() ? child : YAML::Node(YAML::NodeType::Undefined), path};
  }
  std::string text() const {
    if (!given()) return {};
    if (!node.IsScalar()) bad("must be a string");
    return node.Scalar();
  }
  bool flag() const {
    if (!given()) return false;
    const std::string value = text();
    if (value != "true" && value != "false") bad("must be true or false");
    return value == "true";
  }
  SecretString base64() const {
    auto decoded = base64_decode(trim(text()));
    if (!decoded) bad("is not valid base64");
    return SecretString::take(*std::move(decoded));
  }
  // Elements of a list; none when absent.
  template <class F>
  void each(const F& visit) const {
    if (!given()) return;
    if (!node.IsSequence()) bad("must be a list");
    for (std::size_t i = 0; i < node.size(); ++i) {
      visit(Field{node[i], name + "[" + std::to_string(i) + "]"});
    }
  }
  // [{name: x, <kind>: {…}}]
  template <class F>
  void each_named(const char* kind, const F& visit) const {
    std::vector<std::string> seen;
    each([&](const Field& element) {
      const std::string entry = element["name"].text();
      if (entry.empty()) element.bad("has no name");
      if (std::find(seen.begin(), seen.end(), entry) != seen.end()) {
        element.bad("the name \"" + printable(entry, 80) + "\" appears twice");
      }
      seen.push_back(entry);
      Field body = element[kind];
      body.name = name + "[" + printable(entry, 80) + "]." + kind;
      visit(entry, body);
    });
  }
};

// Only for the extension that is handed to exec plugins; plain scalars as YAML 1.2's core schema
// reads them.
json to_json(const YAML::Node& node, int depth) {
  if (depth > 32) throw Bad{node.Mark().line + 1, "extension", "is nested too deeply"};
  if (node.IsMap()) {
    json object = json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = to_json(entry.second, depth + 1);
    return object;
  }
  if (node.IsSequence()) {
    json array = json::array();
    for (const auto& element : node) array.push_back(to_json(element, depth + 1));
    return array;
  }
  if (!node.IsScalar()) return nullptr;
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  const json plain = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return plain.is_number() || plain.is_boolean() || plain.is_null() ? plain : json(text);
}

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Kubeconfig read(const YAML::Node& document) const {
    Kubeconfig config;
    config.files = file_;
    const Field root{document, ""};
    if (!root.given()) return config;  // an empty file is an empty configuration
    if (!document.IsMap())
      throw Bad{document.Mark().line + 1, "", "is not a kubeconfig: not a mapping"};
    const std::string kind = root["kind"].text();
    if (!kind.empty() && kind != "Config") root["kind"].bad("must be Config");
    config.current_context = root["current-context"].text();
    root["clusters"].each_named("cluster", [&](const std::string& name, const Field& body) {
      config.clusters.emplace(name, cluster(name, body));
    });
    root["users"].each_named("user", [&](const std::string& name, const Field& body) {
      config.users.emplace(name, user(name, body));
    });
    root["contexts"].each_named("context", [&](const std::string& name, const Field& body) {
      config.contexts.emplace(name, ContextEntry{origin("context", name), body["cluster"].text(),
                                                 body["user"].text(), body["namespace"].text()});
    });
    return config;
  }

 private:
  std::string origin(const std::string& kind, const std::string& name) const {
    return kind + " \"" + printable(name, 80) + "\" in " + file_;
  }

  std::string resolve(const std::string& path) const {
    if (path.empty() || path.front() == '/') return path;
    return (std::filesystem::path(file_).parent_path() / path).lexically_normal().string();
  }

  // `field` and `field`-data; the data wins.
  FileOrData file_or_data(const Field& body, const std::string& field,
                          const std::string& owner) const {
    FileOrData result;
    const Field data = body[(field + "-data").c_str()];
    if (!data.text().empty()) {
      result.data = data.base64();
      result.origin = field + "-data of " + owner;
    } else {
      result.path = resolve(body[field.c_str()].text());
      result.origin = field + " of " + owner;
    }
    return result;
  }

  ClusterEntry cluster(const std::string& name, const Field& body) const {
    ClusterEntry entry;
    entry.origin = origin("cluster", name);
    entry.server = body["server"].text();
    entry.ca = file_or_data(body, "certificate-authority", entry.origin);
    entry.insecure_skip_verify = body["insecure-skip-tls-verify"].flag();
    entry.tls_server_name = body["tls-server-name"].text();
    entry.proxy_url = body["proxy-url"].text();
    if (entry.insecure_skip_verify && entry.ca.given()) {
      body["insecure-skip-tls-verify"].bad("cannot be true together with a certificate-authority");
    }
    body["extensions"].each([&](const Field& extension) {
      if (extension["name"].text() != "client.authentication.k8s.io/exec") return;
      const YAML::Node node = extension["extension"].node;
      if (node.IsDefined()) {
        entry.exec_extension =
            to_json(node, 0).dump(-1, ' ', false, json::error_handler_t::replace);
      }
    });
    return entry;
  }

  UserEntry user(const std::string& name, const Field& body) const {
    UserEntry entry;
    entry.origin = origin("user", name);
    entry.token = SecretString(trim(body["token"].text()));
    entry.token_file = {resolve(body["tokenFile"].text()), {}, "tokenFile of " + entry.origin};
    entry.client_cert = file_or_data(body, "client-certificate", entry.origin);
    entry.client_key = file_or_data(body, "client-key", entry.origin);
    if (body["exec"].given()) entry.exec = exec(body["exec"], entry.origin);
    entry.refused = refused(body);
    return entry;
  }

  // Ignoring any of these would mean to act as somebody else than the file says.
  static std::string refused(const Field& body) {
    if (!body["username"].text().empty() || !body["password"].text().empty()) {
      return "username and password are not supported (API servers dropped basic authentication in "
             "1.19): "
             "use a token, a client certificate or an exec plugin";
    }
    if (body["auth-provider"].given()) {
      return "auth-provider was replaced by exec plugins in 1.26: see the documentation of your "
             "cluster's provider";
    }
    for (const char* field : {"as", "as-uid", "as-groups", "as-user-extra"}) {
      if (body[field].given()) return std::string(field) + ": impersonation is not supported";
    }
    return {};
  }

  ExecConfig exec(const Field& body, const std::string& owner) const {
    ExecConfig config;
    config.origin = owner;
    config.api_version = body["apiVersion"].text();
    const bool beta = config.api_version == "client.authentication.k8s.io/v1beta1";
    if (!beta && config.api_version != "client.authentication.k8s.io/v1") {
      body["apiVersion"].bad("must be client.authentication.k8s.io/v1 or …/v1beta1");
    }
    config.command = body["command"].text();
    if (config.command.empty()) body.bad("has no command");
    if (config.command.find('/') != std::string::npos) config.command = resolve(config.command);
    body["args"].each([&](const Field& arg) { config.args.push_back(arg.text()); });
    body["env"].each([&](const Field& pair) {
      config.env.emplace_back(pair["name"].text(), pair["value"].text());
      const std::string& name = config.env.back().first;
      if (name.empty() || name.find('=') != std::string::npos) pair.bad("has no usable name");
    });
    config.install_hint = body["installHint"].text();
    config.provide_cluster_info = body["provideClusterInfo"].flag();
    const std::string mode = body["interactiveMode"].text();
    using Interactive = ExecConfig::Interactive;
    if (mode == "Never") {
      config.interactive = Interactive::Never;
    } else if (mode == "Always") {
      config.interactive = Interactive::Always;
    } else if (mode != "IfAvailable" && !(beta && mode.empty())) {
      body["interactiveMode"].bad("must be Never, IfAvailable or Always");
    }
    return config;
  }

  const std::string& file_;
};

template <class Entry>
std::string names_of(const std::map<std::string, Entry>& entries) {
  if (entries.empty()) return "; there is none";
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries) names.push_back(printable(name, 80));
  return "; there is: " + printable(join(names, ", "), 400);
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& file) {
  try {
    return Reader(file).read(YAML::Load(std::string(text)));
  } catch (const Bad& bad) {
    return invalid("BadKubeconfig", file + (bad.line > 0 ? ":" + std::to_string(bad.line) : "") +
                                        ": " + (bad.field.empty() ? "" : bad.field + ": ") +
                                        bad.why);
  } catch (const YAML::Exception& e) {
    const std::string line = e.mark.is_null() ? "" : ":" + std::to_string(e.mark.line + 1);
    return invalid("BadKubeconfig", file + line + ": malformed YAML: " + printable(e.msg));
  } catch (const std::exception& e) {
    return invalid("BadKubeconfig", file + ": cannot be read: " + printable(e.what()));
  }
}

void merge_kubeconfig(Kubeconfig& first, Kubeconfig&& later) {
  first.files += (first.files.empty() ? "" : ", ") + later.files;
  if (first.current_context.empty()) first.current_context = std::move(later.current_context);
  first.clusters.merge(later.clusters);
  first.users.merge(later.users);
  first.contexts.merge(later.contexts);
}

Result<Selection> select_context(Kubeconfig&& config, const std::string& context) {
  const std::string& wanted = context.empty() ? config.current_context : context;
  if (wanted.empty()) {
    return invalid("NoContext", config.files +
                                    ": current-context is not set; name a context with --context" +
                                    names_of(config.contexts));
  }
  const auto chosen = config.contexts.find(wanted);
  if (chosen == config.contexts.end()) {
    return invalid("NoContext", config.files + ": no context \"" + printable(wanted, 80) + "\"" +
                                    (context.empty() ? " (current-context)" : " (--context)") +
                                    names_of(config.contexts));
  }
  const ContextEntry& entry = chosen->second;
  const auto cluster = config.clusters.find(entry.cluster);
  if (cluster == config.clusters.end()) {
    return invalid("NoCluster", entry.origin + ": its cluster \"" + printable(entry.cluster, 80) +
                                    "\" is not in " + config.files + names_of(config.clusters));
  }
  Selection selection;
  selection.cluster = std::move(cluster->second);
  selection.ns = entry.ns.empty() ? "default" : entry.ns;
  selection.user.origin = entry.origin + " (it names no user)";
  if (!entry.user.empty()) {
    const auto user = config.users.find(entry.user);
    if (user == config.users.end()) {
      return invalid("NoUser", entry.origin + ": its user \"" + printable(entry.user, 80) +
                                   "\" is not in " + config.files + names_of(config.users));
    }
    selection.user = std::move(user->second);
  }
  const UserEntry& user = selection.user;
  if (!user.refused.empty()) return invalid("UnsupportedUser", user.origin + ": " + user.refused);
  if (user.client_cert.given() != user.client_key.given()) {
    return invalid("BadKubeconfig",
                   user.origin + ": client-certificate and client-key must come together");
  }
  return selection;
}

}  // namespace keyturn::kube
