#include "tests/sandbox/influx_instances.h"

#include <cstdlib>
#include <utility>

#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "tests/sandbox/influx_error.h"

namespace keyturn::sandbox {
namespace {

constexpr const char* kAccount = "123456789012";

std::string full_version(const std::string& version) {
  if (version == "2.7") return "2.7.12";
  if (version == "2.9") return "2.9.1";
  return version;
}

// Of "2.7.12" or "2.8".
bool is_at_least(const std::string& version, int minor, int patch) {
  const std::vector<std::string> parts = split(version, '.');
  const auto number = [&](std::size_t i) {
    return i < parts.size() ? std::atoi(parts[i].c_str()) : 0;
  };
  return std::pair(number(1), number(2)) >= std::pair(minor, patch);
}

std::string made_up_password() {
  SystemRng rng;
  std::string text = uuid_v4(rng);
  std::erase(text, '-');
  return text;
}

HttpResponse fault_reply(const Fault& fault) {
  const std::string code = !fault.code.empty()       ? fault.code
                           : fault.status == 401     ? "unauthorized"
                           : fault.status == 403     ? "forbidden"
                           : fault.status == 404     ? "not found"
                           : fault.status == 422     ? "conflict"
                           : fault.status == 429     ? "too many requests"
                           : fault.status == 503     ? "unavailable"
                           : fault.status / 100 == 4 ? "invalid"
                                                     : "internal error";
  const std::string message = fault.message.empty() ? "ordered by the sandbox" : fault.message;
  return {fault.status,
          "application/json; charset=utf-8",
          Json{{"code", code}, {"message", message}}.dump(),
          {{"X-Platform-Error-Code", code}}};
}

}  // namespace

std::string InfluxInstance::url() const {
  return (tls ? "https://" : "http://") + host() + ":" + std::to_string(server->port());
}

InfluxInstances::InfluxInstances(ssl_ctx_st* tls, ServiceFront& front, SecretsManager& secrets,
                                 const Clock& clock, std::string region)
    : tls_(tls), front_(front), secrets_(secrets), clock_(clock), region_(std::move(region)) {}

InfluxInstances::~InfluxInstances() {
  for (auto& [id, instance] : instances_) instance.server->stop();
}

// Ten letters and digits, as the service makes them.
std::string InfluxInstances::next_id(char kind) {
  std::string number = std::to_string(next_++);
  return kind + std::string(9 - number.size(), 'x') + number;
}

InfluxInstance InfluxInstances::create(const InfluxSpec& spec) {
  const std::lock_guard lock(mutex_);
  if (find(spec.name)) throw InfluxError("conflict", "there is an instance " + spec.name);
  if (!spec.cluster.empty() && !find_cluster(spec.cluster))
    throw InfluxError("not found", "no cluster " + spec.cluster);
  InfluxInstance made;
  made.name = spec.name;
  made.region = region_;
  made.cluster = spec.cluster;
  made.tls = spec.tls;
  made.username = spec.username;
  made.password = spec.password.empty() ? made_up_password() : spec.password;
  const std::uint64_t number = next_;
  made.id = next_id('i');
  made.arn = "arn:aws:timestream-influxdb:" + region_ + ":" + kAccount + ":db-instance/" + made.id;
  const std::string version = full_version(spec.version);
  made.db = std::make_shared<InfluxDb>(
      // Hashed tokens came with 2.8 and are the default from 2.9 on.
      InfluxDb::Options{.version = version,
                        .hides_tokens = is_at_least(version, 9, 0),
                        .strong_passwords = spec.strong_passwords,
                        .bounds_passwords = is_at_least(version, 7, 6),
                        .session_length = spec.session_length},
      clock_, number);
  if (spec.set_up)
    made.setup = made.db->set_up(made.username, made.password, spec.org, spec.bucket);
  made.secret_arn = secrets_.create("READONLY-InfluxDB-auth-parameters-" + made.id,
                                    Json{{"organization", spec.org},
                                         {"bucket", spec.bucket},
                                         {"username", made.username},
                                         {"password", made.password}}
                                        .dump(),
                                    region_);
  made.server = std::make_shared<HttpServer>(
      "influxdb " + spec.name, spec.tls ? tls_ : nullptr,
      [this, db = made.db, name = spec.name](const HttpRequest& request, HttpExchange& exchange) {
        front_.run(InfluxDb::call_of(request, name), exchange, fault_reply,
                   [&] { return db->handle(request); });
      });
  made.server->start();
  return instances_.emplace(made.id, made).first->second;
}

void InfluxInstances::remove(const std::string& id) {
  InfluxInstance gone;
  {
    const std::lock_guard lock(mutex_);
    const InfluxInstance* found = find(id);
    if (!found) throw InfluxError("not found", "no instance " + id);
    gone = *found;
    instances_.erase(gone.id);
  }
  gone.server->stop();
}

const InfluxInstance* InfluxInstances::find(const std::string& id) const {
  for (const auto& [key, instance] : instances_) {
    if (key == id || instance.name == id) return &instance;
  }
  return nullptr;
}

const InfluxCluster* InfluxInstances::find_cluster(const std::string& id) const {
  for (const auto& [key, cluster] : clusters_) {
    if (key == id || cluster.name == id) return &cluster;
  }
  return nullptr;
}

InfluxInstance InfluxInstances::need(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const InfluxInstance* found = find(id);
  if (!found) throw InfluxError("not found", "no instance " + id);
  return *found;
}

std::vector<InfluxInstance> InfluxInstances::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxInstance> out;
  for (const auto& [id, instance] : instances_) out.push_back(instance);
  return out;
}

void InfluxInstances::set_status(const std::string& id, const std::string& status) {
  const std::lock_guard lock(mutex_);
  const InfluxInstance* found = find(id);
  if (!found) throw InfluxError("not found", "no instance " + id);
  instances_.at(found->id).status = status;
}

InfluxCluster InfluxInstances::create_cluster(InfluxCluster wanted) {
  const std::lock_guard lock(mutex_);
  if (find_cluster(wanted.name)) throw InfluxError("conflict", "there is a cluster " + wanted.name);
  if (!wanted.instance.empty()) {
    const InfluxInstance* instance = find(wanted.instance);
    if (!instance) throw InfluxError("not found", "no instance " + wanted.instance);
    wanted.instance = instance->id;
  }
  wanted.region = region_;
  wanted.id = next_id('c');
  wanted.arn =
      "arn:aws:timestream-influxdb:" + region_ + ":" + kAccount + ":db-cluster/" + wanted.id;
  if (!wanted.instance.empty()) instances_.at(wanted.instance).cluster = wanted.id;
  return clusters_.emplace(wanted.id, wanted).first->second;
}

InfluxCluster InfluxInstances::need_cluster(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const InfluxCluster* found = find_cluster(id);
  if (!found) throw InfluxError("not found", "no cluster " + id);
  return *found;
}

std::vector<InfluxCluster> InfluxInstances::clusters() const {
  const std::lock_guard lock(mutex_);
  std::vector<InfluxCluster> out;
  for (const auto& [id, cluster] : clusters_) out.push_back(cluster);
  return out;
}

void InfluxInstances::set_cluster_status(const std::string& id, const std::string& status) {
  const std::lock_guard lock(mutex_);
  const InfluxCluster* found = find_cluster(id);
  if (!found) throw InfluxError("not found", "no cluster " + id);
  clusters_.at(found->id).status = status;
}

}  // namespace keyturn::sandbox
