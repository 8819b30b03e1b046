// load_settings(), is_region() and endpoint_for(), and the profile files they read.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "lib/aws/profile.h"
#include "lib/aws/session.h"
#include "tests/unit/aws/aws_fixture.h"
#include "tests/unit/aws/temp_dir.h"

namespace keyturn::aws {
namespace {

TEST(RegionTest, OnlyRegionsPass) {
  for (const char* good :
       {"eu-west-1", "us-east-1", "ap-southeast-7", "us-gov-west-1", "cn-north-1", "us-iso-east-1",
        "us-isob-east-1", "eusc-de-east-1", "il-central-1", "mx-central-1"}) {
    EXPECT_TRUE(is_region(good)) << good;
  }
  for (const char* bad :
       {"", "eu", "eu-west", "eu-west-", "-west-1", "EU-WEST-1", "eu_west_1", "eu-west-1a",
        "eu-west-111", "eu-west-1.evil.example/", "x-west-1", "europe-west-1", "eu--1",
        "eu-west-1\n", "aws-global", "eu-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"}) {
    EXPECT_FALSE(is_region(bad)) << bad;
  }
}

std::string endpoint(const std::string& service, const std::string& region, bool fips = false,
                     bool dual = false) {
  Settings s;
  s.use_fips = fips;
  s.use_dualstack = dual;
  const auto out = endpoint_for(s, service, region);
  return out.ok() ? *out : out.error().code;
}

TEST(EndpointTest, EveryPartition) {
  EXPECT_EQ(endpoint("sts", "eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(endpoint("sts", "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(endpoint("sts", "us-gov-east-1"), "https://sts.us-gov-east-1.amazonaws.com");
  EXPECT_EQ(endpoint("sts", "us-iso-east-1"), "https://sts.us-iso-east-1.c2s.ic.gov");
  EXPECT_EQ(endpoint("sts", "us-isob-east-1"), "https://sts.us-isob-east-1.sc2s.sgov.gov");
  EXPECT_EQ(endpoint("secretsmanager", "eusc-de-east-1"),
            "https://secretsmanager.eusc-de-east-1.amazonaws.eu");
  EXPECT_EQ(endpoint("elasticache", "us-east-1"), "https://elasticache.us-east-1.amazonaws.com");
}

TEST(EndpointTest, FipsAndDualStack) {
  EXPECT_EQ(endpoint("sts", "us-east-1", true), "https://sts-fips.us-east-1.amazonaws.com");
  EXPECT_EQ(endpoint("sts", "us-gov-west-1", true), "https://sts.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(endpoint("sts", "us-east-1", false, true), "https://sts.us-east-1.api.aws");
  EXPECT_EQ(endpoint("sts", "us-east-1", true, true), "https://sts-fips.us-east-1.api.aws");
  EXPECT_EQ(endpoint("sts", "cn-north-1", false, true),
            "https://sts.cn-north-1.api.amazonwebservices.com.cn");
  EXPECT_EQ(endpoint("sts", "us-iso-east-1", false, true), "BadEndpoint");
}

TEST(EndpointTest, SecretsManagersOrdinaryNameIsDualStack) {
  EXPECT_EQ(endpoint("secretsmanager", "us-east-1", false, true),
            "https://secretsmanager.us-east-1.amazonaws.com");
  EXPECT_EQ(endpoint("secretsmanager", "cn-north-1", false, true),
            "https://secretsmanager.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(endpoint("secretsmanager", "us-gov-west-1", true, true),
            "https://secretsmanager-fips.us-gov-west-1.amazonaws.com");
}

TEST(EndpointTest, ARegionIsNeeded) {
  EXPECT_EQ(endpoint("sts", ""), "NoRegion");
  EXPECT_EQ(endpoint("sts", "evil.example/x"), "BadRegion");
}

TEST(EndpointTest, OverridesAreChecked) {
  const auto with = [](const std::string& url) {
    Settings s;
    s.endpoint_urls["sts"] = url;
    const auto out = endpoint_for(s, "sts", "eu-west-1");
    return out.ok() ? *out : out.error().code;
  };
  EXPECT_EQ(with("http://127.0.0.1:5000"), "http://127.0.0.1:5000");
  EXPECT_EQ(with("https://gate.example/aws//"), "https://gate.example/aws");
  EXPECT_EQ(with("http://[::1]:5000"), "http://[::1]:5000");
  for (const char* bad :
       {"ftp://x", "x", "https://", "https:///p", "https://user@h", "https://h?q", "https://h#f",
        "https://h\\x", "https://a b", "https://h\r\nX: y", "http://:80"}) {
    EXPECT_EQ(with(bad), "BadEndpoint") << bad;
  }
}

TEST(EndpointTest, ServiceOverrideBeforeTheGeneralOneAndNoneWithFips) {
  Settings s;
  s.endpoint_urls[""] = "http://general";
  s.endpoint_urls["sts"] = "http://sts";
  EXPECT_EQ(endpoint_for(s, "sts", "eu-west-1").value(), "http://sts");
  EXPECT_EQ(endpoint_for(s, "secretsmanager", "eu-west-1").value(), "http://general");
  s.use_fips = true;
  EXPECT_EQ(endpoint_for(s, "sts", "eu-west-1").error().code, "BadEndpoint");
}

class SettingsTest : public ::testing::Test {
 protected:
  // AWS_CONFIG_FILE with this text, and more variables.
  Result<Settings> load(const std::string& config, std::map<std::string, std::string> env = {}) {
    env.emplace("AWS_CONFIG_FILE", dir.write("config", config));
    env.emplace("AWS_SHARED_CREDENTIALS_FILE", dir.path("credentials"));
    return load_settings(fake_env(env));
  }
  TempDir dir;
};

TEST_F(SettingsTest, NothingSaidIsFine) {
  const auto s = load_settings(fake_env({}));
  ASSERT_TRUE(s.ok()) << s.error().describe();
  EXPECT_EQ(s->region, "");
  EXPECT_EQ(s->max_attempts, 3);
  EXPECT_TRUE(s->endpoint_urls.empty());
}

TEST_F(SettingsTest, RegionFromEitherVariableThenTheProfile) {
  const std::string config = "[default]\nregion = eu-north-1\n";
  EXPECT_EQ(
      load(config, {{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "eu-west-2"}})->region,
      "eu-west-1");
  EXPECT_EQ(load(config, {{"AWS_DEFAULT_REGION", "eu-west-2"}})->region, "eu-west-2");
  EXPECT_EQ(load(config)->region, "eu-north-1");
  EXPECT_EQ(load(config, {{"AWS_REGION", "Ireland"}}).error().code, "BadRegion");
}

TEST_F(SettingsTest, EndpointOrder) {
  const std::string config =
      "[default]\nendpoint_url = http://profile\nservices = s\n"
      "[services s]\nsecrets_manager =\n  endpoint_url = http://profile-sm\n";
  const auto urls = [&](std::map<std::string, std::string> env) {
    return load(config, std::move(env))->endpoint_urls;
  };
  using Urls = std::map<std::string, std::string>;
  EXPECT_EQ(urls({}), (Urls{{"", "http://profile"}, {"secretsmanager", "http://profile-sm"}}));
  EXPECT_EQ(urls({{"AWS_ENDPOINT_URL", "http://env"}}), (Urls{{"", "http://env"}}));
  EXPECT_EQ(urls({{"AWS_ENDPOINT_URL", "http://env"}, {"AWS_ENDPOINT_URL_STS", "http://env-sts"}}),
            (Urls{{"", "http://env"}, {"sts", "http://env-sts"}}));
  EXPECT_EQ(urls({{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://env-sm"},
                  {"AWS_ENDPOINT_URL_TIMESTREAM_INFLUXDB", "http://t"}}),
            (Urls{{"", "http://profile"},
                  {"secretsmanager", "http://env-sm"},
                  {"timestream-influxdb", "http://t"}}));
  EXPECT_EQ(
      urls({{"AWS_ENDPOINT_URL", "http://env"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}}),
      Urls{});
}

TEST_F(SettingsTest, SwitchesAndAttempts) {
  const auto s = load("[default]\nuse_fips_endpoint = true\n",
                      {{"AWS_USE_DUALSTACK_ENDPOINT", "TRUE"}, {"AWS_MAX_ATTEMPTS", "5"}});
  ASSERT_TRUE(s.ok());
  EXPECT_TRUE(s->use_fips);
  EXPECT_TRUE(s->use_dualstack);
  EXPECT_EQ(s->max_attempts, 5);
  EXPECT_FALSE(load("[default]\nuse_fips_endpoint = true\n", {{"AWS_USE_FIPS_ENDPOINT", "false"}})
                   ->use_fips);
  for (const char* bad : {"0", "-1", "many", "100", "3.5"}) {
    EXPECT_EQ(load("", {{"AWS_MAX_ATTEMPTS", bad}}).error().code, "BadSetting") << bad;
  }
}

TEST_F(SettingsTest, CaBundleIsRead) {
  const std::string pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(load("", {{"AWS_CA_BUNDLE", dir.write("ca.pem", pem)}})->ca_bundle_pem, pem);
  EXPECT_EQ(load("", {{"AWS_CA_BUNDLE", dir.write("bad.pem", "hello")}}).error().code,
            "BadSetting");
  const auto missing = load("", {{"AWS_CA_BUNDLE", dir.path("none.pem")}});
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("none.pem: No such file"), std::string::npos)
      << missing.error().message;
}

TEST_F(SettingsTest, AChosenProfileMustExist) {
  EXPECT_EQ(load("[profile ops]\nregion=eu-west-3\n", {{"AWS_PROFILE", "ops"}})->region,
            "eu-west-3");
  const auto missing = load("[profile ops]\n", {{"AWS_PROFILE", "opps"}});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, "ProfileNotFound");
  EXPECT_NE(missing.error().message.find("opps"), std::string::npos);
}

TEST_F(SettingsTest, AMalformedFileIsNamedWithItsLineButNotItsText) {
  const auto bad = load("[default]\nregion = eu-west-1\nAKIDSECRETTEXT\n");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("config: line 3"), std::string::npos) << bad.error().message;
  EXPECT_EQ(bad.error().message.find("AKIDSECRET"), std::string::npos);
}

TEST(ProfileFileTest, SectionsPropertiesCommentsNesting) {
  const auto file = parse_profile_file(
      "\xEF\xBB\xBF# head\r\n[default]\r\nRegion = eu-west-1 # "
      "here\r\naws_secret_access_key=a#b;c\r\n\r\n"
      "[ profile   x y ]\n; note\nservices=svc\nempty =\n"
      "[services svc]\nsecrets_manager = \n  endpoint_url = http://h:1/p\n  other=1\nsts "
      "=\n\tendpoint_url=http://s\n"
      "[default]\nlate = yes");
  ASSERT_TRUE(file.ok()) << file.error().describe();
  const auto& main = *file->section("default");
  EXPECT_EQ(main.at("region"), "eu-west-1");
  EXPECT_EQ(main.at("aws_secret_access_key"), "a#b;c");  // a comment needs a blank before it
  EXPECT_EQ(main.at("late"), "yes");
  EXPECT_EQ(file->section("profile x y")->at("empty"), "");
  EXPECT_EQ(file->section("services svc")->at("secrets_manager.endpoint_url"), "http://h:1/p");
  EXPECT_EQ(file->section("services svc")->at("sts.endpoint_url"), "http://s");
  EXPECT_EQ(file->section("none"), nullptr);
}

TEST(ProfileFileTest, RefusesWhatIsNoProfileFile) {
  for (const char* bad : {"key = value\n", "[a\n", "[]\n", "[a]\nnothing\n", "[a]\n= x\n"}) {
    EXPECT_EQ(parse_profile_file(bad).error().code, "ProfileFile") << bad;
  }
  EXPECT_TRUE(parse_profile_file("").ok());
}

TEST(ProfileFileTest, SmallFilesOnly) {
  TempDir dir;
  EXPECT_EQ(read_small_file(dir.write("ok", "abc"), 3).value(), "abc");
  EXPECT_EQ(read_small_file(dir.write("big", "abcd"), 3).error().code, "FileTooLarge");
  EXPECT_EQ(read_small_file(dir.path("none")).error().cls, ErrorClass::NotFound);
  EXPECT_EQ(read_small_file(dir.path("")).error().cls, ErrorClass::Invalid);  // a directory
}

}  // namespace
}  // namespace keyturn::aws
