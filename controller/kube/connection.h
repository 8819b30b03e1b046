// The Connection that keeps itself fresh: files are read again each minute, exec plugins run again
// near expiry or after a 401. What cannot be read any more leaves the last good value in force.
// Facts: client-go transport/token_source.go (one minute, 10 s leeway),
// plugin/pkg/client/auth/exec.
//
// Thread rule: any thread. An exec plugin runs under the lock: one at a time, the others wait for
// its answer.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "controller/kube/config.h"
#include "controller/kube/exec_plugin.h"
#include "controller/kube/file_source.h"
#include "lib/base/clock.h"

namespace keyturn::kube {

struct ConnectionSettings {
  std::string server;  // without a trailing slash
  std::string proxy;
  std::string ns;
  std::string tls_server_name;
  bool insecure_skip_verify = false;
  FileOrData ca;  // not given: the system's trust store
  FileOrData client_cert;
  FileOrData client_key;
  SecretString token;  // used when token_file is not given or cannot be read yet
  FileOrData token_file;
  std::optional<ExecConfig> exec;  // its credentials count where nothing above gives any
  Duration exec_timeout{30'000};
  std::string cluster_origin;      // `cluster "kind" in FILE`
  std::string credentials_origin;  // `the token of user "me" in FILE`
};

class LiveConnection final : public Connection {
 public:
  LiveConnection(ConnectionSettings settings, Clock& clock);

  // Reads the files for the first time. Invalid when one of them is not usable. (An exec plugin
  // runs when first needed.)
  Status load();

  Result<Access> access() override;
  void unauthorized() override;
  const std::string& default_namespace() const override { return settings_.ns; }
  std::string credentials_origin() const override { return settings_.credentials_origin; }
  std::string ca_origin() const override;

 private:
  bool plain_http() const { return settings_.server.starts_with("http://"); }
  Status reload_token();
  Status reload_tls();
  void refresh_files();
  Status refresh_exec();
  std::shared_ptr<const http::TlsConfig> tls_with(const ExecCredential& credential) const;

  const ConnectionSettings settings_;
  Clock& clock_;
  std::mutex mutex_;
  MonoTime files_due_{};
  SecretString token_;
  std::shared_ptr<const http::TlsConfig> tls_;
  std::optional<ExecCredential> exec_;
  std::shared_ptr<const http::TlsConfig> exec_tls_;  // tls_ with the certificate of exec_
  std::optional<MonoTime> exec_ran_;
  std::optional<Error> exec_error_;  // of the last run
  bool exec_stale_ = false;
};

}  // namespace keyturn::kube
