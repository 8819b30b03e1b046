#include "lib/engine/strategies/influxdb_access.h"

#include <optional>
#include <utility>

#include "lib/base/text.h"

namespace keyturn::engine::influxdb {
namespace {

constexpr Duration kRemember{60'000};
constexpr Duration kRememberDatabase{86'400'000};

// "2.7.12", "v2.9.1"; what does not tell its version is taken for a 2.
Status check_version(const std::string& version, const std::string& host) {
  const std::size_t digit = version.starts_with('v') ? 1 : 0;
  if (version.size() <= digit + 1 || version[digit + 1] != '.' || version[digit] == '2' ||
      version[digit] < '0' || version[digit] > '9')
    return {};
  return invalid("WrongVersion", "InfluxDB at " + host + " is version " + printable(version, 40) +
                                     "; Keyturn works with version 2, whose users and tokens are "
                                     "another thing than those of InfluxDB 1 and 3");
}

Status check_cluster(const aws::DbCluster& cluster) {
  if (cluster.engine_type.empty() || cluster.engine_type == "INFLUXDB_V2") return {};
  return invalid("WrongVersion", "Timestream cluster " + printable(cluster.id, 80) + " runs " +
                                     printable(cluster.engine_type, 40) +
                                     "; Keyturn works with INFLUXDB_V2, whose users and tokens are "
                                     "another thing than those of InfluxDB 3");
}

Error not_ready(const std::string& what, const std::string& status) {
  return make_error(ErrorClass::Transient, "DatabaseNotReady",
                    what + " has no endpoint yet (status " + printable(status, 60) + ")");
}

Result<Login> read_admin(const aws::SecretValue& value) {
  const auto bad = [&](const std::string& why) {
    return invalid("AdminSecret", "secret " + printable(value.name) + " (adminSecretArn): " + why);
  };
  if (value.binary) return bad("holds SecretBinary; it must be a JSON object");
  auto login = Login::read(Document::parse(value.value));
  if (!login)
    return bad("must be a JSON object with username and password: " + login.error().message);
  return login;
}

}  // namespace

template <class Make>
Result<Client> Access::remembered(const std::string& key, Make make) const {
  if (!deps_.complete()) return no_backend_access();
  const MonoTime now = deps_.clock->mono();
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(key);
    if (found != known_.end() && found->second.until > now) return found->second.client;
  }
  Result<Client> made = make();
  if (!made) return made;
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(key, Known{*made, now + kRemember});
  return made;
}

Result<Client> Access::server(const Location& location, MonoTime deadline) const {
  return remembered(location.db_identifier + "|" + location.url, [&]() -> Result<Client> {
    auto server = find(location);
    if (!server) return std::move(server).error();
    Client client(deps_, std::move(server).value());
    auto version = client.version(deadline);
    if (!version) {
      // It may have moved; but who was not asked did not fail to answer.
      if (deps_.memory && version.error().cls != ErrorClass::Unavailable)
        deps_.memory->forget_database(location.db_identifier);
      return std::move(version).error();
    }
    if (auto good = check_version(*version, client.server().host_port); !good)
      return std::move(good).error();
    return client;
  });
}

Result<Client> Access::administrator(const Location& location, const std::string& admin_secret,
                                     MonoTime deadline) const {
  const std::string key = location.db_identifier + "|" + location.url + "|" + admin_secret;
  return remembered(key, [&]() -> Result<Client> {
    auto client = server(location, deadline);
    if (!client) return client;
    return sign_in(*client, admin_secret, deadline);
  });
}

Result<Server> Access::find(const Location& location) const {
  return location.url.empty() ? find_instance(location.db_identifier)
                              : allowed_server(deps_, location.url);
}

Result<Server> Access::find_instance(const std::string& identifier) const {
  if (deps_.memory) {
    if (const auto known = deps_.memory->database(identifier, deps_.clock->mono())) {
      if (auto may = deps_.guard->resource(known->arn); !may) return denied(std::move(may).error());
      return allowed_server(deps_, known->base);
    }
  }
  auto instance = deps_.timestream->get_instance(identifier);
  if (!instance && instance.error().cls == ErrorClass::NotFound) {
    auto cluster = find_cluster(identifier);
    if (cluster || cluster.error().cls != ErrorClass::NotFound) return cluster;
    return invalid("NoSuchDatabase", "there is no Timestream for InfluxDB instance or cluster \"" +
                                         printable(identifier, 80) +
                                         "\" in this account and region; correct dbIdentifier");
  }
  if (!instance) return std::move(instance).error();
  if (auto may = deps_.guard->resource(instance->arn); !may) return denied(std::move(may).error());
  if (!instance->cluster_id.empty()) {  // only a cluster tells its engine
    auto of = deps_.timestream->get_cluster(instance->cluster_id);
    if (!of) return std::move(of).error();
    if (auto good = check_cluster(*of); !good) return std::move(good).error();
  }
  if (instance->endpoint.empty())
    return not_ready("Timestream instance " + printable(identifier, 80), instance->status);
  return found(identifier, instance->arn, instance->endpoint, instance->port);
}

Result<Server> Access::find_cluster(const std::string& id) const {
  auto cluster = deps_.timestream->get_cluster(id);
  if (!cluster) return std::move(cluster).error();
  if (auto may = deps_.guard->resource(cluster->arn); !may) return denied(std::move(may).error());
  if (auto good = check_cluster(*cluster); !good) return std::move(good).error();
  if (cluster->endpoint.empty())
    return not_ready("Timestream cluster " + printable(id, 80), cluster->status);
  return found(id, cluster->arn, cluster->endpoint, cluster->port);
}

Result<Server> Access::found(const std::string& identifier, const std::string& arn,
                             const std::string& host, int port) const {
  const std::string base = "https://" + host + ":" + std::to_string(port);
  if (deps_.memory) {
    deps_.memory->remember_database(identifier,
                                    {arn, base, deps_.clock->mono() + kRememberDatabase});
  }
  return allowed_server(deps_, base);
}

Result<Client> Access::sign_in(const Client& client, const std::string& admin_secret,
                               MonoTime deadline) const {
  auto known = allowed_secret(deps_, admin_secret);
  if (!known) return std::move(known).error().with_context("adminSecretArn");
  auto value = deps_.secrets->get_value(known->arn, "", "AWSCURRENT");
  if (!value) return std::move(value).error().with_context("adminSecretArn");
  auto admin = read_admin(*value);
  if (!admin) return std::move(admin).error();
  auto session = client.sign_in(*admin, deadline);
  if (session || session.error().cls != ErrorClass::Denied) return session;
  Error refused = std::move(session).error();
  refused.code = "SignInRefused";  // says nothing about the token
  return std::move(refused).with_context("the user in secret " + printable(known->name) +
                                         " (adminSecretArn) may not sign in");
}

}  // namespace keyturn::engine::influxdb
