// What the tests of elasticacheAuthToken share: the sandbox's ElastiCache (written apart from the
// product) behind the product's codec, and a cache of two primaries that lets in whom that says. A
// ROTATE that must never be sent fails the test.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/strategies/elasticache_fixture.h"

namespace keyturn::engine {

class ElasticacheTokenTest : public WithEngine<BackendTest> {
 protected:
  using Reply = keyturn::testing::Reply;
  using When = CacheClient::When;
  static constexpr const char* kOld = "first-token-0123456789";
  static constexpr const char* kGroup = "shop-cache";

  ElasticacheTokenTest()
      : WithEngine("elasticacheAuthToken"), api(clock, nullptr, "eu-west-1"), client(api) {
    elasticache = &client;
    api.set_change_time(Duration(60'000));
    create({.id = kGroup, .tokens = {kOld}});
    api.forbid([this](const std::string& token) { return token_of("AWSCURRENT") == token; },
               [](const std::string& what) { ADD_FAILURE() << what; });
    transport->on_request([this](const http::Request& request) { return answer(request); });
    options = {{"replicationGroupId", kGroup}};
    store(kOld);
  }

  void create(sandbox::CacheGroupSpec spec) {
    spec.shards = 0;
    spec.endpoints = {"one.cache.internal:6379", "two.cache.internal:6380"};
    api.create_group(spec);
  }
  void store(const std::string& value) {
    arn = secrets.add_secret("shop/cache-token-" + std::to_string(++stored_), value);
    first = secrets.holder(arn, "AWSCURRENT");
    use(options);
  }
  std::string token_of(const std::string& label) const {
    const std::string value = secrets.value_at(arn, label).value_or("");
    const auto json = nlohmann::json::parse(value, nullptr, false);
    return json.is_object() ? json.value("token", "") : value;
  }
  std::vector<std::string> tokens() { return api.tokens(kGroup); }
  bool takes(const std::string& token) { return api.accepts_token(kGroup, token); }
  long sent(const std::string& update) const {
    return std::count(client.asked.begin(), client.asked.end(),
                      std::string("ModifyReplicationGroup ") + kGroup + " " + update);
  }
  void run_until_sent(const std::string& update) {
    const long before = sent(update);
    for (int pass = 0; pass < 60 && sent(update) == before && one_pass(); ++pass) {
    }
    ASSERT_EQ(sent(update), before + 1) << last;
  }
  // What stops a rotation before it begins.
  std::string stalls() {
    refused.clear();
    run();
    EXPECT_EQ(sent("ROTATE") + sent("SET"), 0);
    EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
    return refused;
  }

  sandbox::ElastiCache api;
  CacheClient client;
  std::vector<std::string> log;  // "one.cache.internal:6379 <token>"
  // Both replies, instead of the truth; by host and token.
  std::function<std::optional<std::string>(const std::string&, const std::string&)> says;

 private:
  int stored_ = 0;
  Reply answer(const http::Request& request) {
    EXPECT_TRUE(request.raw && request.fresh_connection && request.sensitive);
    const std::string host = request.url.substr(std::string("https://").size());
    std::vector<std::string> words;  // *2 $4 AUTH $N token *1 $4 PING
    std::size_t at = 0;
    for (std::size_t end = 0; (end = request.body.find("\r\n", at)) != std::string::npos;
         at = end + 2)
      words.push_back(request.body.substr(at, end - at));
    EXPECT_EQ(words.size(), 8u);
    EXPECT_EQ(words[2], "AUTH");
    log.push_back(host + " " + words[4]);
    if (says) {
      if (auto text = says(host, words[4])) return Reply::chunks({*text});
    }
    if (takes(words[4])) return Reply::chunks({"+O", "K\r\n+PONG\r\n"});
    return Reply::chunks(
        {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
         "-NOAUTH Authentication required.\r\n"});
  }
};

}  // namespace keyturn::engine
