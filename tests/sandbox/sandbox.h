// The whole sandbox in one process: a Kubernetes API, Secrets Manager, STS, Lambda, Timestream for
// InfluxDB, ElastiCache, Astra's DevOps API and as many InfluxDB servers as a test makes, on
// ephemeral loopback ports; and redis-servers as its children.
//
//   Sandbox sandbox;
//   sandbox.secrets().create("shop/api-key", R"({"apiKey":"x"})");
//   Fault lost;
//   lost.operation = "PutSecretValue";
//   lost.kind = FaultKind::ResetAfter;
//   lost.times = 1;
//   sandbox.faults().add(lost);
//
// Serving when the constructor returns (it throws std::runtime_error when a port cannot be had).
// Thread rule: any thread, except that start/stop of one server must not race with each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "tests/sandbox/astra_api.h"
#include "tests/sandbox/auth.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/aws_api.h"
#include "tests/sandbox/call_log.h"
#include "tests/sandbox/controllers.h"
#include "tests/sandbox/elasticache.h"
#include "tests/sandbox/faults.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/influx_instances.h"
#include "tests/sandbox/kube_api.h"
#include "tests/sandbox/lambda_functions.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/object_writer.h"
#include "tests/sandbox/resource.h"
#include "tests/sandbox/rotation_runner.h"
#include "tests/sandbox/secrets_manager.h"
#include "tests/sandbox/shifted_clock.h"
#include "tests/sandbox/timestream.h"
#include "tests/sandbox/tls.h"

namespace keyturn::sandbox {

class Admin;

struct SandboxOptions {
  int kube_port = 0, aws_port = 0, aws_tls_port = 0, admin_port = 0;  // 0: ephemeral
  std::uint64_t seed = 1;
  std::size_t history = 20'000;  // watch events kept for each resource
  std::string region = "eu-west-1";
};

class Sandbox {
 public:
  explicit Sandbox(const SandboxOptions& options = {});
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  std::string kube_url() const;
  const std::string& ca_pem() const { return authority_.ca_pem(); }
  const std::string& token() const { return token_; }  // of a cluster administrator
  std::string kubeconfig() const { return kubeconfig_for(token_); }
  std::string kubeconfig_for(const std::string& bearer_token) const;

  std::string aws_url() const;      // plain HTTP
  std::string aws_tls_url() const;  // certificate of the same authority
  std::string astra_url() const;    // over TLS
  std::string admin_url() const;
  const std::string& access_key() const { return access_key_; }
  const std::string& secret_key() const { return secret_key_; }
  const std::string& region() const { return options_.region; }
  // "export NAME=value" lines for a shell.
  std::string env(const std::string& kubeconfig_path) const;

  const Authority& authority() const { return authority_; }
  FaultPlan& faults() { return faults_; }
  CallLog& calls() { return calls_; }
  SecretsManager& secrets() { return secrets_; }
  AwsAccounts& accounts() { return accounts_; }
  AwsApi& aws_api() { return aws_api_; }
  InfluxInstances& influx() { return influx_; }
  LambdaFunctions& functions() { return functions_; }
  RotationRunner& rotations() { return rotations_; }
  AstraApi& astra() { return astra_; }
  ElastiCache& elasticache() { return elasticache_; }
  Auth& auth() { return auth_; }
  ObjectStore& store() { return store_; }
  ObjectWriter& objects() { return writer_; }
  Registry& registry() { return registry_; }
  KubeApi& kube_api() { return kube_api_; }
  Controllers& controllers() { return controllers_; }
  HttpServer& kube_server() { return kube_server_; }
  HttpServer& aws_server() { return aws_server_; }
  HttpServer& aws_tls_server() { return aws_tls_server_; }
  HttpServer& astra_server() { return astra_server_; }
  // What AWS takes the time to be, beside the real one.
  void set_aws_clock_offset(Duration offset) { aws_clock_.set_offset(offset); }

  // Applies every document of a YAML text (create, or replace what exists). Throws ApiError or
  // std::runtime_error.
  void load(const std::string& yaml);
  // The object's JSON, or null. `resource`: "secrets", "rotationpolicies.keyturn.dev".
  Json object(const std::string& resource, const std::string& ns, const std::string& name) const;

 private:
  void commit_hook(const std::string& resource, const StoreEvent& event);

  const SandboxOptions options_;
  SystemClock clock_;
  ShiftedClock aws_clock_;
  std::string token_, access_key_, secret_key_;
  Authority authority_;
  std::shared_ptr<ssl_ctx_st> tls_;
  FaultPlan faults_;
  CallLog calls_;
  ServiceFront front_;
  ObjectStore store_;
  Registry registry_;
  ObjectWriter writer_;
  Auth auth_;
  KubeApi kube_api_;
  Controllers controllers_;
  AwsAccounts accounts_;
  SecretsManager secrets_;
  LambdaFunctions functions_;
  RotationRunner rotations_;
  InfluxInstances influx_;
  Timestream timestream_;
  AstraApi astra_;
  ElastiCache elasticache_;
  AwsApi aws_api_;
  std::unique_ptr<Admin> admin_;
  HttpServer kube_server_, aws_server_, aws_tls_server_, astra_server_, admin_server_;
};

}  // namespace keyturn::sandbox
