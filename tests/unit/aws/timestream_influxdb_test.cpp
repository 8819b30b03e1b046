// The Timestream for InfluxDB client against canned wire replies.
#include "lib/aws/timestream_influxdb.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "lib/aws/timestream_influxdb_codec.h"
#include "tests/unit/aws/aws_fixture.h"

namespace keyturn::aws {
namespace {

const std::string kArn =
    "arn:aws:timestream-influxdb:eu-west-1:123456789012:db-instance/abcdef1234";

class TimestreamInfluxdbTest : public AwsTest {
 protected:
  TimestreamInfluxdbTest() : timestream(make_timestream_influxdb(session())) {}

  std::unique_ptr<TimestreamInfluxdb> timestream;
};

TEST_F(TimestreamInfluxdbTest, AsksInJson10UnderItsOwnName) {
  transport->push(Wire::of(
      200, R"({"id":"abcdef1234","name":"shop","arn":")" + kArn +
               R"(","status":"AVAILABLE","endpoint":"abcdef1234.example.amazonaws.com","port":8181,
        "dbClusterId":"cluster0001","influxAuthParametersSecretArn":"arn:secret","vpcSubnetIds":["a"],"newThing":{}})"));
  const auto got = timestream->get_instance("abcdef1234");
  ASSERT_TRUE(got.ok()) << got.error().describe();
  EXPECT_EQ(got->id, "abcdef1234");
  EXPECT_EQ(got->name, "shop");
  EXPECT_EQ(got->arn, kArn);
  EXPECT_EQ(got->status, "AVAILABLE");
  EXPECT_EQ(got->endpoint, "abcdef1234.example.amazonaws.com");
  EXPECT_EQ(got->port, 8181);
  EXPECT_EQ(got->cluster_id, "cluster0001");
  const auto sent = transport->requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://timestream-influxdb.eu-west-1.amazonaws.com/");
  EXPECT_EQ(sent.body, R"({"identifier":"abcdef1234"})");
  EXPECT_EQ(header(0, "X-Amz-Target"), "AmazonTimestreamInfluxDB.GetDbInstance");
  EXPECT_EQ(header(0, "Content-Type"), "application/x-amz-json-1.0");
  EXPECT_NE(header(0, "Authorization").find("/eu-west-1/timestream-influxdb/aws4_request"),
            std::string::npos);
}

TEST_F(TimestreamInfluxdbTest, AnInstanceBeingMadeHasNoEndpointYet) {
  transport->push(Wire::of(
      200, R"({"id":"i","arn":"a","status":"CREATING","endpoint":null,"dbClusterId":null})"));
  const auto got = timestream->get_instance("i");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->endpoint, "");
  EXPECT_EQ(got->port, 8086);
  EXPECT_EQ(got->cluster_id, "");
}

TEST_F(TimestreamInfluxdbTest, AClusterTellsItsEngine) {
  transport->push(Wire::of(200, R"({"id":"c1","name":"n","arn":"arn:c1","status":"AVAILABLE",
        "endpoint":"c1.example","port":8086,"engineType":"INFLUXDB_V3_CORE"})"));
  const auto got = timestream->get_cluster("c1");
  ASSERT_TRUE(got.ok()) << got.error().describe();
  EXPECT_EQ(got->engine_type, "INFLUXDB_V3_CORE");
  EXPECT_EQ(got->endpoint, "c1.example");
  EXPECT_EQ(got->arn, "arn:c1");
  EXPECT_EQ(transport->requests().at(0).body, R"({"dbClusterId":"c1"})");
  EXPECT_EQ(header(0, "X-Amz-Target"), "AmazonTimestreamInfluxDB.GetDbCluster");
}

TEST_F(TimestreamInfluxdbTest, ErrorsKeepTheirClassAndNameTheDatabase) {
  const std::pair<const char*, ErrorClass> cases[] = {
      {"ResourceNotFoundException", ErrorClass::NotFound},
      {"com.amazonaws.timestreaminfluxdb#ValidationException", ErrorClass::Invalid},
      {"InternalServerException", ErrorClass::Transient},
      {"AccessDeniedException", ErrorClass::Denied},
  };
  for (const auto& [code, cls] : cases) {
    transport->on_request([code = code](const http::Request&) {
      return aws_error(code, "because", std::string(code) == "InternalServerException" ? 500 : 400);
    });
    const auto got = timestream->get_instance("db1");
    ASSERT_FALSE(got.ok()) << code;
    EXPECT_EQ(got.error().cls, cls) << got.error().describe();
    EXPECT_NE(got.error().message.find("db1"), std::string::npos) << got.error().message;
  }
}

TEST_F(TimestreamInfluxdbTest, RetriesAThrottle) {
  transport->push(aws_error("ThrottlingException"));
  transport->push(Wire::of(200, R"({"id":"i","arn":"a"})"));
  EXPECT_TRUE(timestream->get_instance("i").ok());
  EXPECT_EQ(transport->request_count(), 2u);
}

TEST_F(TimestreamInfluxdbTest, AnOverrideChangesTheHostAlone) {
  SessionOptions with = options();
  with.settings =
      load_settings(fake_env({{"AWS_ENDPOINT_URL_TIMESTREAM_INFLUXDB", "http://127.0.0.1:5005"},
                              {"AWS_REGION", "eu-west-1"}}))
          .value();
  transport->push(Wire::of(200, R"({"id":"i","arn":"a"})"));
  const auto client = make_timestream_influxdb(make_session(std::move(with)).value());
  ASSERT_TRUE(client->get_instance("i").ok());
  EXPECT_EQ(transport->requests().at(0).url, "http://127.0.0.1:5005/");
  EXPECT_NE(header(0, "Authorization").find("/eu-west-1/timestream-influxdb/"), std::string::npos);
}

TEST(TimestreamInfluxdbCodec, BadRepliesNameTheMemberAndQuoteNothing) {
  const std::pair<const char*, const char*> cases[] = {
      {"MARKER", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"arn":"MARKER"})", "id is missing"},
      {R"({"id":"MARKER"})", "arn is missing"},
      {R"({"id":["MARKER"],"arn":"a"})", "id is not a string"},
      {R"({"id":"i","arn":"a","port":"MARKER"})", "port is not a port"},
      {R"({"id":"i","arn":"a","port":70000})", "port is not a port"},
      {R"({"id":"i","arn":"a","endpoint":{"MARKER":1}})", "endpoint is not a string"},
  };
  for (const auto& [body, says] : cases) {
    const auto got = decode_db_instance(body);
    ASSERT_FALSE(got.ok()) << body;
    EXPECT_EQ(got.error().cls, ErrorClass::Transient);
    EXPECT_EQ(got.error().code, "BadReply");
    EXPECT_NE(got.error().message.find(says), std::string::npos) << got.error().message;
    EXPECT_EQ(got.error().message.find("MARKER"), std::string::npos);
  }
  EXPECT_FALSE(decode_db_cluster(R"({"id":"i","arn":"a","engineType":3})").ok());
}

}  // namespace
}  // namespace keyturn::aws
