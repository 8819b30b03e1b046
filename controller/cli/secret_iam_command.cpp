// `keyturn secret iam`: the IAM policies for a secret; asks nobody.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/cli.h"
#include "controller/cli/iam_policy.h"
#include "controller/cli/secret_commands.h"
#include "controller/cli/secret_flags.h"

namespace keyturn::cli {
namespace {

enum class Part { Role, Invoke, Trust };

struct IamFlags {
  SecretFlags secret;
  IamRequest wanted;
  Part part = Part::Role;
};

int iam(const IamFlags& given) {
  auto flags = resolve(given.secret, Asks::Strategy);
  if (!flags) return fail_secret("iam", flags.error());
  IamRequest wanted = given.wanted;
  wanted.strategy = flags->strategy;
  wanted.options = flags->options;
  wanted.secret = flags->secret;
  wanted.region = flags->region;
  if (given.part != Part::Role && wanted.function.empty())
    return fail_secret("iam", invalid("Usage", "--part needs --lambda FUNCTION"));
  const auto policy = given.part == Part::Trust    ? Result<nlohmann::json>(trust_policy())
                      : given.part == Part::Invoke ? invoke_policy(wanted)
                      : wanted.function.empty()    ? operator_policy(wanted)
                                                   : function_policy(wanted);
  if (!policy) return fail_secret("iam", policy.error());
  print(*policy, flags->output == Output::Yaml ? Output::Yaml : Output::Json);
  return kDone;
}

}  // namespace

void add_secret_iam(CLI::App& secret, Chosen& chosen) {
  static const std::map<std::string, Part> kParts{
      {"role", Part::Role}, {"invoke", Part::Invoke}, {"trust", Part::Trust}};
  auto flags = std::make_shared<IamFlags>();
  CLI::App* command = secret.add_subcommand(
      "iam", "Print the IAM policy that a strategy needs, least privilege; asks nobody");
  flags->secret.add_to(*command, Asks::Strategy);
  command->add_option("--account", flags->wanted.account, "Where SECRET is a name: its account");
  command
      ->add_option("--reads", flags->wanted.reads,
                   "Other secrets that the value refers to, such as adminSecretArn")
      ->type_name("SECRET");
  command->add_option("--kms-key", flags->wanted.kms_key, "The key of your own that encrypts them")
      ->type_name("ARN");
  command
      ->add_option("--lambda", flags->wanted.function,
                   "Policies of the rotation function of that name (`keyturn lambda`)")
      ->type_name("FUNCTION");
  command
      ->add_option("--part", flags->part,
                   "With --lambda: of its role, who may invoke it, or the role's trust")
      ->transform(CLI::CheckedTransformer(kParts))
      ->option_text("role|invoke|trust");
  command->callback([flags, &chosen] { chosen.command = [flags] { return iam(*flags); }; });
}

}  // namespace keyturn::cli
