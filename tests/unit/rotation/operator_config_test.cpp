#include "controller/rotation/operator_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

std::string errors(std::string_view yaml) {
  const auto config = parse_operator_config(yaml, "k.yaml");
  return config ? "accepted" : config.error().message;
}

TEST(OperatorConfig, NothingIsTheDefaults) {
  for (const char* empty : {"", "# nothing\n", "---\n", "{}", "access:\nnamespaces:\n"}) {
    const auto config = parse_operator_config(empty, "k.yaml");
    ASSERT_TRUE(config) << empty << ": " << config.error().message;
    EXPECT_TRUE(config->access.rules().empty());
    EXPECT_EQ(config->listen, ":8080");
    EXPECT_EQ(config->min_rotation_interval, std::chrono::minutes(15));
    EXPECT_EQ(config->request_deadline, std::chrono::seconds(15));
    EXPECT_TRUE(config->leader_election);
    EXPECT_TRUE(config->warnings.empty());
  }
}

TEST(OperatorConfig, ReadsEveryKey) {
  const auto config = parse_operator_config(R"(
access:
- namespaces: [shop, "team-*"]
  secrets: ["shop/*", "own/{namespace}/**", "arn:aws:secretsmanager:*:1:secret:x-*"]
  resources: ["arn:aws:elasticache:*:*:user:shop-*"]
  backends: ["*.influx.internal:8086", "[::1]:5432"]
  roles: ["arn:aws:iam::1:role/keyturn-*"]
region: eu-west-1
namespaces: [shop, team-a]
listen: 127.0.0.1:0
minRotationInterval: 30m
requestDeadline: 10s
propagation: 5s
syncWorkers: 3
rotationWorkers: 4
leaderElection: {enabled: false, namespace: keyturn, name: kt}
logLevel: debug
logFormat: json
)",
                                            "k.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->access.rules().size(), 1U);
  EXPECT_EQ(config->access.rules()[0],
            (AccessRule{{"shop", "team-*"},
                        {"shop/*", "own/{namespace}/**", "arn:aws:secretsmanager:*:1:secret:x-*"},
                        {"arn:aws:elasticache:*:*:user:shop-*"},
                        {"*.influx.internal:8086", "[::1]:5432"},
                        {"arn:aws:iam::1:role/keyturn-*"}}));
  EXPECT_EQ(config->region, "eu-west-1");
  EXPECT_EQ(config->namespaces, (std::vector<std::string>{"shop", "team-a"}));
  EXPECT_EQ(config->listen, "127.0.0.1:0");
  EXPECT_EQ(config->min_rotation_interval, std::chrono::minutes(30));
  EXPECT_EQ(config->request_deadline, std::chrono::seconds(10));
  EXPECT_EQ(config->propagation, std::chrono::seconds(5));
  EXPECT_EQ(config->sync_workers, 3);
  EXPECT_EQ(config->rotation_workers, 4);
  EXPECT_FALSE(config->leader_election);
  EXPECT_EQ(config->lease_namespace, "keyturn");
  EXPECT_EQ(config->lease_name, "kt");
  EXPECT_EQ(config->log_level, log::Level::Debug);
  EXPECT_EQ(config->log_format, log::Format::Json);
  EXPECT_TRUE(config->warnings.empty());
}

TEST(OperatorConfig, EveryErrorAtOnceByLine) {
  const std::string said = errors(R"(acces: []
region: Ireland
access:
- namespaces: shop
  secrets: ["shop/?"]
- {}
minRotationInterval: 15
requestDeadline: 1ms
listen: 8080
syncWorkers: 0
leaderElection: {enable: true}
logLevel: inf
region: eu-west-1
namespaces: ["*"]
)");
  EXPECT_EQ(said, R"(k.yaml:1: unknown key "acces"; did you mean access?
k.yaml:2: region: must be an AWS region such as eu-west-1
k.yaml:4: access[0].namespaces: must be a list
k.yaml:5: access[0].secrets[0]: has '?', which no secret's name has; `*` stands for any run without /, `**` for any
k.yaml:6: access[1]: needs namespaces, or it is for nobody
k.yaml:6: access[1]: allows nothing: give it secrets, resources, backends or roles
k.yaml:7: minRotationInterval: must be a duration such as 15s or 15m, from 0s to 8760h
k.yaml:8: requestDeadline: must be a duration such as 15s or 15m, from 100ms to 2m
k.yaml:9: listen: must be [HOST]:PORT such as :8080 or 127.0.0.1:0
k.yaml:10: syncWorkers: must be a whole number from 1 to 256
k.yaml:11: leaderElection: unknown key "enable"; did you mean enabled?
k.yaml:12: logLevel: must be one of debug, info, warn, error; did you mean info?
k.yaml:13: region: stands twice; keep one
k.yaml:14: namespaces[0]: must be the name of a namespace; globs are for access rules)");
}

TEST(OperatorConfig, PatternsThatCannotMeanWhatTheySay) {
  const auto rule = [](const std::string& fields) {
    return errors("access:\n- {namespaces: [a], " + fields + "}\n");
  };
  EXPECT_NE(
      rule("secrets: ['{ns}/x']").find("{namespace} is the only thing that may stand in braces"),
      std::string::npos);
  EXPECT_NE(rule("secrets: ['arn:aws:iam::1:role/x']").find("is no ARN of Secrets Manager"),
            std::string::npos);
  EXPECT_NE(rule("resources: ['shop-*']").find("must begin with arn:"), std::string::npos);
  EXPECT_NE(rule("roles: ['keyturn-*']").find("must be a role's ARN"), std::string::npos);
  EXPECT_NE(rule("backends: [db.internal]").find("must be host:port"), std::string::npos);
  EXPECT_NE(rule("backends: ['DB.internal:1']").find("must be in lower case"), std::string::npos);
  EXPECT_NE(rule("secrets: ['']").find("must not be empty"), std::string::npos);
  EXPECT_NE(rule("secrets: [[x]]").find("must be a text"), std::string::npos);
  EXPECT_NE(errors("access:\n- {namespaces: ['{namespace}'], secrets: [x]}")
                .find("must be the name of a namespace"),
            std::string::npos);
}

TEST(OperatorConfig, TimingsForTestsAreTakenWithAWarning) {
  const auto config =
      parse_operator_config("minRotationInterval: 0s\nrequestDeadline: 100ms\n", "k.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->warnings.size(), 2U);
  EXPECT_TRUE(
      config->warnings[0].starts_with("k.yaml:1: minRotationInterval: below 15m is for tests"));
  EXPECT_TRUE(config->warnings[1].starts_with("k.yaml:2: requestDeadline: below 5s is for tests"));
}

TEST(OperatorConfig, ARuleForEverythingIsTakenWithAWarning) {
  const auto config =
      parse_operator_config("access:\n- {namespaces: ['*'], secrets: ['**']}\n", "k.yaml");
  ASSERT_TRUE(config);
  ASSERT_EQ(config->warnings.size(), 1U);
  EXPECT_NE(config->warnings[0].find("access[0]: lets every namespace use every secret"),
            std::string::npos);
}

TEST(OperatorConfig, WhatIsNoYamlSaysWhere) {
  EXPECT_TRUE(errors("a: 1\nb: [\n").starts_with("k.yaml:3: is not YAML: "))
      << errors("a: 1\nb: [\n");
  // yaml-cpp quotes the character it does not know; a complaint stays one line.
  EXPECT_EQ(errors("a: \"\\\x01\"\n"), "k.yaml:1: is not YAML: unknown escape character: \\x01");
  EXPECT_EQ(errors("- a\n"), "k.yaml:1: must be a map of settings");
  EXPECT_EQ(errors("text"), "k.yaml:1: must be a map of settings");
  EXPECT_EQ(errors("listen: :1\n---\nlisten: :2\n"),
            "k.yaml: holds several YAML documents; keep one");
  EXPECT_EQ(errors("region: \xff"), "k.yaml: is not UTF-8 text");
  EXPECT_EQ(errors(std::string((1 << 20) + 1, '#')), "k.yaml: is larger than 1 MiB");
  EXPECT_NE(errors("? [a]\n: b\n").find("has a key that is no text"), std::string::npos);
  EXPECT_NE(
      errors("leaderElection: {enabled: \"true\"}").find("must be true or false, without quotes"),
      std::string::npos);
  EXPECT_NE(errors(std::string(100'000, '[')).find("is not YAML"), std::string::npos);
  EXPECT_EQ(errors("---\n,\n"),
            "k.yaml:2: is not YAML: a comma outside of brackets, which begins nothing");
}

TEST(OperatorConfig, FilesThatCannotBeRead) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("keyturn-config-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string missing = (folder / "missing.yaml").string();
  auto config = load_operator_config(missing);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().cls, ErrorClass::NotFound);
  EXPECT_NE(config.error().message.find(missing), std::string::npos);
  EXPECT_FALSE(load_operator_config(folder.string()));
  const std::string file = (folder / "k.yaml").string();
  std::ofstream(file) << "region: eu-west-1\n";
  config = load_operator_config(file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->region, "eu-west-1");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace keyturn::rotation
