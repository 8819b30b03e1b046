#include "controller/cli/iam_policy.h"

#include <array>
#include <nlohmann/json.hpp>

#include "lib/aws/session.h"
#include "lib/base/text.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::cli {
namespace {

using nlohmann::json;

// Where a secret without an ARN of its own, and everything beside it, is.
struct Place {
  std::string partition, region, account;

  std::string arn(const std::string& service, const std::string& rest) const {
    return "arn:" + partition + ":" + service + ":" + region + ":" + account + ":" + rest;
  }
};

Error usage(std::string message) { return invalid("Usage", std::move(message)); }

std::string partition_of(const std::string& region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  if (region.starts_with("eusc-")) return "aws-eusc";
  return "aws";
}

Result<Place> place_of(const IamRequest& wanted) {
  if (wanted.secret.starts_with("arn:")) {
    const auto parts = split(wanted.secret, ':');
    if (parts.size() < 7 || parts[2] != "secretsmanager" || parts[5] != "secret")
      return usage("SECRET is no ARN of a secret: " + printable(wanted.secret));
    return Place{parts[1], parts[3], parts[4]};
  }
  if (!aws::is_region(wanted.region))
    return usage("name the region of " + printable(wanted.secret) +
                 " with --region, or the secret by its ARN");
  const bool digits = wanted.account.find_first_not_of("0123456789") == std::string::npos;
  if (wanted.account.size() != 12 || !digits)
    return usage("name the account of " + printable(wanted.secret) +
                 " with --account (12 digits), or the secret by its ARN");
  return Place{partition_of(wanted.region), wanted.region, wanted.account};
}

// Secrets Manager puts a hyphen and six characters behind the name.
std::string secret_arn(const Place& place, const std::string& secret) {
  if (secret.starts_with("arn:")) return secret;
  return place.arn("secretsmanager", "secret:" + secret + (secret.ends_with('*') ? "" : "-??????"));
}

json allow(json actions, json resource) {
  return {{"Effect", "Allow"}, {"Action", std::move(actions)}, {"Resource", std::move(resource)}};
}

std::string option(const json& options, const char* name) {
  const auto found = options.find(name);
  return found != options.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A dbIdentifier is asked for as an instance first, so a cluster's id stands in both.
void timestream(const json& options, const Place& place, json& statements) {
  if (!option(options, "url").empty()) return;
  const std::string id =
      option(options, "dbIdentifier").empty() ? "*" : option(options, "dbIdentifier");
  statements.push_back(
      allow({"timestream-influxdb:GetDbInstance", "timestream-influxdb:GetDbCluster"},
            {place.arn("timestream-influxdb", "db-instance/" + id),
             place.arn("timestream-influxdb", "db-cluster/" + id)}));
}

void elasticache(const json& options, const Place& place, json& statements) {
  statements.push_back(allow({"elasticache:DescribeUsers", "elasticache:ModifyUser"},
                             place.arn("elasticache", "user:*")));
  if (!option(options, "endpoint").empty()) return;
  const std::string group = option(options, "replicationGroupId");
  if (!group.empty()) {
    statements.push_back(allow("elasticache:DescribeReplicationGroups",
                               place.arn("elasticache", "replicationgroup:" + group)));
    return;
  }
  statements.push_back(allow(
      {"elasticache:DescribeReplicationGroups", "elasticache:DescribeUserGroups"},
      {place.arn("elasticache", "replicationgroup:*"), place.arn("elasticache", "usergroup:*")}));
}

void nothing(const json&, const Place&, json&) {}

// AWS asks whether the caller may invoke the function, too.
void rotation_function(const json&, const Place& place, json& statements) {
  statements.push_back(allow("lambda:InvokeFunction", place.arn("lambda", "function:*")));
}

enum class Writes { Nothing, Versions, Requests };

struct Needs {
  std::string_view strategy;
  Writes writes;
  bool reads_others;  // the value may refer to another secret
  void (*backend)(const json& options, const Place& place, json& statements);
};

// Every strategy has its row (tests/unit/cli/iam_policy_test.cpp).
constexpr std::array<Needs, 7> kNeeds = {{
    {"astraToken", Writes::Versions, true, nothing},
    {"elasticacheUser", Writes::Versions, false, elasticache},
    {"generic", Writes::Versions, false, nothing},
    {"influxdbToken", Writes::Versions, true, timestream},
    {"influxdbUser", Writes::Versions, false, timestream},
    {"lambda", Writes::Requests, false, rotation_function},
    {"syncOnly", Writes::Nothing, false, nothing},
}};

struct Ready {
  const Needs* needs = nullptr;
  json options;
  Place place;
  std::string secret;
};

Result<Ready> prepare(const IamRequest& wanted) {
  const std::string options = wanted.options.empty() ? "{}" : wanted.options;
  if (auto known = engine::make_strategy(wanted.strategy, options); !known)
    return std::move(known).error();
  Ready ready;
  for (const Needs& needs : kNeeds) {
    if (needs.strategy == wanted.strategy) ready.needs = &needs;
  }
  if (ready.needs == nullptr)
    return invalid("NoPermissions", "what strategy " + wanted.strategy + " needs is not known");
  if (!wanted.reads.empty() && !ready.needs->reads_others)
    return usage("--reads does not go with strategy " + wanted.strategy +
                 ", whose secrets refer to no other");
  auto place = place_of(wanted);
  if (!place) return std::move(place).error();
  ready.options = json::parse(options);
  ready.place = std::move(place).value();
  ready.secret = secret_arn(ready.place, wanted.secret);
  return ready;
}

void add_backend(const Ready& ready, const IamRequest& wanted, json& statements) {
  ready.needs->backend(ready.options, ready.place, statements);
  json others = json::array();
  for (const std::string& other : wanted.reads) others.push_back(secret_arn(ready.place, other));
  if (!others.empty())
    statements.push_back(allow({"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"},
                               others.size() == 1 ? others[0] : others));
  if (wanted.kms_key.empty()) return;
  json keys = {"kms:Decrypt"};
  if (ready.needs->writes == Writes::Versions) keys.push_back("kms:GenerateDataKey");
  statements.push_back(allow(std::move(keys), wanted.kms_key));
}

json document(json statements) {
  return {{"Version", "2012-10-17"}, {"Statement", std::move(statements)}};
}

Status need_function(const IamRequest& wanted) {
  if (!wanted.function.empty()) return {};
  return usage("name the rotation function");
}

}  // namespace

Result<json> operator_policy(const IamRequest& wanted) {
  auto ready = prepare(wanted);
  if (!ready) return std::move(ready).error();
  json actions = {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"};
  if (ready->needs->writes == Writes::Versions) {
    actions.push_back("secretsmanager:ListSecretVersionIds");
    actions.push_back("secretsmanager:PutSecretValue");
    actions.push_back("secretsmanager:UpdateSecretVersionStage");
  } else if (ready->needs->writes == Writes::Requests) {
    actions.push_back("secretsmanager:ListSecretVersionIds");
    actions.push_back("secretsmanager:RotateSecret");
  }
  json statements = json::array();
  statements.push_back(allow(std::move(actions), ready->secret));
  statements.push_back(allow("secretsmanager:ListSecrets", "*"));
  add_backend(*ready, wanted, statements);
  return document(std::move(statements));
}

Result<json> function_policy(const IamRequest& wanted) {
  auto ready = prepare(wanted);
  if (!ready) return std::move(ready).error();
  if (auto named = need_function(wanted); !named) return named.error();
  if (ready->needs->writes != Writes::Versions)
    return usage("strategy " + wanted.strategy + " has no rotation function");
  json statements = json::array();
  statements.push_back(
      allow({"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
             "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"},
            ready->secret));
  statements.push_back(
      allow({"logs:CreateLogStream", "logs:PutLogEvents"},
            ready->place.arn("logs", "log-group:/aws/lambda/" + wanted.function + ":*")));
  add_backend(*ready, wanted, statements);
  return document(std::move(statements));
}

Result<json> invoke_policy(const IamRequest& wanted) {
  auto ready = prepare(wanted);
  if (!ready) return std::move(ready).error();
  if (auto named = need_function(wanted); !named) return named.error();
  json statement =
      allow("lambda:InvokeFunction", ready->place.arn("lambda", "function:" + wanted.function));
  statement["Sid"] = "SecretsManagerRotates";
  statement["Principal"] = {{"Service", "secretsmanager.amazonaws.com"}};
  statement["Condition"] = {{"StringEquals", {{"aws:SourceAccount", ready->place.account}}}};
  return document(json::array({std::move(statement)}));
}

json trust_policy() {
  json statement = {{"Effect", "Allow"},
                    {"Action", "sts:AssumeRole"},
                    {"Principal", {{"Service", "lambda.amazonaws.com"}}}};
  return document(json::array({std::move(statement)}));
}

}  // namespace keyturn::cli
