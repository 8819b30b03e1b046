// What the tests of elasticacheUser share: the sandbox's ElastiCache (written apart from the
// product) behind the product's codec, a cache that lets in whom that says, and a secret in the
// original's format.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/elasticache_codec.h"
#include "lib/aws/errors.h"
#include "tests/sandbox/aws_error.h"
#include "tests/sandbox/elasticache.h"
#include "tests/unit/strategies/backend_fixture.h"

namespace keyturn::engine {

// The client without the wire.
class CacheClient final : public aws::Elasticache {
 public:
  enum class When { Before, After };  // After: carried out, the answer is lost
  explicit CacheClient(sandbox::ElastiCache& api) : api_(api) {}

  Result<aws::CacheUser> user(const std::string& id) override {
    return ask({{"Action", "DescribeUsers"}, {"UserId", id}}, aws::decode_described_user);
  }
  Result<aws::CacheUser> replace_passwords(const std::string& id,
                                           const std::vector<const SecretString*>& passwords,
                                           MonoTime not_after) override {
    sent_until = not_after;
    sandbox::Form form = {{"Action", "ModifyUser"}, {"UserId", id}};
    for (const SecretString* one : passwords)
      form.emplace_back("Passwords.member." + std::to_string(form.size() - 1),
                        std::string(one->reveal()));
    return ask(std::move(form), aws::decode_modified_user);
  }
  Result<aws::CacheUserGroup> user_group(const std::string& id) override {
    return ask({{"Action", "DescribeUserGroups"}, {"UserGroupId", id}}, aws::decode_user_group);
  }
  Result<aws::ReplicationGroup> replication_group(const std::string& id) override {
    return ask({{"Action", "DescribeReplicationGroups"}, {"ReplicationGroupId", id}},
               aws::decode_replication_group);
  }

  std::vector<std::string> asked;  // "ModifyUser orders 2": the last is the number of passwords
  MonoTime sent_until{};
  std::function<std::optional<Error>(const std::string& asked, When)> fault;

 private:
  template <class T>
  Result<T> ask(sandbox::Form form, Result<T> (*decode)(const std::string&)) {
    std::string line =
        sandbox::field_of_form(form, "Action") + " " + sandbox::ElastiCache::subject(form);
    if (line.starts_with("ModifyUser")) line += " " + std::to_string(form.size() - 2);
    asked.push_back(line);
    if (fault) {
      if (auto error = fault(line, When::Before)) return *error;
    }
    form.emplace_back("Version", "2015-02-02");
    std::string xml;
    const sandbox::Principal caller;
    try {
      xml = api_.call(form, caller, "eu-west-1");
    } catch (const sandbox::AwsError& error) {
      return make_error(aws::judge(error.code, error.status).cls, error.code, error.message);
    }
    if (fault) {
      if (auto error = fault(line, When::After)) return *error;
    }
    return decode(xml);
  }
  sandbox::ElastiCache& api_;
};

class ElasticacheTest : public WithEngine<BackendTest> {
 protected:
  using Reply = keyturn::testing::Reply;
  static constexpr const char* kOld = "first-Password-0123456789";

  ElasticacheTest() : WithEngine("elasticacheUser"), api(clock, nullptr, "eu-west-1"), client(api) {
    elasticache = &client;
    api.set_change_time(Duration(60'000));
    api.create_group({.id = "shop-cache",
                      .shards = 0,
                      .endpoints = {"one.cache.internal:6379", "two.cache.internal:6380"}});
    api.create_user({.id = "orders-id",
                     .name = "orders",
                     .arn = {},
                     .group = "shop-cache",
                     .passwords = {kOld}});
    transport->on_request([this](const http::Request& request) { return answer(request); });
  }

  nlohmann::json original() const {
    return {{"user_arn", "arn:aws:elasticache:eu-west-1:123456789012:user:orders-id"},
            {"username", "orders"},
            {"password", kOld}};
  }
  void store(const nlohmann::json& value) {
    arn = secrets.add_secret("shop/orders-cache-" + std::to_string(++stored_), value.dump());
    first = secrets.holder(arn, "AWSCURRENT");
    use(options);
  }
  bool works(const std::string& password) { return api.accepts("orders", password); }
  std::vector<std::string> passwords() { return api.user("orders-id").passwords; }
  std::string pending_password() const {
    return nlohmann::json::parse(secrets.value_at(arn, "AWSPENDING").value_or("{}"))
        .value("password", "");
  }
  std::size_t changes() { return static_cast<std::size_t>(api.user("orders-id").changes); }
  // Until the user is being changed by a request of ours.
  void run_until_changes(std::size_t count) {
    for (int pass = 0; pass < 60 && changes() < count && one_pass(); ++pass) {
    }
    ASSERT_EQ(changes(), count) << last;
  }

  sandbox::ElastiCache api;
  CacheClient client;
  std::vector<std::string> log;  // "one.cache.internal:6379 orders"
  // Both replies, instead of the truth; by host and password.
  std::function<std::optional<std::string>(const std::string&, const std::string&)> says;

 private:
  int stored_ = 0;
  Reply answer(const http::Request& request) {
    EXPECT_TRUE(request.raw && request.fresh_connection && request.sensitive);
    const std::string host = request.url.substr(std::string("https://").size());
    std::vector<std::string> words;  // *3 $4 AUTH $6 orders $N password *1 $4 PING
    std::size_t at = 0;
    for (std::size_t end = 0; (end = request.body.find("\r\n", at)) != std::string::npos;
         at = end + 2)
      words.push_back(request.body.substr(at, end - at));
    EXPECT_EQ(words.size(), 10u);
    EXPECT_EQ(words[2], "AUTH");
    EXPECT_EQ(words[9], "PING");
    log.push_back(host + " " + words[4]);
    if (says) {
      if (auto text = says(host, words[6])) return Reply::chunks({*text});
    }
    if (api.accepts(words[4], words[6])) return Reply::chunks({"+O", "K\r\n+PONG\r\n"});
    return Reply::chunks(
        {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
         "-NOAUTH Authentication required.\r\n"});
  }
};

}  // namespace keyturn::engine
