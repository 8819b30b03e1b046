// What the tests of lib/aws share: a session on a fake transport and clock whose waits pass at
// once.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/aws/caller.h"
#include "lib/aws/session.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_transport.h"

namespace keyturn::aws {

using testing::FakeClock;
using testing::FakeTransport;
using Wire = testing::Reply;  // a reply on the fake wire

inline Credentials keys(const std::string& id, const std::string& token = "",
                        std::optional<WallTime> expiration = std::nullopt) {
  Credentials out;
  out.access_key_id = id;
  out.secret_access_key = SecretString("secret-of-" + id);
  out.session_token = SecretString(token);
  out.expiration = expiration;
  return out;
}

// Hands out AKID1, and after an invalidate() AKID2…
class CountingProvider final : public CredentialsProvider {
 public:
  Result<std::shared_ptr<const Credentials>> get() override {
    if (on_get) on_get();
    if (failure) return *failure;
    return std::make_shared<const Credentials>(keys("AKID" + std::to_string(generation)));
  }
  void invalidate(const Credentials& refused) override {
    refused_ids.push_back(refused.access_key_id);
    if (renews) ++generation;
  }

  int generation = 1;
  bool renews = true;
  std::optional<Error> failure;
  std::function<void()> on_get;
  std::vector<std::string> refused_ids;
};

class Recorder final : public RequestObserver {
 public:
  void on_request(std::string_view service, std::string_view operation, std::string_view code,
                  Duration) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(std::string(service) + " " + std::string(operation) + " " + std::string(code));
  }
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
};

inline Environment fake_env(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

inline Wire aws_error(const std::string& code, const std::string& message = "because",
                      int status = 400, http::Headers headers = {}) {
  return Wire::of(status, R"({"__type":")" + code + R"(","Message":")" + message + "\"}",
                  std::move(headers));
}

inline Wire broken(const std::string& code) {
  return Wire::failed(make_error(ErrorClass::Transient, code, "the wire broke"));
}

class AwsTest : public ::testing::Test {
 protected:
  SessionOptions options() {
    SessionOptions out;
    out.transport = transport;
    out.credentials = provider;
    out.settings.region = "eu-west-1";
    out.clock = &clock;
    out.rng = &rng;
    out.observer = &observer;
    out.wait = [this](Duration d) {
      waits.push_back(d);
      clock.advance(d);
    };
    return out;
  }
  std::shared_ptr<Session> session() { return make_session(options()).value(); }

  ChainOptions chain_options(std::map<std::string, std::string> env = {}) {
    ChainOptions out;
    out.transport = transport;
    out.settings.region = "eu-west-1";
    out.env = fake_env(std::move(env));
    out.clock = &clock;
    out.rng = &rng;
    out.observer = &observer;
    out.wait = [this](Duration d) { clock.advance(d); };
    return out;
  }

  std::string header(std::size_t request, std::string_view name) const {
    const auto all = transport->requests();
    if (request >= all.size()) return "(no such request)";
    const std::string* value = http::find_header(all[request].headers, name);
    return value == nullptr ? "(absent)" : *value;
  }

  FakeClock clock;
  SeededRng rng{7};
  Recorder observer;
  std::vector<Duration> waits;
  std::shared_ptr<FakeTransport> transport = std::make_shared<FakeTransport>();
  std::shared_ptr<CountingProvider> provider = std::make_shared<CountingProvider>();
};

}  // namespace keyturn::aws
