#include "tests/simulation/model_influx.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "lib/engine/strategies/mark.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::simulation::model {
namespace {

using nlohmann::json;

constexpr const char* kOrg = "00000000000000aa";
constexpr const char* kUser = "00000000000000bb";

std::string id_of(Cred token) {
  char text[17];
  std::snprintf(text, sizeof text, "%016x", static_cast<unsigned>(token));
  return text;
}
Cred token_of(const std::string& id) { return static_cast<Cred>(std::stoul(id, nullptr, 16)); }

http::Response answer(int status, const json& body) {
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}
http::Response unauthorized() {
  return answer(401, {{"code", "unauthorized"}, {"message", "unauthorized access"}});
}

class Wire final : public http::Transport {
 public:
  Wire(std::string arn, Ask ask) : arn_(std::move(arn)), ask_(std::move(ask)) {}

  Result<http::Response> send(const http::Request& r) override {
    const std::string path = r.url.substr(r.url.find('/', 8));
    if (path == "/ping") return http::Response{204, {{"X-Influxdb-Version", "2.9.1"}}, ""};
    if (path == "/api/v2/signin")
      return http::Response{204, {{"Set-Cookie", "influxdb-oss-session=s"}}, ""};
    if (path == "/api/v2/me") return me(r);
    if (path.starts_with("/api/v2/authorizations/")) return one(r, token_of(path.substr(23)));
    if (path.starts_with("/api/v2/authorizations"))
      return r.method == "POST" ? create(json::parse(r.body)) : list();
    throw std::logic_error("the model's InfluxDB does not know " + r.method + " " + path);
  }
  Result<http::Response> stream(const http::Request&,
                                const std::function<bool(std::string_view)>&) override {
    throw std::logic_error("InfluxDB is not streamed from");
  }

 private:
  Result<http::Response> me(const http::Request& r) {
    std::string proof;
    for (const auto& [name, value] : r.headers) {
      if (name == "Authorization") proof = value;
    }
    const auto token = static_cast<Cred>(std::stoul(proof.substr(std::strlen("Token t"))));
    switch (ask_({.kind = Request::Kind::Login, .token = token})[0]) {
      case 0:
        return unauthorized();
      case 1:
        return answer(200, {{"id", kUser}, {"name", "shop"}});
      default:
        return make_error(ErrorClass::Transient, "Timeout", "no answer");
    }
  }

  Result<http::Response> one(const http::Request& r, Cred token) {
    if (r.method == "DELETE") {
      (void)ask_({.kind = Request::Kind::Revoke, .token = token});
      return http::Response{204, {}, ""};
    }
    if (r.method == "PATCH") return update(token, json::parse(r.body));
    const std::string& reply = ask_({.kind = Request::Kind::Look, .token = token});
    if (reply.empty()) return missing();
    Shown shown;
    std::memcpy(&shown, reply.data(), sizeof shown);
    return answer(200, render(token, shown, ""));
  }

  Result<http::Response> update(Cred token, const json& body) {
    const auto mark = engine::Description::read(body.value("description", std::string()))
                          .mark.value_or(engine::Mark{});
    Request request{.kind = Request::Kind::Switch, .token = token};
    request.version = version_number(mark.version_id);
    request.other_token = mark.replaces.empty() ? Cred{0} : token_of(mark.replaces);
    request.others = static_cast<std::uint8_t>((body.at("status") == "active" ? 1 : 0) |
                                               (mark.retiring ? 2 : 0));
    const std::string& reply = ask_(request);
    if (reply[0] == 0) return missing();
    return answer(200, render(token, {request.version, request.other_token, request.others}, ""));
  }

  Result<http::Response> create(const json& body) {
    const auto mark =
        engine::Description::read(body.at("description").get<std::string>()).mark.value();
    Request request{.kind = Request::Kind::Mint, .version = version_number(mark.version_id)};
    request.other_token = mark.replaces.empty() ? Cred{0} : token_of(mark.replaces);
    const auto token = static_cast<Cred>(ask_(request)[0]);
    json made = render(token, {request.version, request.other_token, 1}, "");
    made["token"] = "t" + std::to_string(token);
    return answer(201, made);
  }

  Result<http::Response> list() {
    const std::string& reply = ask_({.kind = Request::Kind::List});
    json all = json::array();
    for (std::size_t at = 0; at < reply.size(); at += 2 + sizeof(Shown)) {
      Shown shown;
      std::memcpy(&shown, reply.data() + at + 2, sizeof shown);
      // Somebody who is still at work with it: younger than an hour.
      const bool busy = reply[at + 1] != 0;
      all.push_back(render(static_cast<Cred>(reply[at]), shown, busy ? "2100" : "2001"));
    }
    return answer(200, {{"authorizations", all}});
  }

  json render(Cred token, const Shown& shown, const std::string& year) const {
    engine::Description description;
    if (shown.mark != 0) {
      description.mark =
          engine::Mark{arn_, version_name(shown.mark),
                       shown.replaces == 0 ? "" : id_of(shown.replaces), (shown.flags & 2) != 0};
    }
    return {{"id", id_of(token)},
            {"status", (shown.flags & 1) != 0 ? "active" : "inactive"},
            {"description", description.write()},
            {"orgID", kOrg},
            {"org", "shop"},
            {"userID", kUser},
            {"user", "shop"},
            {"createdAt", (year.empty() ? "2001" : year) + "-01-01T00:00:00Z"},
            {"permissions",
             {{{"action", "read"}, {"resource", {{"type", "buckets"}, {"orgID", kOrg}}}}}}};
  }

  static http::Response missing() {
    return answer(404, {{"code", "not found"}, {"message", "authorization not found"}});
  }

  const std::string arn_;
  const Ask ask_;
};

class NoTimestream final : public aws::TimestreamInfluxdb {
 public:
  Result<aws::DbInstance> get_instance(const std::string&) override { return none(); }
  Result<aws::DbCluster> get_cluster(const std::string&) override { return none(); }

 private:
  static Error none() {
    return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "nothing here");
  }
};

class Everything final : public engine::AccessGuard {
 public:
  Status secret(std::string_view, std::string_view) const override { return {}; }
  Status resource(std::string_view) const override { return {}; }
  Status backend(std::string_view) const override { return {}; }
};

}  // namespace

std::string influx_value(Cred token, std::uint8_t others) {
  return json{{"engine", "timestream-influxdb"},
              {"org", "shop"},
              {"type", "custom"},
              {"url", "https://influx.test:8086"},
              {"adminSecretArn", kAdminArn},
              {"token", "t" + std::to_string(token)},
              {"authorizationId", id_of(token)},
              {"note", static_cast<int>(others)}}
      .dump();
}

ReadValue read_influx_value(const std::string& value) {
  const json read = json::parse(value);
  return {static_cast<Cred>(std::stoul(read.at("token").get<std::string>().substr(1))),
          read.at("note").get<std::uint8_t>()};
}

std::unique_ptr<engine::Strategy> make_influx_strategy(const std::string& arn,
                                                       aws::SecretsManager& secrets, Clock& clock,
                                                       Ask ask) {
  static NoTimestream timestream;
  engine::StrategyDeps deps;
  deps.transport = std::make_shared<Wire>(arn, std::move(ask));
  deps.secrets = &secrets;
  deps.timestream = &timestream;
  deps.guard = std::make_shared<Everything>();
  deps.clock = &clock;
  auto made = engine::make_strategy("influxdbToken", "{}", deps);
  if (!made.ok()) throw std::runtime_error(made.error().describe());
  return std::move(made).value();
}

}  // namespace keyturn::simulation::model
