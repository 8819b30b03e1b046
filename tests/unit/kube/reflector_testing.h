// A reflector on fakes: a sink that writes down what it is told, an observer of endings, a script
// of replies.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "controller/kube/reflector.h"
#include "lib/base/text.h"
#include "tests/unit/kube/kube_testing.h"

namespace keyturn::kube {

class RecordingSink final : public ObjectSink {
 public:
  void put(const std::string& key, const std::string& version, const nlohmann::json&) override {
    add("put " + key + "@" + version);
  }
  void remove(const std::string& key) override { add("remove " + key); }
  void keep_only(const std::vector<std::string>& keys) override { add("keep " + join(keys, ",")); }

  std::vector<std::string> log() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return log_;
  }

 private:
  void add(std::string line) {
    const std::lock_guard<std::mutex> guard(mutex_);
    log_.push_back(std::move(line));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> log_;
};

class Endings final : public WatchObserver {
 public:
  void on_restart(std::string_view resource, std::string_view reason) override {
    EXPECT_EQ(resource, "secrets");
    const std::lock_guard<std::mutex> guard(mutex_);
    reasons_.emplace_back(reason);
  }
  std::vector<std::string> reasons() const {
    const std::lock_guard<std::mutex> guard(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> reasons_;
};

struct ReflectorBench : Bench {
  SeededRng rng{3};
  RecordingSink sink;
  Endings endings;
  ReflectorOptions options;
  std::unique_ptr<Reflector> reflector;

  ReflectorBench() {
    options.client = &client;
    options.type = kSecrets;
    options.metadata_only = true;
    options.clock = &clock;
    options.rng = &rng;
    options.observer = &endings;
  }
  ~ReflectorBench() {
    if (reflector) reflector->stop();
    EXPECT_EQ(transport->unexpected(), 0u);
  }

  void start() {
    reflector = std::make_unique<Reflector>(options, sink);
    ASSERT_TRUE(reflector->start());
  }
  void reply(testing::Reply r) { transport->push(std::move(r)); }
  void list(const std::string& version, const std::string& items = "",
            const std::string& next = "") {
    reply(testing::Reply::of(200, list_json(version, items, next)));
  }
  // A watch that says this and stays open.
  void open_watch(std::vector<std::string> lines = {}) {
    reply(testing::Reply::chunks(std::move(lines)).hold());
  }
  // Waits until the script has been used up to a watch that is open.
  void await_open() { transport->await_held(1); }
  // Ends the open watch as if it had lasted that long.
  void end_watch(Duration lasted) {
    await_open();
    clock.advance(lasted);
    transport->release();
  }
  // Waits for the reflector to pause, lets the pause pass and says how long it was.
  Duration pass_pause() {
    clock.await_waiters(1);
    const MonoTime before = clock.mono();
    clock.advance_to_next();
    return clock.mono() - before;
  }
};

inline testing::Reply status_reply(int code, const std::string& reason,
                                   http::Headers headers = {}) {
  return testing::Reply::of(code, status_json(code, reason, reason), std::move(headers));
}

}  // namespace keyturn::kube
