#include "tests/simulation/sim_influx.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "lib/engine/strategies/registry.h"
#include "tests/sandbox/influx_db.h"

namespace keyturn::simulation {
namespace {

using engine::StepContext;
using nlohmann::json;
using sandbox::InfluxDb;
using Confirm = std::function<bool()>;

constexpr const char* kHost = "shop.influx.example";

// From a last look until the revocation has landed, or the strategy has thought better of it: in
// that instant a person's hand is not protected.
class Gap {
 public:
  explicit Gap(int& confirming) : confirming_(confirming) {}
  ~Gap() { close(); }
  void open() {
    if (!std::exchange(open_, true)) ++confirming_;
  }
  void close() {
    if (std::exchange(open_, false)) --confirming_;
  }

 private:
  int& confirming_;
  bool open_ = false;
};

// The server behind the schedule: every request is a point at which something may happen.
class Wire final : public http::Transport {
 public:
  // `changed` is set by every request that may change something; `rejects`: the next proof of a
  // credential is refused, once.
  Wire(InfluxDb& db, const SimBackendDeps& deps, Gap& gap, bool& changed, bool& rejects)
      : db_(db), deps_(deps), gap_(gap), changed_(changed), rejects_(rejects) {}

  Result<http::Response> send(const http::Request& request) override {
    Schedule& schedule = deps_.schedule;
    const sandbox::HttpRequest asked = translated(request);
    const std::string name = asked.method + " " + asked.path;
    const bool changes = asked.method != "GET" && asked.path != "/api/v2/signin";
    const MonoTime sent = deps_.clock.mono();
    const Schedule::Fate fate = schedule.send(name, changes);
    const bool proves = asked.path == "/api/v2/me" && asked.header("Authorization") != "";
    if (proves && rejects_) return rejects_ = false, refusal(401, "unauthorized access");
    if (proves && schedule.strikes(Fault::WrongRejection)) {
      schedule.happened(Fault::WrongRejection);
      ++deps_.wrong;
      return refusal(401, "unauthorized access");
    }
    switch (fate) {
      case Schedule::Fate::Throttled:
        return refusal(429, "slow down");
      case Schedule::Fate::Refused:
        return changes ? refusal(401, "write:authorizations is unauthorized")
                       : refusal(503, "unavailable");
      case Schedule::Fate::Late:
        ++deps_.confirming;
        // Its sender may be gone by then.
        schedule.later(name, sent,
                       [&db = db_, &changed = changed_, &confirming = deps_.confirming, asked] {
                         --confirming;
                         changed = true;
                         (void)db.handle(asked);
                       });
        return lost(name);
      case Schedule::Fate::LostReply:
      case Schedule::Fate::Carried:
        break;
    }
    const sandbox::HttpResponse answer = db_.handle(asked);
    if (changes) {
      changed_ = true;
      gap_.close();
    }
    schedule.arrive();
    if (fate == Schedule::Fate::LostReply) return lost(name);
    return http::Response{answer.status, headers_of(answer), answer.body};
  }
  Result<http::Response> stream(const http::Request&,
                                const std::function<bool(std::string_view)>&) override {
    throw std::logic_error("InfluxDB is not streamed from");
  }

 private:
  static sandbox::HttpRequest translated(const http::Request& request) {
    sandbox::HttpRequest out;
    out.method = request.method;
    out.target = request.url.substr(request.url.find('/', std::string("https://").size()));
    const std::size_t question = out.target.find('?');
    out.raw_path = out.target.substr(0, question);
    out.path = sandbox::percent_decode(out.raw_path, false);
    if (question != std::string::npos) {
      out.raw_query = out.target.substr(question + 1);
      out.query = sandbox::parse_query(out.raw_query);
    }
    for (const auto& [header, value] : request.headers) out.headers.emplace_back(header, value);
    out.body = request.body;
    return out;
  }
  static http::Headers headers_of(const sandbox::HttpResponse& answer) {
    http::Headers headers;
    for (const auto& [name, value] : answer.headers) headers.emplace_back(name, value);
    headers.emplace_back("Content-Type", answer.content_type);
    return headers;
  }
  static http::Response refusal(int status, const std::string& message) {
    const json body{{"code", status == 401 ? "unauthorized" : "unavailable"}, {"message", message}};
    return http::Response{status, {{"Content-Type", "application/json"}}, body.dump()};
  }

  InfluxDb& db_;
  SimBackendDeps deps_;
  Gap& gap_;
  bool& changed_;
  bool& rejects_;
};

class Timestream final : public aws::TimestreamInfluxdb {
 public:
  explicit Timestream(Schedule& schedule) : schedule_(schedule) {}
  Result<aws::DbInstance> get_instance(const std::string& identifier) override {
    if (schedule_.send("GetDbInstance", false) != Schedule::Fate::Carried)
      return lost("GetDbInstance");
    schedule_.arrive();
    return aws::DbInstance{
        identifier,  "shop", "arn:aws:timestream-influxdb:eu-west-1:1:db-instance/" + identifier,
        "AVAILABLE", kHost,  8086,
        ""};
  }
  Result<aws::DbCluster> get_cluster(const std::string&) override {
    return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "no cluster");
  }

 private:
  Schedule& schedule_;
};

class Everything final : public engine::AccessGuard {
 public:
  Status secret(std::string_view, std::string_view) const override { return {}; }
  Status resource(std::string_view) const override { return {}; }
  Status backend(std::string_view) const override { return {}; }
};

// The real strategy of one process; sees when it looks for the last time.
class Watched final : public engine::Strategy {
 public:
  Watched(InfluxDb& db, const SimBackendDeps& deps, bool& changed, bool& rejects)
      : gap_(deps.confirming), timestream_(deps.schedule) {
    engine::StrategyDeps own;
    own.transport = std::make_shared<Wire>(db, deps, gap_, changed, rejects);
    own.secrets = &deps.secrets;
    own.timestream = &timestream_;
    own.guard = std::make_shared<Everything>();
    own.clock = &deps.clock;
    auto made = engine::make_strategy("influxdbToken", "{}", own);
    if (!made.ok()) throw std::runtime_error(made.error().describe());
    real_ = std::move(made).value();
  }

  const engine::Traits& traits() const override { return real_->traits(); }
  Status recognise(const SecretString& c) const override { return real_->recognise(c); }
  Result<SecretString> create(const StepContext& x, const SecretString& c) const override {
    return real_->create(x, c);
  }
  Status discard(const StepContext& x, const SecretString& m) const override {
    return real_->discard(x, m);
  }
  Result<engine::SetResult> set(const StepContext& x, const SecretString& p, const SecretString& c,
                                const SecretString* v) const override {
    return real_->set(x, p, c, v);
  }
  engine::TestResult test(const StepContext& x, const SecretString& v) const override {
    return real_->test(x, v);
  }
  Status retire(const StepContext& x, const SecretString& r, const SecretString& c,
                const Confirm& confirm) const override {
    const Closing closing{gap_};
    return real_->retire(x, r, c, opening(confirm));
  }
  Status restore(const StepContext& x, const SecretString& value,
                 const SecretString* other) const override {
    return real_->restore(x, value, other);
  }
  Status abandon(const StepContext& x, const SecretString& p,
                 const Confirm& confirm) const override {
    const Closing closing{gap_};
    return real_->abandon(x, p, opening(confirm));
  }
  bool same_credential(const SecretString& a, const SecretString& b) const override {
    return real_->same_credential(a, b);
  }
  Result<SecretString> carry(const SecretString& from, const SecretString& onto) const override {
    return real_->carry(from, onto);
  }
  Result<std::vector<engine::Leftover>> leftovers(const StepContext& x,
                                                  const SecretString& c) const override {
    return real_->leftovers(x, c);
  }
  bool is_leftover(const engine::Leftover& l, const SecretString& v) const override {
    return real_->is_leftover(l, v);
  }
  Status revoke_leftover(const StepContext& x, const engine::Leftover& l,
                         const SecretString& c) const override {
    return real_->revoke_leftover(x, l, c);
  }
  Result<References> references(const SecretString& c) const override {
    return real_->references(c);
  }

 private:
  struct Closing {
    Gap& gap;
    ~Closing() { gap.close(); }
  };
  Confirm opening(const Confirm& confirm) const {
    return [this, confirm] {
      gap_.open();
      const bool still = confirm();
      if (!still) gap_.close();
      return still;
    };
  }

  mutable Gap gap_;
  Timestream timestream_;
  std::unique_ptr<engine::Strategy> real_;
};

class Influx final : public SimBackend {
 public:
  explicit Influx(const SimBackendDeps& deps)
      : deps_(deps),
        hides_(deps.setup.influx.hides_tokens),
        single_(deps.setup.influx.single),
        rejects_(deps.setup.rejects_one),
        db_({.version = hides_ ? "2.9.1" : "2.7.12", .hides_tokens = hides_}, deps.clock, 1) {
    const InfluxDb::Setup setup =
        db_.set_up("admin", "pa:ss word", "shop-org", "metrics", "operator of the test");
    operator_ = setup.token_id;
    org_ = setup.org;
    user_ = db_.add_user("shop", "unused-password");
    db_.join_org(org_, user_, false);
    json value{{"engine", "timestream-influxdb"}, {"org", "shop-org"}, {"note", "0"}};
    if (deps.setup.influx.by_url)
      value["url"] = std::string("https://") + kHost + ":8086";
    else
      value["dbIdentifier"] = "shopdb";
    value["type"] = single_ ? "operator" : "custom";
    if (!single_) {
      value["adminSecretArn"] =
          deps.add_secret("shop/influx-admin", R"({"username":"admin","password":"pa:ss word"})");
    }
    const auto first = make_authorization("orders service");
    value["token"] = first.token;
    // The originals store no id; where values are hidden it cannot be told from others of its user.
    if (hides_) value["authorizationId"] = first.id;
    first_value_ = value.dump();
  }

  std::unique_ptr<engine::Strategy> strategy() override {
    return std::make_unique<Watched>(db_, deps_, changed_, rejects_);
  }
  std::string first_value() override { return first_value_; }
  std::string credential(const std::string& value) const override {
    // Asked after every request for each who reads it.
    const auto [known, is_new] = credentials_.try_emplace(value);
    if (is_new) known->second = json::parse(value).value("token", std::string());
    return known->second;
  }
  std::string others(const std::string& value) const override {
    return json::parse(value).value("note", std::string());
  }
  std::string with(const std::string& value, const std::string& credential,
                   const std::string& others) const override {
    json object = json::parse(value);
    if (object.value("token", std::string()) != credential) put_credential(object, credential);
    object["note"] = others;
    return object.dump();
  }
  bool accepts(const std::string& value) const override {
    if (std::exchange(changed_, false)) {
      accepted_.clear();
      for (const sandbox::InfluxAuthorization& one : db_.authorizations()) {
        if (one.active) accepted_.insert(one.token);
      }
    }
    return accepted_.contains(credential(value));
  }
  std::string own_credential(int number) override {
    return make_authorization("made by hand, " + std::to_string(number)).token;
  }
  std::vector<Living> living() const override {
    std::vector<Living> found;
    for (const sandbox::InfluxAuthorization& one : db_.authorizations()) {
      if (one.id == operator_) continue;
      const bool ours = one.description.find("[keyturn ") != std::string::npos;
      found.push_back(
          {one.token, ours,
           one.id + (one.active ? ", " : ", inactive, ") + "\"" + one.description + '"'});
    }
    return found;
  }

 private:
  sandbox::InfluxAuthorization make_authorization(const std::string& description) {
    sandbox::InfluxPermissions rights{{"read", "buckets", "", org_}, {"write", "tasks", "", org_}};
    if (single_) rights = sandbox::influx_operator_rights();
    changed_ = true;
    return db_.add_authorization(org_, user_, rights, description);
  }
  // A person writes the id too, or takes the old one away, or forgets it. (Where values are hidden
  // a wrong id is believed: they are told to write it.)
  void put_credential(json& object, const std::string& credential) const {
    object["token"] = credential;
    const auto habit = hides_ ? 0 : deps_.schedule.rng().below(3);
    if (habit == 1) object.erase("authorizationId");
    if (habit != 0) return;
    object.erase("authorizationId");
    for (const sandbox::InfluxAuthorization& one : db_.authorizations()) {
      if (one.token == credential) object["authorizationId"] = one.id;
    }
  }

  SimBackendDeps deps_;
  const bool hides_, single_;
  bool rejects_;
  InfluxDb db_;
  std::string operator_, org_, user_, first_value_;
  // Asked after every request: read anew only when something was sent that may have changed it.
  mutable bool changed_ = true;
  mutable std::set<std::string> accepted_;
  mutable std::map<std::string, std::string> credentials_;  // by value
};

}  // namespace

std::unique_ptr<SimBackend> make_influx(const SimBackendDeps& deps) {
  return std::make_unique<Influx>(deps);
}

}  // namespace keyturn::simulation
