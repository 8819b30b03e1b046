// What the `keyturn secret` commands have in common: which secret, which strategy, which AWS, how
// the result looks. Thread rule: main thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "controller/cli/aws_access.h"
#include "controller/cli/interrupt.h"
#include "controller/cli/output.h"
#include "controller/cli/secret_drive.h"
#include "lib/base/result.h"

namespace CLI {
class App;
}

namespace keyturn::cli {

enum class Asks { Strategy, MayNameStrategy, NoStrategy };

struct SecretFlags {
  std::string secret;             // name or ARN
  std::string strategy, options;  // options: "" for {}
  std::string file;               // a RotationPolicy instead of the three
  std::string region, endpoint_url;
  std::string timeout = "10m", request_deadline = "15s";
  Output output = Output::Table;

  void add_to(CLI::App& command, Asks asks);
  // How long to wait and the protocol's times; only for commands that change something.
  void add_times_to(CLI::App& command);

  bool structured() const { return output == Output::Json || output == Output::Yaml; }
};

// What the flags name, a policy file read: secret, region, strategy filled in. Invalid "Usage"
// where they contradict each other or leave out what `asks` needs.
Result<SecretFlags> resolve(SecretFlags flags, Asks asks);

// Everything a command works with, alive as long as the command.
class OpenSecret {
 public:
  // `flags` are resolved. Tells each step on stdout, unless the result is printed as JSON or YAML:
  // then steps() has them.
  static Result<std::unique_ptr<OpenSecret>> open(const SecretFlags& flags);

  aws::SecretsManager& secrets() { return access_->secrets(); }
  aws::SecretsAdmin& admin() { return access_->admin(); }
  Clock& clock() { return access_->clock(); }
  Rng& rng() { return access_->rng(); }
  const engine::Strategy* strategy() const { return strategy_.get(); }  // null: none was named
  // Precondition: a strategy was named.
  Alone& alone() { return *alone_; }
  const nlohmann::json& steps() const;

 private:
  OpenSecret();

 public:
  ~OpenSecret();

 private:
  Interrupt interrupt_;
  std::unique_ptr<AwsAccess> access_;
  std::unique_ptr<engine::Strategy> strategy_;
  std::unique_ptr<Alone> alone_;
  std::unique_ptr<nlohmann::json> steps_;
};

// "generic, influxdbToken, …"
std::string known_strategies();
// The protocol's unit of time; Invalid "BadDuration" where it is none, or out of bounds.
Result<Duration> read_request_deadline(const std::string& text);

// "keyturn secret rotate: …" to stderr; kFailed, or kUsage for Invalid "Usage".
int fail_secret(const char* command, const Error& error);

}  // namespace keyturn::cli
