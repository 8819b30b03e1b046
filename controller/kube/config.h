// Where the API server is and who we are: kubeconfig files or the in-cluster service account.
//
// Loaded once into a Connection, which then keeps itself fresh: token files are re-read each minute
// (10 s leeway, the last good one is kept on failure), the CA file too, exec plugins are run again
// near expiry or after a 401. Facts: client-go tools/clientcmd, transport/token_source.go;
// client.authentication.k8s.io/v1.
//
// Thread rule: Connection may be used from any thread; an exec plugin runs in one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"
#include "lib/http/transport.h"

namespace keyturn::kube {

// What one request needs.
struct Access {
  std::string server;  // "https://10.0.0.1:443", no trailing slash
  std::string proxy;   // proxy-url; "" = environment
  std::shared_ptr<const http::TlsConfig> tls;
  SecretString bearer_token;  // empty: client certificate or anonymous
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual Result<Access> access() = 0;
  // The server answered 401: whatever is cached is wrong.
  virtual void unauthorized() = 0;
  // namespace of the context (kubeconfig) or of the pod; "default" when unset.
  virtual const std::string& default_namespace() const = 0;
  // Where the credentials and the CA come from, for error texts: `the token of user "me" in
  // /home/me/.kube/config`.
  virtual std::string credentials_origin() const { return "the credentials"; }
  virtual std::string ca_origin() const { return "the certificate authority"; }
};

struct ConfigOptions {
  std::string kubeconfig;  // --kubeconfig; "" = $KUBECONFIG (a list is merged), ~/.kube/config,
                           // then in-cluster
  std::string context;     // --context; "" = current-context
  std::function<std::optional<std::string>(const std::string&)> env;
  Clock* clock = nullptr;
  std::string service_account_dir = "/var/run/secrets/kubernetes.io/serviceaccount";
  Duration exec_timeout{30'000};  // of a non-interactive exec plugin, real time
};

// Invalid: malformed file, missing context/cluster/user, unreadable CA … with the file's name and
// the field's path.
Result<std::shared_ptr<Connection>> load_config(const ConfigOptions& options);

}  // namespace keyturn::kube
