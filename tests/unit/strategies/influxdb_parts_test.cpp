// The parts of influxdbToken: marks, permissions, replies, refusals.
#include <gtest/gtest.h>

#include "lib/engine/strategies/influxdb_client.h"
#include "lib/engine/strategies/influxdb_codec.h"
#include "lib/engine/strategies/mark.h"
#include "tests/unit/strategies/influx_fixture.h"

namespace keyturn::engine::influxdb {
namespace {

const std::string kArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/x_y-AbCdEf";

TEST(InfluxdbMark, IsReadAsItIsWritten) {
  const Description cases[] = {
      {"", Mark{kArn, "v-1"}},
      {"orders", Mark{kArn, "v-1", "0a00000000000001"}},
      {"a [b] c", Mark{kArn, "v-1", "0a00000000000001", true}},
      {"[keyturn nonsense]", Mark{kArn, "v-1", "", true}},
      {"no mark", std::nullopt},
  };
  for (const Description& one : cases) {
    const Description read = Description::read(one.write());
    EXPECT_EQ(read.text, one.text);
    EXPECT_EQ(read.mark, one.mark);
  }
  EXPECT_EQ((Description{"orders", Mark{kArn, "v-1", "0a00000000000001", true}}).write(),
            "orders [keyturn " + kArn + "#v-1 replaces 0a00000000000001 retiring]");
}

TEST(InfluxdbMark, IsNotSeenInWhatPeopleWrite) {
  for (const char* text : {"", "[keyturn ]", "[keyturn x#y]", "[keyturn arn:x]", "keyturn arn:a#b",
                           "[keyturn arn:a#b] edited", "[keyturn arn:a#b replaces]",
                           "[keyturn arn:a#b and more]", "[keyturn arn:a#b"}) {
    const Description read = Description::read(text);
    EXPECT_FALSE(read.mark.has_value()) << text;
    EXPECT_EQ(read.text, text);
    EXPECT_EQ(read.write(), text);
  }
}

TEST(InfluxdbPermissions, AreComparedAsSets) {
  const Permission a{"read", "buckets", "1", "o"}, b{"write", "tasks", "", "o"};
  EXPECT_TRUE(same_permissions({a, b, a}, {b, a}));
  EXPECT_FALSE(same_permissions({a}, {a, b}));
  EXPECT_FALSE(same_permissions({{"read", "buckets", "", "o"}}, {a}));
}

TEST(InfluxdbPermissions, CustomOnesNameEveryMistake) {
  const auto said = [](Custom custom) {
    auto made = custom_permissions(custom, "o");
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(said({{"0a00000000000001"}, {}, {}}), "");
  EXPECT_NE(said({{"orders"}, {}, {}}).find("field readBuckets: \"orders\""), std::string::npos);
  EXPECT_NE(said({{}, {"0A00000000000001"}, {}}).find("field writeBuckets"), std::string::npos);
  EXPECT_NE(said({{}, {}, {"write-taks"}}).find("did you mean tasks?"), std::string::npos);
  EXPECT_NE(said({{}, {}, {"delete-tasks"}}).find("read- or write-"), std::string::npos);
  EXPECT_NE(said({{}, {}, {"read-instance"}}).find("names no type"), std::string::npos);
  EXPECT_NE(said({{}, {}, {"tasks"}}).find("read- or write-"), std::string::npos);
  EXPECT_NE(said({{}, {}, {}}).find("at least one"), std::string::npos);
}

TEST(InfluxdbCodec, ReadsWhatCountsAndKeepsNoTokenInTheText) {
  std::string body = R"({"id":"0a00000000000001","token":"MARKER-TOKEN","status":"inactive",
    "description":"d","orgID":"00000000000000aa","org":"o","userID":"00000000000000b0","user":"u",
    "permissions":[{"action":"read","resource":{"type":"buckets","id":"00000000000000b1",
      "orgID":"00000000000000aa","name":"orders","org":"o"}}],
    "createdAt":"2026-05-01T10:00:00.123456789Z","links":{}})";
  auto read = decode_authorization(body);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->token.reveal(), "MARKER-TOKEN");
  EXPECT_FALSE(read->active);
  EXPECT_EQ(read->permissions,
            (Permissions{{"read", "buckets", "00000000000000b1", "00000000000000aa"}}));
  EXPECT_TRUE(read->created.has_value());
  EXPECT_EQ(body.find("MARKER"), std::string::npos);
}

TEST(InfluxdbCodec, BadRepliesQuoteNothing) {
  for (const char* text :
       {"MARKER", "[]", "{}", R"({"authorizations":{"MARKER":1}})",
        R"({"authorizations":["MARKER"]})", R"({"authorizations":[{"id":"MARKER"}]})",
        R"({"authorizations":[{"id":"0a00000000000001","token":"MARKER","orgID":"x"}]})",
        R"({"authorizations":[{"id":"0a00000000000001","orgID":"00000000000000aa",
            "userID":"00000000000000b0","permissions":[{"action":"MARKER"}]}]})"}) {
    std::string body = text;
    auto read = decode_authorizations(body);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().cls, ErrorClass::Transient);
    EXPECT_EQ(read.error().message.find("MARKER"), std::string::npos) << read.error().message;
  }
  EXPECT_FALSE(decode_orgs(R"({"orgs":[{"id":1}]})").ok());
  EXPECT_FALSE(decode_user(R"({"id":"../x"})").ok());
  EXPECT_EQ(decode_error("<html>").message, "");
}

class InfluxdbRefusal : public InfluxTest {
 protected:
  Error answered(int status, const std::string& body, http::Headers headers = {}) {
    influx.fault = [=](const http::Request& r, Influx::When) -> std::optional<testing::Reply> {
      if (!r.url.ends_with("/me")) return std::nullopt;
      return testing::Reply::of(status, body, headers);
    };
    StrategyDeps deps;
    deps.transport = transport;
    deps.secrets = &secrets;
    deps.timestream = &timestream;
    deps.guard = guard;
    deps.clock = &clock;
    const Client client(deps, {"https://a:1", "a:1"});
    return client.with_token(SecretString("t")).me(clock.mono() + Duration(9000)).error();
  }
};

TEST_F(InfluxdbRefusal, MeansWhatInfluxDbMeansByIt) {
  const auto json = [](const std::string& code, const std::string& message) {
    return R"({"code":")" + code + R"(","message":")" + message + "\"}";
  };
  struct Case {
    int status;
    std::string body;
    ErrorClass cls;
    std::string code;
  };
  const Case cases[] = {
      {401, json("unauthorized", "unauthorized access"), ErrorClass::Denied, "CredentialRefused"},
      {401, json("unauthorized", "read:users/0a is unauthorized"), ErrorClass::Denied,
       "NotPermitted"},
      {401, json("unauthorized", "token is inactive"), ErrorClass::Denied, "TokenInactive"},
      {401, "<html>", ErrorClass::Denied, "Http401"},
      {401, R"({"message":"Unauthorized"})", ErrorClass::Denied, "Http401"},
      {401, R"({"message":"unauthorized access"})", ErrorClass::Denied, "Http401"},
      {403, json("forbidden", "permission write:x is not allowed"), ErrorClass::Denied,
       "NotPermitted"},
      {403, "<html>", ErrorClass::Denied, "Http403"},
      {403, R"({"message":"Forbidden"})", ErrorClass::Denied, "Http403"},
      {404, json("not found", "authorization not found"), ErrorClass::NotFound, "NotFound"},
      {404, "<html>", ErrorClass::Invalid, "Http404"},
      {422, json("conflict", "already there"), ErrorClass::Conflict, "AlreadyThere"},
      {400, json("invalid", "bad"), ErrorClass::Invalid, "Http400"},
      {429, "", ErrorClass::Throttled, "TooManyRequests"},
      {500, "", ErrorClass::Transient, "Http500"},
      {503, json("unavailable", "busy"), ErrorClass::Transient, "Http503"},
      {302, "", ErrorClass::Invalid, "Http302"},
  };
  for (const Case& one : cases) {
    const Error error = answered(one.status, one.body);
    EXPECT_EQ(error.cls, one.cls) << one.status << one.body;
    EXPECT_EQ(error.code, one.code) << one.body;
    EXPECT_TRUE(error.message.starts_with("InfluxDB a:1: GET /api/v2/me: ")) << error.message;
  }
  EXPECT_EQ(answered(429, "", {{"Retry-After", "7"}}).retry_after, Duration(7000));
  EXPECT_EQ(answered(503, "", {{"Retry-After", "2"}}).retry_after, Duration(2000));
}

TEST(InfluxdbCodec, APasswordArrivesAsItIs) {
  const std::string odd = "a\"b\\c\n\x01 ü";
  const auto body = nlohmann::json::parse(encode_password(SecretString(odd)));
  EXPECT_EQ(body, (nlohmann::json{{"password", odd}}));
}

}  // namespace
}  // namespace keyturn::engine::influxdb
