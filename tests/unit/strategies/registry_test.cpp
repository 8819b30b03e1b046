#include "lib/engine/strategies/registry.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace keyturn::engine {
namespace {

std::string problem(std::string_view name, std::string_view options) {
  auto made = make_strategy(name, options);
  if (made.ok()) return "";
  EXPECT_EQ(made.error().cls, ErrorClass::Invalid);
  return made.error().message;
}

TEST(Registry, EveryListedStrategyCanBeMade) {
  for (std::string_view name : strategy_names()) {
    auto made = make_strategy(name, "{}");
    ASSERT_TRUE(made.ok()) << name;
    EXPECT_EQ((*made)->traits().name, name);
  }
}

TEST(Registry, AMisspeltStrategySuggestsTheNearestName) {
  EXPECT_NE(problem("genric", "{}").find("did you mean generic?"), std::string::npos);
  EXPECT_NE(problem("synconly", "{}").find("did you mean syncOnly?"), std::string::npos);
  EXPECT_NE(
      problem("vault", "{}")
          .find("(strategies: astraToken, elasticacheUser, generic, influxdbToken, influxdbUser, "
                "lambda, syncOnly)"),
      std::string::npos);
  EXPECT_EQ(make_strategy("genric", "{}").error().code, "UnknownStrategy");
}

TEST(Registry, OptionsMustBeAnObject) {
  for (const char* options : {"null", "[]", "true", "\"x\"", "", "{"}) {
    EXPECT_EQ(problem("generic", options),
              "spec.strategy.generic: must be an object; write {} for an empty one");
    EXPECT_EQ(problem("syncOnly", options),
              "spec.strategy.syncOnly: must be an object; write {} for an empty one");
  }
}

TEST(Registry, SyncOnlyHasNoOptionsAndMakesNothing) {
  EXPECT_EQ(problem("syncOnly", R"({"x":1})"), "spec.strategy.syncOnly.x: unknown option");
  const auto strategy = std::move(make_strategy("syncOnly", "{}")).value();
  EXPECT_EQ(strategy->traits().backend, Backend::ReadOnly);
  EXPECT_TRUE(strategy->recognise(SecretString("anything")).ok());
  EXPECT_EQ(strategy->create({}, SecretString("x")).error().code, "ReadOnly");
  EXPECT_EQ(strategy->carry(SecretString("x"), SecretString("y")).error().code, "ReadOnly");
}

struct Wrong {
  const char* field;     // JSON of one field
  const char* expected;  // start of the message, behind "spec.strategy.generic."
};

TEST(GenericOptions, ProblemsNameTheOption) {
  const std::vector<Wrong> wrong = {
      {R"({"pointer":"apiKey"})", "fields[0].pointer: JSON pointer \"apiKey\": must start with /"},
      {R"({"pointer":"/a~"})", "fields[0].pointer: JSON pointer"},
      {R"({"pointer":7})", "fields[0].pointer: must be a text"},
      {R"({"format":"pasword"})",
       "fields[0].format: \"pasword\" is not a format; did you mean password?"},
      {R"({"format":"aes"})", "fields[0].format: \"aes\" is not a format"},
      {R"({"lenght":4})", "fields[0].lenght: unknown option; did you mean length?"},
      {R"({"length":4})", "fields[0].length: does not go with format base64"},
      {R"({"format":"uuid","bytes":4})", "fields[0].bytes: does not go with format uuid"},
      {R"({"bytes":7})", "fields[0].bytes: must be a whole number from 8 to 4096"},
      {R"({"bytes":4097})", "fields[0].bytes: must be a whole number"},
      {R"({"bytes":-1})", "fields[0].bytes: must be a whole number"},
      {R"({"bytes":18446744073709551615})", "fields[0].bytes: must be a whole number"},
      {R"({"bytes":32.0})", "fields[0].bytes: must be a whole number"},
      {R"({"bytes":"32"})", "fields[0].bytes: must be a whole number"},
      {R"({"format":"password","length":0})",
       "fields[0].length: must be a whole number from 1 to 4096"},
      {R"({"format":"password","includeSpace":"yes"})",
       "fields[0].includeSpace: must be true or false"},
      {R"({"format":"password","length":3})",
       "fields[0].length: is too short to hold one of each included type (4)"},
      {R"({"format":"password","excludeCharacters":"0123456789"})",
       "fields[0].excludeCharacters: leaves no digits"},
      {R"({"format":"password","excludeNumbers":true,"excludePunctuation":true,"excludeUppercase":true,"excludeLowercase":true})",
       "fields[0]: the exclusions leave fewer than two characters"},
      {R"({"format":"password","excludeNumbers":true,"excludePunctuation":true,"excludeUppercase":true,"excludeLowercase":true,"includeSpace":true})",
       "fields[0]: the exclusions leave fewer than two characters"},
      {R"({"format":"password","includeSpace":true,"excludeCharacters":" "})",
       "fields[0].excludeCharacters: excludes the space"},
      {R"({"pointer":"/a","publicPointer":"/b"})",
       "fields[0].publicPointer: does not go with format base64"},
      {R"({"pointer":"/a","format":"ed25519"})",
       "fields[0].publicPointer: is needed for a key pair"},
      {R"({"format":"ed25519","publicPointer":"/b"})",
       "fields[0].pointer: is needed for a key pair"},
      {R"({"pointer":"/a","publicPointer":"/a","format":"ed25519"})",
       "fields[0].publicPointer: overlaps spec.strategy.generic.fields[0].pointer"},
      {R"({"pointer":"/a","publicPointer":"/b","format":"rsa","bits":1024})",
       "fields[0].bits: must be a whole number from 2048 to 4096"},
      {R"({"pointer":"/a","publicPointer":"/b","format":"rsa","bits":2049})",
       "fields[0].bits: must be 2048, 3072 or 4096"},
      {R"({"pointer":"/a"},{"pointer":"/a"})",
       "fields[1].pointer: overlaps spec.strategy.generic.fields[0].pointer"},
      {R"({"pointer":"/a/b"},{"pointer":"/a"})", "fields[1].pointer: overlaps"},
      {R"({"pointer":"/a"},{"format":"hex"})",
       "fields[1].pointer: is needed where there are several fields"},
      {R"({"pointer":"/a"},7)", "fields[1]: must be an object"},
  };
  for (const Wrong& one : wrong) {
    const std::string message =
        problem("generic", R"({"fields":[)" + std::string(one.field) + "]}");
    EXPECT_TRUE(message.starts_with("spec.strategy.generic." + std::string(one.expected)))
        << one.field << "\n"
        << message;
  }
  EXPECT_TRUE(problem("generic", R"({"fields":[]})")
                  .starts_with("spec.strategy.generic.fields: must be a list of 1 to 16 objects"));
  EXPECT_TRUE(problem("generic", R"({"fields":{}})")
                  .starts_with("spec.strategy.generic.fields: must be a list"));
  EXPECT_TRUE(
      problem("generic", R"({"field":[]})")
          .starts_with("spec.strategy.generic.field: unknown option; did you mean fields?"));
}

TEST(GenericOptions, LimitsThatAreStillGood) {
  for (
      const char* field :
      {R"({"bytes":8})", R"({"bytes":4096,"format":"hex"})", R"({"format":"password","length":4})",
       R"({"format":"password","length":4096})",
       R"({"format":"password","length":1,"requireEachIncludedType":false})",
       R"({"pointer":"/a/b"},{"pointer":"/a/bc"})",
       R"({"format":"password","excludeCharacters":"0123456789","requireEachIncludedType":false})"}) {
    EXPECT_EQ(problem("generic", R"({"fields":[)" + std::string(field) + "]}"), "") << field;
  }
}

}  // namespace
}  // namespace keyturn::engine
