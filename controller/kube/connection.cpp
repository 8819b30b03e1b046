#include "controller/kube/connection.h"

#include <utility>

#include "lib/base/log.h"
#include "lib/base/text.h"

namespace keyturn::kube {
namespace {

constexpr Duration kReload{50'000};      // a minute less 10 s leeway
constexpr Duration kReloadSoon{10'000};  // after a failure
constexpr Duration kExecPause{5'000};    // between two runs of a plugin, whatever happens
constexpr Duration kExecLeeway{10'000};

bool same(const http::TlsConfig& a, const http::TlsConfig& b) {
  return a.ca_pem == b.ca_pem && a.client_cert_pem == b.client_cert_pem &&
         a.client_key_pem == b.client_key_pem;
}

}  // namespace

LiveConnection::LiveConnection(ConnectionSettings settings, Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {}

std::string LiveConnection::ca_origin() const {
  if (settings_.ca.given()) return settings_.ca.origin;
  return "the system's trust store, since " + settings_.cluster_origin +
         " names no certificate-authority";
}

Status LiveConnection::load() {
  const std::lock_guard<std::mutex> guard(mutex_);
  Status read = reload_token();
  if (!read && !token_.empty()) read = {};  // there is one beside the file
  if (read) read = reload_tls();
  if (!read) {
    Error error = std::move(read).error();
    error.cls = ErrorClass::Invalid;
    return error;
  }
  files_due_ = clock_.mono() + kReload;
  if (plain_http()) {
    log::warn("the Kubernetes API is reached over plain HTTP: no credentials are sent",
              {{"server", settings_.server}});
  }
  return {};
}

// A file wins over the token beside it, as long as it can be read.
Status LiveConnection::reload_token() {
  if (!settings_.token_file.given()) {
    if (token_.empty()) token_ = settings_.token.clone();
    return {};
  }
  auto text = settings_.token_file.read();
  if (text) {
    const std::string_view token = trim(text->reveal());
    if (!token.empty()) {
      token_ = SecretString(token);
      return {};
    }
    text = invalid("EmptyToken",
                   settings_.token_file.origin + ": " + settings_.token_file.path + " is empty");
  }
  if (token_.empty()) token_ = settings_.token.clone();
  return std::move(text).error();
}

Status LiveConnection::reload_tls() {
  if (plain_http()) return {};
  auto ca = settings_.ca.read();
  if (!ca) return std::move(ca).error();
  if (settings_.ca.given()) {
    if (Status good = check_certificates(ca->reveal(), settings_.ca.origin); !good) return good;
  }
  auto cert = settings_.client_cert.read();
  if (!cert) return std::move(cert).error();
  auto key = settings_.client_key.read();
  if (!key) return std::move(key).error();
  if (settings_.client_cert.given()) {
    // While both files are being replaced they do not match for a moment: the old pair stays.
    Status pair = check_key_pair(cert->reveal(), key->reveal(), settings_.client_cert.origin);
    if (!pair) return pair;
  }
  auto fresh = std::make_shared<http::TlsConfig>();
  fresh->ca_pem = ca->reveal();
  fresh->client_cert_pem = cert->reveal();
  fresh->client_key_pem = key->reveal();
  fresh->server_name = settings_.tls_server_name;
  fresh->insecure_skip_verify = settings_.insecure_skip_verify;
  // The same object keeps connections alive.
  if (tls_ && same(*tls_, *fresh)) return {};
  tls_ = std::move(fresh);
  if (exec_) exec_tls_ = tls_with(*exec_);
  return {};
}

void LiveConnection::refresh_files() {
  const MonoTime now = clock_.mono();
  if (now < files_due_) return;
  files_due_ = now + kReload;
  for (const Status& status : {reload_token(), reload_tls()}) {
    if (status) continue;
    files_due_ = now + kReloadSoon;
    log::warn("credentials not read again, the last good ones stay in use",
              {{"error", status.error().describe()}});
  }
}

std::shared_ptr<const http::TlsConfig> LiveConnection::tls_with(
    const ExecCredential& credential) const {
  if (!tls_ || credential.cert_pem.empty()) return tls_;
  auto tls = std::make_shared<http::TlsConfig>(*tls_);
  tls->client_cert_pem = credential.cert_pem.reveal();
  tls->client_key_pem = credential.key_pem.reveal();
  return tls;
}

Status LiveConnection::refresh_exec() {
  const bool expired = exec_ && exec_->expires && *exec_->expires <= clock_.now();
  const bool wanted =
      !exec_ || exec_stale_ || (exec_->expires && *exec_->expires - kExecLeeway <= clock_.now());
  if (!wanted) return {};
  const MonoTime now = clock_.mono();
  if (exec_ran_ && now - *exec_ran_ < kExecPause) {
    // No storm of processes; what there is may still do.
    if (exec_) return {};
    return *exec_error_;
  }
  exec_ran_ = now;
  auto fresh = run_plugin(*settings_.exec, settings_.exec_timeout);
  if (fresh) {
    exec_ = *std::move(fresh);
    exec_tls_ = tls_with(*exec_);
    exec_error_.reset();
    exec_stale_ = false;
    return {};
  }
  exec_error_ = fresh.error();
  if (exec_ && !expired && !exec_stale_) {  // still good: the next request tries again
    log::warn("exec plugin failed, the credentials at hand stay in use until they expire",
              {{"error", fresh.error().describe()}});
    return {};
  }
  exec_.reset();
  return std::move(fresh).error();
}

Result<Access> LiveConnection::access() {
  const std::lock_guard<std::mutex> guard(mutex_);
  refresh_files();
  Access access;
  access.server = settings_.server;
  access.proxy = settings_.proxy;
  if (plain_http()) return access;
  access.tls = tls_;
  access.bearer_token = token_.clone();
  if (settings_.exec) {
    if (Status fresh = refresh_exec(); !fresh) return std::move(fresh).error();
    access.tls = exec_tls_;
    if (access.bearer_token.empty()) access.bearer_token = exec_->token.clone();
  }
  return access;
}

void LiveConnection::unauthorized() {
  const std::lock_guard<std::mutex> guard(mutex_);
  files_due_ = MonoTime::min();
  exec_stale_ = exec_.has_value();
}

}  // namespace keyturn::kube
