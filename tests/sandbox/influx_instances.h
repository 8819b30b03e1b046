// The InfluxDB servers of the sandbox: each on a loopback port of its own, all of them known to
// Timestream for InfluxDB (timestream.h), which says where they are.
//
// Thread rule: any thread; start and stop of one instance must not race with each other.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/sandbox/http_server.h"
#include "tests/sandbox/influx_db.h"
#include "tests/sandbox/secrets_manager.h"
#include "tests/sandbox/service_front.h"
#include "tests/sandbox/shifted_clock.h"

namespace keyturn::sandbox {

struct InfluxSpec {
  std::string name = "influx";
  // "2.7" and "2.9" mean their newest known patch; from 2.9 on tokens are hidden. "3…" serves none
  // of the API of version 2.
  std::string version = "2.7";
  std::string org = "shop", bucket = "orders", username = "admin";
  std::string password;  // made up when empty
  bool tls = true;
  bool set_up = true;  // false: POST /api/v2/setup is the test's to do
  bool strong_passwords = false;
  std::chrono::seconds session_length{3600};
  std::string cluster;  // id of the cluster it belongs to
};

struct InfluxInstance {
  std::string id, name, arn, secret_arn, cluster, region;
  std::string status = "AVAILABLE";  // what GetDbInstance says; the server runs regardless
  std::string username, password;
  InfluxDb::Setup setup;
  bool tls = true;
  std::shared_ptr<InfluxDb> db;
  std::shared_ptr<HttpServer> server;

  std::string host() const { return "127.0.0.1"; }
  std::string url() const;
};

struct InfluxCluster {
  std::string id, name, arn, region;
  std::string status = "AVAILABLE";
  std::string engine = "INFLUXDB_V2";  // INFLUXDB_V3_CORE, INFLUXDB_V3_ENTERPRISE
  std::string instance;                // whose endpoint it gives; "" = none yet
};

class InfluxInstances {
 public:
  // `tls` and the others must outlive it.
  InfluxInstances(ssl_ctx_st* tls, ServiceFront& front, SecretsManager& secrets, const Clock& clock,
                  std::string region);
  ~InfluxInstances();

  // Serving when it returns. Throws InfluxError or std::runtime_error. What is returned is a copy
  // whose `db` and `server` are the living ones.
  InfluxInstance create(const InfluxSpec& spec);
  void remove(const std::string& id);  // by id or name
  InfluxInstance need(const std::string& id) const;
  std::vector<InfluxInstance> list() const;
  void set_status(const std::string& id, const std::string& status);

  InfluxCluster create_cluster(InfluxCluster wanted);
  InfluxCluster need_cluster(const std::string& id) const;
  std::vector<InfluxCluster> clusters() const;
  void set_cluster_status(const std::string& id, const std::string& status);

  // What all of them take the time to be, beside the real one: sessions expire by it.
  void set_clock_offset(Duration offset) { clock_.set_offset(offset); }

 private:
  const InfluxInstance* find(const std::string& id) const;  // locked
  const InfluxCluster* find_cluster(const std::string& id) const;
  std::string next_id(char kind);

  ssl_ctx_st* tls_;
  ServiceFront& front_;
  SecretsManager& secrets_;
  ShiftedClock clock_;
  const std::string region_;
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::string, InfluxInstance> instances_;
  std::map<std::string, InfluxCluster> clusters_;
};

}  // namespace keyturn::sandbox
