// What the tests of strategies with a backend share: Secrets Manager in memory, a transport, a
// database that Timestream knows, a guard that remembers what it was asked; and the real engine
// around the strategy.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "lib/engine/engine.h"
#include "lib/engine/strategies/registry.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_secrets_manager.h"
#include "tests/testing/fake_transport.h"

namespace keyturn::engine {

class FakeTimestream final : public aws::TimestreamInfluxdb {
 public:
  Result<aws::DbInstance> get_instance(const std::string& identifier) override {
    asked.push_back("instance " + identifier);
    if (identifier == instance.id) return instance;
    return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "no instance");
  }
  Result<aws::DbCluster> get_cluster(const std::string& id) override {
    asked.push_back("cluster " + id);
    if (id == cluster.id) return cluster;
    return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "no cluster");
  }
  aws::DbInstance instance{"shopdb",
                           "shop",
                           "arn:aws:timestream-influxdb:eu-west-1:123456789012:db-instance/shopdb",
                           "AVAILABLE",
                           "shopdb.influx.example",
                           8086,
                           ""};
  aws::DbCluster cluster{
      "shopcluster",
      "shop",
      "arn:aws:timestream-influxdb:eu-west-1:123456789012:db-cluster/shopcluster",
      "AVAILABLE",
      "shopcluster.influx.example",
      8086,
      "INFLUXDB_V2"};
  std::vector<std::string> asked;
};

class FakeGuard final : public AccessGuard {
 public:
  Status secret(std::string_view name, std::string_view arn) const override {
    return ask("secret " + std::string(name) + " " + std::string(arn));
  }
  Status resource(std::string_view arn) const override {
    return ask("resource " + std::string(arn));
  }
  Status backend(std::string_view host) const override {
    return ask("backend " + std::string(host));
  }
  std::string denies;  // what begins so is refused
  mutable std::vector<std::string> asked;

 private:
  Status ask(std::string question) const {
    asked.push_back(question);
    if (denies.empty() || !question.starts_with(denies)) return {};
    return make_error(ErrorClass::Denied, "NoAccessRule", "no rule for " + question);
  }
};

class BackendTest : public ::testing::Test {
 protected:
  explicit BackendTest(std::string name) : strategy_name(std::move(name)), secrets(clock) {}

  // A strategy as the driver makes it for each pass.
  void use(const nlohmann::json& options) {
    StrategyDeps deps;
    deps.transport = transport;
    deps.secrets = &secrets;
    deps.timestream = &timestream;
    deps.elasticache = elasticache;
    deps.guard = guard;
    deps.clock = &clock;
    deps.memory = reference_memory;
    auto made = make_strategy(
        strategy_name,
        nlohmann::json(options.is_null() ? nlohmann::json::object() : options).dump(), deps);
    ASSERT_TRUE(made.ok()) << made.error().message;
    strategy = std::move(made).value();
  }

  StepContext context(const std::string& version) {
    return {arn, version, &clock, &rng, clock.mono() + Duration(30'000)};
  }
  static nlohmann::json json_of(const SecretString& value) {
    return nlohmann::json::parse(value.reveal());
  }
  static SecretString text(const nlohmann::json& value) { return SecretString(value.dump()); }
  static bool yes() { return true; }

  std::string strategy_name;
  keyturn::testing::FakeClock clock;
  SeededRng rng{11};
  keyturn::testing::FakeSecretsManager secrets;
  FakeTimestream timestream;
  aws::Elasticache* elasticache = nullptr;
  std::shared_ptr<FakeGuard> guard = std::make_shared<FakeGuard>();
  std::shared_ptr<keyturn::testing::FakeTransport> transport =
      std::make_shared<keyturn::testing::FakeTransport>();
  std::unique_ptr<Strategy> strategy;
  std::shared_ptr<ReferenceMemory> reference_memory;  // null unless a test gives one
  std::string arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/x-AbCdEf";
};

// The real engine with the real strategy. Each pass is a process of its own, except for what it
// knows of quiet.
template <class Base>
class WithEngine : public Base {
 protected:
  using Base::arn, Base::clock, Base::rng, Base::secrets, Base::strategy, Base::Base;

  bool one_pass() {
    this->use(options);
    const Engine engine({secrets, *strategy, *memory, clock, rng, Timing{}});
    Pass pass;
    auto view = engine.look(arn);
    if (!view.ok()) return true;
    for (int turn = 0; turn < 30; ++turn) {
      Situation situation{.gate_open = gate_open,
                          .gate_still_open = gate_still_open,
                          .retire = true,
                          .clean_up = clean_up};
      if (view->labels.current == first) situation.permit = next_version(*view);
      const Decision decision = engine.decide(*view, situation);
      const StepResult result = engine.perform(*view, decision, situation, pass);
      if (result.event == Event::CleanedUp) clean_up = false;
      if (result.event != Event::None) {
        events.emplace_back(to_string(result.event));
        notes.push_back(result.note);
      }
      last = result.note;
      if (result.kind == StepResult::Kind::Terminal) refused = result.error.code;
      if (result.kind == StepResult::Kind::Progress) continue;
      if (result.kind == StepResult::Kind::Driver || result.kind == StepResult::Kind::Terminal)
        return false;
      clock.advance(result.kind == StepResult::Kind::After ? result.delay : Duration(60'000));
      return true;
    }
    return true;
  }
  void run() {
    for (int pass = 0; pass < 60 && one_pass(); ++pass) {
    }
  }
  nlohmann::json current() const {
    return nlohmann::json::parse(secrets.value_at(arn, "AWSCURRENT").value_or("{}"));
  }
  bool moved() const { return secrets.holder(arn, "AWSCURRENT") != first; }
  // What only this process knew is gone.
  void forget() { memory = std::make_unique<Memory>(); }

  nlohmann::json options = nlohmann::json::object();
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  std::string first, last;                 // the version that is to be rotated, the last note
  std::string refused;                     // the code of what was refused last
  std::vector<std::string> events, notes;  // what happened, and what was said of it
  bool gate_open = true, clean_up = false;
  std::function<bool()> gate_still_open;
};

}  // namespace keyturn::engine
